"""Several guests, one after the other: names with blanks need no quotation marks where they are clear."""

from __future__ import annotations

from typing import Final

from bot.commands.words import Word, line_of, words_of
from bot.domain.inventory import Vm
from bot.errors import Ambiguous, NotFound, NotUnderstood
from bot.operations.lookalike import spellings
from bot.operations.ports import Fleet

#: The type of an argument that is several guests.
SEVERAL: Final = tuple[Vm, ...]


def guests(text: str, fleet: Fleet) -> tuple[Vm, ...]:
    """The guests meant, each once: the one of the whole text as its name, or of its words, the longest names first.

    Raises NotFound, Ambiguous where there is only one to choose, NotUnderstood for one of several that is unclear.
    """
    line = line_of(text)
    words = words_of(line)
    try:
        return (_guest(text, fleet),)
    except NotFound as none:
        if len(words) < 2:
            raise
        whole = none
    found: dict[str, Vm] = {}
    while words:
        vm, used = _first(line, words, fleet, whole)
        found[vm.uuid] = vm
        words = words[used:]
    return tuple(found.values())


def _first(line: str, words: list[Word], fleet: Fleet, whole: NotFound) -> tuple[Vm, int]:
    """The guest that the first words name, and how many of them."""
    refusal: NotFound | None = None
    for count in range(len(words), 0, -1):
        written = words[0].raw if count == 1 else line[words[0].start : words[count - 1].end]
        for text in dict.fromkeys((written, written.rstrip(","))):
            try:
                return _guest(text, fleet), count
            except NotFound as none:
                refusal = none
            except Ambiguous as several:
                first = several.candidates[0].uuid
                raise NotUnderstood(
                    several.message, f"Among several guests, write the UUID of the one you mean, as in `{first}`."
                ) from several
    raise refusal or whole


def _guest(text: str, fleet: Fleet) -> Vm:
    refusal: NotFound | None = None
    for spelling in spellings(text):
        try:
            return fleet.vm(spelling)
        except NotFound as none:
            refusal = refusal or none
    raise refusal or NotFound("guest", text)
