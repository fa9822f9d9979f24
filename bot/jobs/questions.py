"""Asking back: which of several objects was meant, whether named or left out, or whether one of the nearest was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bot.commands import Command
from bot.domain.message import Facts, Message, Option, Part, Select, Small, Verdict
from bot.domain.policy import Person
from bot.domain.texts import Code, Phrase, Quote, many, plain, say
from bot.errors import Ambiguous, Candidate, NotFound, Unnamed
from bot.operations.backed_up import KIND
from bot.operations.lookalike import spellings
from bot.store import Store

# Slack takes no longer value in a menu; it holds our opaque id besides the name.
_LONGEST_NAME = 120
# Two of them, the start of a UUID and what stands between fit a label of a menu.
_PART = 30
# Where the names of a kind are to be read, for a person who has none that is near.
_LISTED: Final = {
    "guest": "`/xen vms` lists the guests.",
    "host": "`/xen status` lists the hosts.",
    "pool": "`/xen status` lists the pools.",
    KIND: "`/xen backups` lists the backups; `/xen backup <vm>` makes one.",
    "object": "`/xen vms` lists the guests, `/xen status` the pools and hosts.",
    "pool, host or guest": "`/xen vms` lists the guests, `/xen status` the pools and hosts.",
    "SR": "`/xen sr-check` without a name lets you choose from all.",
}


class Questions:
    """Keeps the command as it was written until its person has chosen."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def which(self, command: Command, written: Mapping[str, str], person: Person, several: Ambiguous) -> Message:
        """The candidates in a menu."""
        slot = slot_of(written, several.name)
        they = say("people") if several.kind == "person" else say("{kind}s", kind=several.kind)
        line = say(
            "{n} {they} are called “{name}”. Which one is {command} for?",
            n=len(several.candidates),
            they=they,
            name=several.name,
            command=_asked(command),
        )
        hint = say("Or write its UUID instead of the name, for example {uuid}.", uuid=Code(several.candidates[0].uuid))
        return await self._choice(command, written, person, slot, several.candidates, (line, hint))

    async def unnamed(self, command: Command, written: Mapping[str, str], person: Person, left: Unnamed) -> Message:
        """All that could have been named, in a menu."""
        line = say(
            "There are {n} {kind}s, and none was named. Which one is {command} for?",
            n=len(left.candidates),
            kind=left.kind,
            command=_asked(command),
        )
        hint = say("{fix}", fix=Quote(left.fix))
        return await self._choice(command, written, person, left.slot, left.candidates, (line, hint))

    async def _choice(
        self,
        command: Command,
        written: Mapping[str, str],
        person: Person,
        slot: str,
        candidates: Sequence[Candidate],
        says: tuple[Phrase, Phrase],
    ) -> Message:
        pick = await self._store.keep_pick(person.id, command.word, dict(written), slot)
        options = tuple(
            Option(label=_told_apart(one), value=f"{pick}:{one.uuid}", note=plain(one.where)) for one in candidates
        )
        line, hint = says
        return Message(line, (Verdict(line), Select("Choose one", "pick", options), Small(hint)))

    async def nearest(
        self,
        command: Command,
        written: Mapping[str, str],
        person: Person,
        none: NotFound,
        lacking: tuple[Phrase, ...] = (),
    ) -> Message:
        """The nearest names in a menu, and what is `lacking`. Raises NotFound again where there is nothing to offer."""
        names = [name for name in none.nearest if len(name) <= _LONGEST_NAME]
        if not names or not _slots(written, none.name):
            if lacking:
                line = say("{what}", what=Quote(none.message))
                return Message(line, (Verdict(line), Facts(lacking)))
            raise NotFound(none.kind, none.name, none.nearest, none.fix or _LISTED.get(none.kind, "")) from none
        slot = next(iter(_slots(written, none.name)))
        pick = await self._store.keep_pick(person.id, command.word, dict(written), slot)
        line = say(
            "There is no {kind} called “{name}”. Nearest: {names}", kind=none.kind, name=none.name, names=many(names)
        )
        options = tuple(Option(label=plain(name), value=f"{pick}:{name}") for name in names)
        parts: list[Part] = [Verdict(line, (_asked(command),)), Select("Did you mean", "pick", options)]
        parts += [Facts(lacking)] if lacking else []
        if none.fix and not lacking:
            parts.append(Small(say("{fix}", fix=Quote(none.fix))))
        return Message(line, tuple(parts))


def _asked(command: Command) -> Phrase:
    """The command that waits for the answer: whoever has typed several must see which one asks back."""
    return say("{command}", command=Code(f"/xen {command.word}"))


def _told_apart(one: Candidate) -> str:
    """A label of at most 75 characters that differs for two of one name, since not every client shows the note."""
    return f"{one.name[:_PART]} · {one.where[:_PART]} · {one.uuid[:8]}"


def slot_of(written: Mapping[str, str], name: str) -> str:
    """The argument that was written so, the first one where none was."""
    return next(iter(_slots(written, name)), next(iter(written), ""))


def _slots(written: Mapping[str, str], name: str) -> list[str]:
    """The arguments that were written so."""
    return [slot for slot, text in written.items() if name in spellings(text)]
