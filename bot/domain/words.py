"""Words for states that cards, lists and the command line share, so that one state has one name everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inventory import FeedState, PowerState, Tools
from bot.domain.job import JobState
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import Code, Link, Phrase, Value, many, say

_JOB_WORDS = {
    JobState.PROPOSED: "waiting for confirmation",
    JobState.AWAITING_APPROVAL: "waiting for approval",
    JobState.QUEUED: "queued",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "done",
    JobState.PARTIAL: "partly done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.WITHDRAWN: "withdrawn",
    JobState.DENIED: "denied",
    JobState.EXPIRED: "expired",
    JobState.STALE: "out of date",
    JobState.NEEDS_ATTENTION: "needs a person",
}

_STEP_WORDS = {
    StepState.WAITING: "not started",
    StepState.INTENT: "about to be sent",
    StepState.SENT: "running in the pool",
    StepState.DONE: "done",
    StepState.FAILED: "failed",
    StepState.CANCELLED: "cancelled",
    StepState.UNCLEAR: "unclear",
}

_POWER_WORDS = {
    PowerState.HALTED: "halted",
    PowerState.PAUSED: "paused",
    PowerState.RUNNING: "running",
    PowerState.SUSPENDED: "suspended",
    PowerState.UNKNOWN: "in a state this version does not know",
}

_TOOLS_WORDS = {
    Tools.NONE: "no tools",
    Tools.NO_AGENT: "drivers but no agent",
    Tools.PRESENT: "tools answering",
}

_FEED_WORDS = {
    FeedState.LOADING: "still loading",
    FeedState.LIVE: "live",
    FeedState.LOST: "lost",
}


def state_word(state: JobState) -> str:
    """How a job's state reads in the middle of a sentence."""
    return _JOB_WORDS[state]


def step_word(state: StepState) -> str:
    """How a step's state reads."""
    return _STEP_WORDS[state]


def power_word(state: PowerState) -> str:
    """How a guest's power state reads."""
    return _POWER_WORDS[state]


def tools_word(tools: Tools) -> str:
    """How the state of the guest tools reads."""
    return _TOOLS_WORDS[tools]


def feed_word(state: FeedState) -> str:
    """How the state of a pool's live inventory reads."""
    return _FEED_WORDS[state]


def numbered(record: JobRecord) -> Value:
    """A job's number, leading to its card where that is known."""
    return Link(str(record.number), record.card_link) if record.card_link else Code(str(record.number))


def at_card(record: JobRecord) -> tuple[Phrase, ...]:
    """The line that leads to a job's card; none before Slack has told where it is."""
    if not record.card_link:
        return ()
    return (say("Go to {card}.", card=Link(f"the card of job {record.number}", record.card_link)),)


def counted(number: int, one: str, several: str) -> Phrase:
    """A number and its noun: "1 guest", "4 guests". Both nouns are our own words."""
    return say("{n} " + (one if number == 1 else several), n=number)


def first(names: Sequence[Value], most: int) -> Phrase:
    """The first of several names, or of what else is named, the others counted: "xenserver1, xenserver3 and 2 more"."""
    shown = say("{names}", names=many(names[:most]))
    return say("{names} and {n} more", names=shown, n=len(names) - most) if len(names) > most else shown
