"""What each button does, after the click was stored: compare with what the store holds, then claim atomically."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.job import FINAL, JobEvent, JobState
from bot.domain.message import Mark, Message, Verdict
from bot.domain.policy import Person, Role
from bot.domain.record import JobRecord
from bot.domain.texts import Code, Phrase, Quote, Who, many, say
from bot.domain.words import at_card
from bot.errors import DirectorySilent, IllegalTransition, NotAllowed, Refused, UserError
from bot.jobs import story
from bot.jobs.alarm import glass_broken
from bot.jobs.claims import Answered, Claims, brief, frozen, needs
from bot.operations.base import NOBODY
from bot.store import Held, Note, Outgoing
from bot.store.clicks import StoredClick

log = structlog.get_logger()


def _asked(approvers: Sequence[str]) -> Phrase:
    if not approvers:
        return say("Nobody else has the approver role; without glass broken it cannot start.")
    return say("Approval needed from one of {who}.", who=many([Who(one) for one in approvers]))


class Decisions(Claims):
    """Confirm, approve, break glass, deny, withdraw, ask again, move back."""

    async def confirm_seen(self, record: JobRecord, person: Person) -> Message:
        """Confirms a new job whose plan its requester has looked over and handed in; says what comes now.

        It is stored as a click. One that a crash leaves behind counts for nothing once the card is posted, whose own
        Confirm waits then. Raises UserError.
        """
        click = await self.store.note_click(
            target=story.confirming(record),
            action="confirm",
            team=person.team,
            person=person.id,
            channel=record.channel,
            message_ts="",
            at=self.store.clock(),
        )
        try:
            await self.decide(await self.store.click(click), record.number, on_card=False)
        except Answered as refusal:
            return refusal.answer
        now = await self.store.job(record.number)
        waits = "Confirmed. Job {n} needs approval now; its card is in the channel."
        goes = "Confirmed. Job {n} is checked once more and then starts; its card is in the channel."
        line = say(waits if now.state is JobState.AWAITING_APPROVAL else goes, n=record.number)
        return Message(line, (Verdict(line, mark=Mark.DONE),))

    async def decide(self, click: StoredClick, number: int, *, on_card: bool = True) -> Message | None:
        """Carries out a stored click on job `number`, by default on its card.

        Raises UserError with the reason when it counts for nothing.
        """
        try:
            person = await self.directory.person(click.team, click.person)
            async with self._turns.setdefault(number, asyncio.Lock()):
                if (await self.store.click(click.id)).verdict != "noted":
                    return None
                record = await self.store.job(number)
                if on_card:
                    self._is_this_card(click, record)
                return await self._act(click, person, record)
        except DirectorySilent:
            raise  # not an answer about this person: whoever asked says whether the click is judged again later
        except Held as busy:
            await self._refuse(click, number, busy)
            raise Answered(await self._busy(busy)) from busy
        except (UserError, IllegalTransition) as refusal:
            await self._refuse(click, number, refusal)
            if isinstance(refusal, IllegalTransition):
                now = await self.store.job(number)
                raise self._already(now) from refusal
            raise

    def _is_this_card(self, click: StoredClick, record: JobRecord) -> None:
        other_message = record.card_ts not in {"", click.message_ts}
        if click.channel != record.channel or other_message:
            line = say("This is not the card of job {n}; nothing was changed.", n=record.number)
            look = say("{look} shows it.", look=Code(f"/xen job {record.number}"))
            raise Answered(brief(line, *(at_card(record) or (look,))))

    async def _act(self, click: StoredClick, person: Person, record: JobRecord) -> Message | None:
        match click.action:
            case "confirm":
                await self._confirm(click, person, record)
            case "retarget":
                return await self._retarget(click, person, record)
            case "approve":
                await self._approve(click, person, record)
            case "break_glass":
                await self._break_glass(click, person, record)
            case "deny":
                needs(person, Role.APPROVER, "deny a job")
                await self._move(click, person, record, JobEvent.DENY, Tag.JOB_DENIED, {JobState.AWAITING_APPROVAL})
            case "withdraw":
                if person.id != record.requester and Role.ADMIN not in person.roles:
                    raise NotAllowed(
                        f"Only the person who asked for job {record.number}, or an admin, may withdraw it."
                    )
                allowed = {JobState.PROPOSED, JobState.AWAITING_APPROVAL}
                await self._move(click, person, record, JobEvent.WITHDRAW, Tag.JOB_WITHDRAWN, allowed)
            case "ask_again" | "move_back":
                return await self._once_more(click, person, record)
            case _:
                raise Refused("This button is of an older version of xenbot.", f"Use `/xen job {record.number}`.")
        return None

    async def _confirm(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        if person.id != record.requester:
            raise NotAllowed(
                f"Only the person who asked for job {record.number} may confirm it.",
                "Ask for it yourself with the same command.",
            )
        needs(person, Role.OPERATOR, "confirm a job")
        await self._still_open(record, {JobState.PROPOSED})
        shown = story.shown_by(click.target)
        if (shown or record.plan.others) and not record.digest.startswith(shown or "-"):
            # Another host was chosen after this person's card was drawn: nobody confirms what they have not seen.
            raise Refused(f"The card of job {record.number} was changed since.", "Look at it once more, then confirm.")
        freeze = await self.store.frozen()
        if freeze is not None:
            raise Answered(frozen(freeze))
        if record.approvers_needed == 0:
            await self._queue(click, person, record, Tag.JOB_CONFIRMED, JobState.PROPOSED)
            return
        approvers = await self.proposals.eligible(record.requester)
        await self._move(
            click,
            person,
            record,
            JobEvent.ASK_APPROVAL,
            Tag.JOB_CONFIRMED,
            {JobState.PROPOSED},
            changes={"expires_at": self.store.clock() + self.approval.expiry_minutes * 60},
            reply=_asked(approvers),
        )

    async def _retarget(self, click: StoredClick, person: Person, record: JobRecord) -> Message | None:
        """Another host, chosen on the card before anyone confirmed it."""
        if person.id != record.requester:
            raise NotAllowed(
                f"Only the person who asked for job {record.number} may choose another host.",
                "Ask for it yourself with the same command.",
            )
        needs(person, Role.OPERATOR, "choose another host")
        await self._still_open(record, {JobState.PROPOSED})
        operation, chosen = self.engine.operations[record.operation], story.shown_by(click.target)
        if operation.retarget is None or all(one.uuid != chosen for one in record.plan.others):
            raise Refused(f"That host is no longer on the card of job {record.number}.")
        plan = await operation.retarget(record.plan, chosen, self.facts, self.approval)
        return await self.proposals.replace(record, plan, person, click.id)

    async def _approve(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        if person.id == record.requester:
            others = many([Who(one) for one in await self.proposals.eligible(record.requester)])
            raise Answered(brief(say("You asked for this job, so someone else has to approve it: {who}.", who=others)))
        needs(person, Role.APPROVER, "approve a job")
        await self._still_open(record, {JobState.AWAITING_APPROVAL})
        if person.id in record.approved_by:
            raise Refused(f"You have approved job {record.number} already.")
        if len(record.approved_by) + 1 < record.approvers_needed:
            await self._count(click, person, record)
            return
        await self._queue(click, person, record, Tag.JOB_APPROVED, JobState.AWAITING_APPROVAL)

    async def _break_glass(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        """Lets the job run without its approvals, and tells everyone who could have given one, at once."""
        needs(person, Role.BREAK_GLASS, "run a job without approval")
        needs(person, Role.OPERATOR, "run a job without approval")
        await self._still_open(record, {JobState.AWAITING_APPROVAL})
        if not record.glass:
            raise Refused(
                f"Breaking glass is not offered for job {record.number}.", "Withdraw it and ask for it once more."
            )
        reason = (click.reason or record.reason).strip()
        if not reason:
            raise Refused("Breaking glass needs a reason.", "Press Break glass on the card: it asks for one.")
        told = [one for one in await self.proposals.eligible(record.requester) if one != person.id]
        alarm = glass_broken(record, person.id, told, reason)
        mail = [Outgoing("post", alarm, channel=one) for one in told]
        detail = {"reason": reason, "told": told, "approvals_missing": record.approvers_needed}
        await self._queue(
            click, person, record, Tag.GLASS_BROKEN, JobState.AWAITING_APPROVAL, detail=detail, alarm=(alarm, mail)
        )

    async def _count(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        await self.store.annotate(
            record.number, {}, Note(Tag.JOB_APPROVED, person.team, person.id), story=self._card, click=click.id
        )

    async def _once_more(self, click: StoredClick, person: Person, record: JobRecord) -> Message | None:
        needs(person, Role.OPERATOR, "ask for a job")
        if record.state not in FINAL:
            raise Refused(f"Job {record.number} is not over yet.")
        if record.successor is not None:
            raise Answered(
                brief(
                    say("Job {n} was asked again as job {next}.", n=record.number, next=record.successor),
                    *at_card(await self.store.job(record.successor)),
                )
            )
        operation = self.engine.operations[record.operation]
        reason = record.reason
        if click.action == "ask_again":
            # Asked again, the way back is a move like any other: the moment it undid may be long ago.
            earlier = msgspec.structs.replace(operation.rest(record.plan, record.done), back=False)
            if operation.renew is not None:
                plan = await operation.renew(earlier, self.facts, self.approval)
            else:
                plan = await operation.replan(earlier, self.facts, self.approval, NOBODY)
        else:
            late = self.store.clock() - (record.finished_at or 0) > story.MOVE_BACK_S
            if operation.reverse is None or late or record.back_closed:
                raise Refused("It is too late for Move back.", "Ask for the way back as a move of its own.")
            plan = await operation.reverse(record.plan, self.facts, self.approval)
            # Why it went is no reason why it comes back; that someone gave one still counts for breaking glass.
            reason = f"way back of job {record.number}" if record.reason else ""
        answer, new = await self.proposals.propose(
            plan, person, record.channel, reason, after=record.number, click=click.id
        )
        if new is None:
            await self.store.refuse_click(click.id, record.number)
        else:
            await self.store.annotate(record.number, {}, story=self._card)
        return answer

    async def _busy(self, busy: Held) -> Message:
        look, stop = Code(f"/xen job {busy.job}"), Code(f"/xen cancel {busy.job}")
        ends = say("Wait until it ends ({look}) or cancel it ({stop}).", look=look, stop=stop)
        if busy.stuck:
            close = Code(f"/xen resolve {busy.job}")
            ends = say("{look} tells what is known; an admin closes it with {close}.", look=look, close=close)
        return brief(say("{why}", why=Quote(busy.message)), ends, *at_card(await self.store.job(busy.job)))

    async def _refuse(self, click: StoredClick, number: int, refusal: Exception) -> None:
        record = await self.store.job(number)
        await self.store.refuse_click(click.id, number)
        detail = {"action": click.action, "job": number, "why": str(refusal)}
        target = (record.plan.targets[0].uuid, record.plan.targets[0].name)
        await self.store.note(Note(Tag.CLICK_REFUSED, click.team, click.person, msgspec.to_builtins(detail)), target)
        log.info("click_refused", job=number, action=click.action, why=str(refusal))
