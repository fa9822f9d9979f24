"""Who decided what about a job, when, and why where they said so. Pure."""

from __future__ import annotations

from bot.domain.record import Decision, JobRecord
from bot.domain.texts import Moment, Phrase, Quote, Who, say


def decisions(record: JobRecord) -> list[Phrase]:
    """Who decided what, when."""
    words = {
        "confirm": "Confirmed",
        "approve": "Approved",
        "break_glass": "Glass broken",
        "deny": "Denied",
        "withdraw": "Withdrawn",
    }
    return [_decision(words[one.verdict], one) for one in record.decisions if one.verdict in words]


def _decision(did: str, one: Decision) -> Phrase:
    line = say("{did} by {who}, {when}", did=did, who=Who(one.person), when=Moment(one.at))
    return say("{line}: “{reason}”", line=line, reason=Quote(one.reason)) if one.reason else line


def explanation(record: JobRecord, person: str, reason: str) -> Phrase:
    """The reason of a denial, for the one who asked for the job."""
    return say("{asker} {who} says why: “{reason}”", asker=Who(record.requester), who=Who(person), reason=Quote(reason))
