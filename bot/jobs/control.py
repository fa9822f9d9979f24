"""What may be done to jobs besides deciding: cancel, resolve, freeze. The JobControl port of the handlers."""

from __future__ import annotations

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.message import Message
from bot.domain.policy import Person, Role
from bot.domain.record import Freeze, JobRecord
from bot.domain.texts import Code, Moment, Quote, Who, plain, say
from bot.domain.words import at_card, state_word
from bot.errors import NotAllowed, Refused
from bot.jobs import story
from bot.jobs.claims import brief, frozen, needs
from bot.jobs.engine import Engine
from bot.jobs.resolving import Resolving
from bot.operations.ports import Facts
from bot.store import Note, Outgoing, Store


class Control(Resolving):
    """Implements `bot.commands.JobControl`. `channel` is where everybody is told of a freeze and of its end."""

    def __init__(self, store: Store, engine: Engine, facts: Facts, channel: str) -> None:
        super().__init__(store, engine, facts)
        self.channel = channel

    async def cancel(self, number: int, person: Person) -> Message:
        """Asks a queued or running job to stop; withdraws one that waits for a decision."""
        record = await self.store.job(number)
        needs(person, Role.OPERATOR, "cancel a job")
        match record.state:
            case JobState.PROPOSED | JobState.AWAITING_APPROVAL:
                if person.id != record.requester and Role.ADMIN not in person.roles:
                    raise NotAllowed(
                        f"Only the person who asked for job {number}, or an admin, may withdraw it.",
                        "An approver can deny it on its card.",
                    )
                note = Note(Tag.JOB_WITHDRAWN, person.team, person.id)
                ended = {"finished_at": self.store.clock(), "cancel_by": person.id}
                await self.store.move(number, JobEvent.WITHDRAW, note, self._ended, expect=record.state, changes=ended)
                return brief(say("Job {n} is withdrawn; it had not started.", n=number))
            case JobState.RUNNING if self.engine.operations[record.operation].unstoppable:
                why = plain(self.engine.operations[record.operation].when_stopped)
                raise Refused(f"Job {number} runs. {why}", "Its card says how it ends.")
            case JobState.QUEUED | JobState.RUNNING:
                note = Note(Tag.JOB_CANCEL_ASKED, person.team, person.id)
                changes = {"cancel_by": record.cancel_by or person.id}
                await self.store.annotate(number, changes, note, self._asked)
                self.engine.ask_cancel(number)
                return brief(say("Job {n} was asked to stop. Its card says how it ends.", n=number), *at_card(record))
            case _:
                raise Refused(
                    f"Job {number} cannot be cancelled: it is {state_word(record.state)}.",
                    f"`/xen job {number}` shows what became of it.",
                )

    async def freeze(self, person: Person, reason: str) -> Message:
        """Stops every changing job from starting, at once, for everyone."""
        needs(person, Role.ADMIN, "freeze or unfreeze")
        freeze = Freeze(person.id, self.store.clock(), reason)
        earlier, note = await self.store.frozen(), Note(Tag.FREEZE, person.team, person.id, {"reason": reason})
        if earlier is not None and not reason:
            await self.store.set_freeze(freeze, note)
            return frozen(earlier)
        await self.store.set_freeze(freeze, note, self._post(_public(freeze)))
        line = say("Frozen by {who}: nothing that changes a pool starts now.", who=Who(person.id))
        return brief(line, say("Looking, cancelling and denying still work. Running jobs go on."))

    async def tell_of_freeze(self) -> None:
        """Tells everybody of a freeze, or of its end, that was set on the bot's machine while the bot was down."""

        def told(freeze: Freeze | None, who: str) -> list[Outgoing]:
            ended = say("{who} ended the freeze while I was down.", who=Who(who))
            return self._post(brief(ended) if freeze is None else _public(freeze))

        await self.store.tell_freeze(told)

    async def mute(self, person: Person, kind: str, about: str, seconds: float) -> Message:
        """Tells nothing of a kind of alert for a while."""
        needs(person, Role.OPERATOR, "mute alerts")
        until, of = self.store.clock() + seconds, Code(kind)
        tag = Tag.ALERT_MUTED if seconds else Tag.ALERT_UNMUTED
        note = Note(tag, person.team, person.id, {"kind": kind, "about": about, "until": until})
        await self.store.mute(kind, about, until, note)
        if not seconds:
            return brief(say("{kind} is told of again.", kind=of))
        end = say("{way} ends that.", way=Code(f"/xen unmute {kind}"))
        return brief(say("{kind} is not told of until {until}.", kind=of, until=Moment(until)), end)

    async def unfreeze(self, person: Person) -> Message:
        """Lets jobs start again."""
        needs(person, Role.ADMIN, "freeze or unfreeze")
        if await self.store.frozen() is None:
            return brief(say("Nothing is frozen, so there is nothing to end."))
        public = say("{who} ended the freeze, {when}.", who=Who(person.id), when=Moment(self.store.clock()))
        await self.store.set_freeze(None, Note(Tag.UNFREEZE, person.team, person.id), self._post(brief(public)))
        self.engine.kick()
        return brief(say("The freeze is over. Queued jobs start after they were checked again."))

    def _post(self, message: Message) -> list[Outgoing]:
        return [Outgoing("post", message, channel=self.channel)]

    def _asked(self, record: JobRecord) -> list[Outgoing]:
        operation = self.engine.operations[record.operation]
        line = say("{who} asked to stop it.", who=Who(record.cancel_by))
        return [Outgoing("card", story.card(record, operation, now=self.store.clock())), story.reply(line)]


def _public(freeze: Freeze) -> Message:
    said = [say("Reason given: “{reason}”", reason=Quote(freeze.reason))] if freeze.reason else []
    return brief(say("Frozen by {who}, {when}: no job starts.", who=Who(freeze.by), when=Moment(freeze.at)), *said)
