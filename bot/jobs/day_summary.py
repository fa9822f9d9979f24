"""What schedules did since yesterday, on one card a day: what failed and why first, and one line when all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import structlog

from bot.domain import recurrence
from bot.domain.inventory import Vm
from bot.domain.job import FINAL, JobState
from bot.domain.message import Button, Choices, Mark, Message, Part, Verdict
from bot.domain.message import Facts as Lines
from bot.domain.record import JobRecord
from bot.domain.recurrence import Every, Recurrence
from bot.domain.schedule import Schedule, ScheduleState
from bot.domain.texts import Code, Moment, Phrase, say
from bot.domain.words import counted, numbered, state_word
from bot.errors import StoreError
from bot.operations.ports import Facts
from bot.store import Outgoing, Store

log = structlog.get_logger()

DAY_S: Final = 86_400.0
LOOK_S: Final = 60.0
#: A run that is so late is told: a freeze holds it up, or its pools do not answer.
LATE_S: Final = 3600.0
_KEY: Final = "schedules_summed"
_LINES: Final = 30


def build(
    schedules: Sequence[Schedule],
    jobs: Mapping[int, Sequence[JobRecord]],
    bare: Sequence[Vm],
    since: float,
    now: float,
) -> Message | None:
    """The card of a day; None when nothing ran and nothing is wrong.

    `jobs` are those of each schedule since then, `bare` the guests that a schedule covers and that have no backup.
    """
    wrong = [*_bare(bare), *_failed(jobs), *_left_out(schedules, since), *_late(schedules, now)]
    guests = sum(len(_guests(job)) for those in jobs.values() for job in those if job.state is JobState.SUCCEEDED)
    if not wrong:
        if not guests:
            return None
        line = say("Backups: all {n} since {when} are verified", n=guests, when=Moment(since))
        return Message(line, (Verdict(line, mark=Mark.DONE),))
    headline = say("Backups: {n} you", n=counted(len(wrong), "thing needs", "things need"))
    beside = (say("{n} made and verified since {when}", n=guests, when=Moment(since)),)
    shown = wrong[:_LINES]
    if len(wrong) > len(shown):
        shown.append(say("and {n} more", n=len(wrong) - len(shown)))
    parts: list[Part] = [Verdict(headline, beside, Mark.ATTENTION), Lines(tuple(shown))]
    parts.append(Choices((Button("Schedules", "ask", "schedule list"), Button("Backups", "ask", "backups"))))
    return Message(headline, tuple(parts))


def _guests(job: JobRecord) -> list[str]:
    return [target.uuid for target in job.plan.targets if target.kind == "VM"]


def _bare(bare: Sequence[Vm]) -> Iterator[Phrase]:
    yield from (say("{vm} is to be backed up and has no backup at all", vm=vm.name) for vm in bare)


def _failed(jobs: Mapping[int, Sequence[JobRecord]]) -> Iterator[Phrase]:
    for number, those in jobs.items():
        for job in those:
            if job.state in {JobState.SUCCEEDED, *_GOING_ON}:
                continue
            what = job.outcome or say(state_word(job.state))
            yield say("Schedule {n}, job {job}: {what}", n=Code(str(number)), job=numbered(job), what=what)
            yield from (
                say("Job {job}: {line}", job=numbered(job), line=line) for line in (*job.evidence, *job.drifted)
            )


_GOING_ON: Final = frozenset(JobState) - FINAL - {JobState.NEEDS_ATTENTION}


def _left_out(schedules: Sequence[Schedule], since: float) -> Iterator[Phrase]:
    for one in schedules:
        # A check has told what it found, and where it could not look, by itself.
        if (one.last_run or 0.0) >= since and not one.covered.check:
            yield from (say("Schedule {n}: {line}", n=Code(str(one.number)), line=line) for line in one.last_said)


def _late(schedules: Sequence[Schedule], now: float) -> Iterator[Phrase]:
    for one in schedules:
        if one.state is ScheduleState.ACTIVE and now - one.next_run > LATE_S:
            number, when = Code(str(one.number)), Moment(one.next_run)
            yield say("Schedule {n} should have run {when} and has not begun", n=number, when=when)


class DaySummary:
    """Posts the summary into `channel`, each day at `hour` by the clock of `zone`.

    A guest that a schedule has covered for `alert_days` (0 for never) and that has no backup yet is told of; one whose
    backups have become old the keeper of the archive tells of, whether a schedule covers it or not.
    """

    def __init__(
        self,
        store: Store,
        facts: Facts,
        channel: str,
        zone: str,
        *,
        hour: int,
        alert_days: int,
        every_s: float = LOOK_S,
    ) -> None:
        self.store = store
        self.facts = facts
        self.channel = channel
        self.rule = Recurrence(Every.DAY, hour, 0, zone)
        self.alert_days = alert_days
        self.every_s = every_s

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as doubt:
                log.error("store_failed", reason=str(doubt))  # noqa: TRY400  a sentence is enough
            except Exception:  # the edge: a summary that cannot be made must not end the bot and its jobs with it
                log.exception("summary_failed")
            await asyncio.sleep(self.every_s)

    async def look(self) -> None:
        """Posts when the hour has come; days in which the bot was down are told of at once, on one card."""
        now = self.store.clock()
        since = await self.store.since_last(_KEY)
        if recurrence.missed(self.rule, since, now) is None:
            return
        schedules = await self.store.schedules()
        jobs = {one.number: await self.store.jobs_of(one.actor, since) for one in schedules}
        message = build(schedules, jobs, await self._bare(schedules, now), since, now)
        story = [] if message is None else [Outgoing("post", message, channel=self.channel)]
        await self.store.summed(_KEY, since, story)

    async def _bare(self, schedules: Sequence[Schedule], now: float) -> list[Vm]:
        if not self.alert_days:
            return []
        limit = self.alert_days * DAY_S
        # One that was made a moment ago has had no chance yet.
        old = [one for one in schedules if one.state is ScheduleState.ACTIVE and now - one.created_at > limit]
        covered = {vm.uuid: vm for one in old for vm in self.facts.schedules.covers(one.covered)}
        return [vm for vm in covered.values() if not await self.store.backups(guest=vm.uuid, limit=1)]
