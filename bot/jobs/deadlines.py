"""What time does to jobs: requests are reminded of and expire, so do permissions to start and offers of the way back.

An approval is good for as long as the job has to start, and no longer: a job that was let through and could not start
in that time (a freeze, a silent pool, a crowded host) expires and has to be asked for again.
"""

from __future__ import annotations

import structlog

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.policy import ApprovalSettings, Role
from bot.domain.record import JobRecord
from bot.domain.texts import Moment, Who, many, say
from bot.errors import IllegalTransition, NotAllowed, Refused
from bot.jobs import considering, story
from bot.jobs.ports import Directory
from bot.operations.base import Operations
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()


class Deadlines:
    """Looks at the clock for every job that waits."""

    def __init__(self, store: Store, directory: Directory, operations: Operations, approval: ApprovalSettings) -> None:
        self.store = store
        self.directory = directory
        self.operations = operations
        self.approval = approval

    async def look(self) -> None:
        """Reminds, expires, and takes the way back off the cards where its time is over."""
        for record in await self.store.overdue():
            await self.expire(record)
        for record in await self.store.undecided(self._notice_s):
            await self._remind(record)
        for record in await self.store.still_offering_back(story.MOVE_BACK_S, self._both_ways):
            await self._close_back(record)

    async def overtaken(self, by: JobRecord) -> None:
        """A job runs that may leave its guests elsewhere: what earlier ones offer is no longer the way they came."""
        if not self.operations[by.operation].stays:
            for record in await self.store.overtaken(by, self._both_ways):
                await self._close_back(record)

    async def settled(self, by: JobRecord) -> None:
        """A job went well that leaves nothing to follow from earlier ones, such as the roll back of a move."""
        for record in await self.store.settled(by, sorted(self.operations[by.operation].settles)):
            await self._close_back(record)

    async def _close_back(self, record: JobRecord) -> None:
        await self.store.annotate(record.number, {"back_closed": 1}, story=self._card)

    @property
    def _both_ways(self) -> list[str]:
        return [name for name, operation in self.operations.items() if operation.reverse is not None]

    @property
    def _notice_s(self) -> float:
        # A reminder right after the request would only be noise.
        return 60 * min(self.approval.remind_minutes, self.approval.expiry_minutes / 2)

    async def expire(self, record: JobRecord) -> None:
        """The time for a decision, or for starting, is over; that is not a denial."""
        note = Note(Tag.JOB_EXPIRED, record.team, "xenbot", {"waiting_to": _waiting_to(record)})
        changes: dict[str, object] = {"finished_at": self.store.clock()}
        if record.state is JobState.QUEUED:
            changes["outcome"] = say("Not started in time: {title}", title=record.plan.title)
            changes["evidence"] = (
                say("It could not start before {when}, so what was agreed to is void.", when=Moment(record.expires_at)),
            )
        try:
            await self.store.move(
                record.number, JobEvent.EXPIRE, note, self._ended, expect=record.state, changes=changes
            )
        except (IllegalTransition, Refused):
            log.info("expired_too_late", job=record.number)

    async def _remind(self, record: JobRecord) -> None:
        try:
            holders = await self.directory.holders(Role.APPROVER)
        except NotAllowed as silent:
            log.info("reminder_waits", job=record.number, reason=silent.message)
            return
        people = sorted(holders - {record.requester, *record.approved_by})
        if not people:
            return
        missing = record.approvers_needed - len(record.approved_by)
        line = say(
            "{who}: job {n} still needs {count} to approve it. It expires {when}.",
            who=many([Who(one) for one in people]),
            n=record.number,
            count=considering.people(missing),
            when=Moment(record.expires_at),
        )
        note = Note(Tag.JOB_REMINDED, record.team, "xenbot")
        changes = {"reminded_at": self.store.clock()}
        await self.store.annotate(record.number, changes, note, lambda _job: (story.reply(line),))

    def _card(self, record: JobRecord) -> list[Outgoing]:
        card = story.card(record, self.operations[record.operation])
        return [Outgoing("card", card, urgent=False, edit_only=True)]

    def _ended(self, record: JobRecord) -> list[Outgoing]:
        operation = self.operations[record.operation]
        return [Outgoing("card", story.card(record, operation)), story.ending_reply(record)]


def _waiting_to(record: JobRecord) -> str:
    words = {JobState.PROPOSED: "be confirmed", JobState.AWAITING_APPROVAL: "be approved", JobState.QUEUED: "start"}
    return words.get(record.state, "")
