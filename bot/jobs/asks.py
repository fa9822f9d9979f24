"""Buttons that type for their person: words too long for the value of a button are kept here, under an opaque id.

Short words go with the button: they may be read by anybody and decide nothing, since whoever presses them is judged as
if they had been typed, and so they work for ever. What is kept works for an hour.
"""

from __future__ import annotations

from typing import Final

import msgspec

from bot.domain.message import Button, Choices, Message, Part
from bot.errors import Refused
from bot.store import Store

#: Far below the 2,000 characters of a value, however its text is counted.
LONGEST: Final = 300
_KEPT: Final = "~"


class Asks:
    """Keeps the words of buttons."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def bounded(self, message: Message, person: str) -> Message:
        """The message with an id in place of all words that are too long for a button."""
        parts = [await self._part(part, person) for part in message.parts]
        return msgspec.structs.replace(message, parts=tuple(parts))

    async def words(self, target: str) -> str:
        """What a button types. Raises Refused when it was kept, and that is too long ago."""
        if not target.startswith(_KEPT):
            return target
        kept = await self._store.pick(target.removeprefix(_KEPT))
        if kept is None:
            raise Refused("This button is no longer open.", "Type the command again.")
        return kept.written["words"]

    async def _part(self, part: Part, person: str) -> Part:
        if not isinstance(part, Choices):
            return part
        return Choices(tuple([await self._button(button, person) for button in part.buttons]))

    async def _button(self, button: Button, person: str) -> Button:
        if button.action != "ask" or len(button.target) <= LONGEST:
            return button
        identity = await self._store.keep_pick(person, "", {"words": button.target}, "")
        return msgspec.structs.replace(button, target=f"{_KEPT}{identity}")
