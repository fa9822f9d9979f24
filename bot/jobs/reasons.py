"""Why somebody decided so: asked for after a denial, and before glass is broken.

A denial is stored and counts the moment its button is pressed, and only then is its reason asked for: whatever becomes
of the dialogue, nobody's no gets lost in it. Breaking glass needs its reason, so there the dialogue comes first.
"""

from __future__ import annotations

from bot.domain.audit import Tag
from bot.domain.job import JobState
from bot.domain.message import Facts, Mark, Message, Verdict
from bot.domain.policy import Role
from bot.domain.record import JobRecord
from bot.domain.texts import say
from bot.domain.words import state_word
from bot.errors import NotAllowed, NotFound, Refused
from bot.jobs import deciding, story
from bot.jobs.claims import brief, needs
from bot.jobs.in_words import in_words
from bot.jobs.ports import Asking, Directory, Sender
from bot.operations.base import Operations
from bot.store import Note, Outgoing, Store


class Reasons:
    """Implements `bot.jobs.ports.ReasonDesk`."""

    def __init__(self, store: Store, directory: Directory, operations: Operations) -> None:
        self._store = store
        self._directory = directory
        self._operations = operations

    async def after(self, sender: Sender, click_id: int) -> Asking | None:
        """The question why a job was denied, for the person whose click did it."""
        return await in_words(self._after(sender, click_id), self._directory)

    async def _after(self, sender: Sender, click_id: int) -> Asking | None:
        click = await self._store.click(click_id)
        if (click.action, click.verdict, click.person) != ("deny", "counted", sender.user) or click.job is None:
            return None
        record = await self._store.job(click.job)
        line = say("Denied: {title}, job {n}", title=record.plan.title, n=record.number)
        more = say("It is denied already. A reason helps whoever asked for it; it is shown on the card.")
        return Asking(
            title="Denied",
            line=Message(line, (Verdict(line, mark=Mark.REFUSED), Facts((more,)))),
            label="Why",
            required=False,
            key=str(click.id),
            submit="Say why",
            close="No reason",
        )

    async def explain(self, sender: Sender, key: str, reason: str) -> Message:
        """Adds the reason to the denial: on the card, in the thread, in the audit."""
        return await in_words(self._explain(sender, key, reason), self._directory)

    async def _explain(self, sender: Sender, key: str, reason: str) -> Message:
        click = await self._store.click(int(key))
        if (click.action, click.team, click.person) != ("deny", sender.team, sender.user) or click.job is None:
            raise NotAllowed("Only who denied a job says why.")
        # Whoever has left since says nothing more here.
        person = await self._directory.person(sender.team, sender.user)

        def told(record: JobRecord) -> list[Outgoing]:
            card = story.card(record, self._operations[record.operation])
            return [Outgoing("card", card), story.reply(deciding.explanation(record, person.id, reason))]

        note = Note(Tag.JOB_DENIAL_EXPLAINED, person.team, person.id, {"reason": reason})
        await self._store.explain(click.job, click.id, reason, note, told)
        return brief(say("Told in the thread of job {n}, and shown on its card.", n=click.job))

    async def glass(self, sender: Sender, target: str) -> Asking:
        """The question why a job cannot wait for its approval, for a person who may break glass."""
        return await in_words(self._glass(sender, target), self._directory)

    async def _glass(self, sender: Sender, target: str) -> Asking:
        number = await self._store.job_of(story.job_behind(target))
        if number is None:
            raise NotFound("job", "behind this button", fix="`/xen jobs` lists the newest ones.")
        try:
            person = await self._directory.person(sender.team, sender.user)
            needs(person, Role.BREAK_GLASS, "run a job without approval")
            needs(person, Role.OPERATOR, "run a job without approval")
        except NotAllowed as refusal:
            detail = {"action": "break_glass", "job": number, "why": refusal.message}
            await self._store.note(Note(Tag.CLICK_REFUSED, sender.team, sender.user, detail))
            raise
        record = await self._store.job(number)
        if record.state is not JobState.AWAITING_APPROVAL:
            raise Refused(f"Nothing was changed: job {number} is {state_word(record.state)} already.")
        line = say("Run it without approval: {title}, job {n}", title=record.plan.title, n=number)
        warning = say("Everyone who could have approved it is told at once, and it is audited.")
        return Asking(
            title="Break glass",
            line=Message(line, (Verdict(line, mark=Mark.ATTENTION), Facts((warning,)))),
            label="Why it cannot wait",
            required=True,
            key=target,
            submit="Break glass",
            close="Back",
        )
