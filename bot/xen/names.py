"""From what a person typed to one object: exact before similar, and never a guess between two.

Names are Unicode and hostile. They are compared as they are, then as Slack escapes them (`&lt;`), then in NFC (macOS
types decomposed letters), then in NFKC without case (full-width letters from Japanese keyboards), then by their
beginning.
"""

from __future__ import annotations

import difflib
import html
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from bot.errors import Ambiguous, Candidate, NotFound
from bot.operations.lookalike import folded

_T = TypeVar("_T")
SHORTEST_PREFIX: Final = 3
_NEAREST: Final = 3
#: `difflib` takes some 20 µs per pair; among more names, only those that share most letter pairs are compared.
_COMPARED: Final = 200


class Named(NamedTuple, Generic[_T]):
    """One object to be found; `where` tells it from others of the same name."""

    uuid: str
    names: tuple[str, ...]
    where: str
    value: _T


class Names(Generic[_T]):
    """The objects of one kind ("guest", "host", "pool"), for looking them up by name, UUID or unique beginning."""

    def __init__(self, kind: str, objects: Iterable[Named[_T]]) -> None:
        self._kind = kind
        self._objects = tuple(objects)
        self._by: dict[Callable[[str], str], dict[str, list[Named[_T]]]] = {}
        self._by_uuid = {item.uuid.lower(): item for item in self._objects if item.uuid}

    def find(self, text: str) -> _T:
        """The one object meant. Raises NotFound, Ambiguous."""
        found = self._find(text.strip())
        if not found:
            raise NotFound(self._kind, text, self.nearest(text))
        if len(found) > 1:
            candidates = [Candidate(item.uuid, item.names[0], item.where) for item in found]
            raise Ambiguous(self._kind, text, candidates)
        return found[0].value

    def nearest(self, text: str) -> tuple[str, ...]:
        """Up to three names that look like the text, best first, each once."""
        wanted = folded(html.unescape(text))
        shown: dict[str, str] = {}
        for item in self._objects:
            for name in item.names:
                shown.setdefault(folded(name), name)
        pool: Sequence[str] = list(shown)
        if len(pool) > _COMPARED:
            pairs = _pairs(wanted)
            pool = sorted(pool, key=lambda name: -len(pairs & _pairs(name)))[:_COMPARED]
        # A beginning too short to stand for a name is still the best hint at which one is meant.
        begun = sorted(name for name in shown if wanted and name.startswith(wanted))[:_NEAREST]
        close = difflib.get_close_matches(wanted, pool, _NEAREST)
        return tuple(shown[name] for name in dict.fromkeys((*begun, *close)))[:_NEAREST]

    def _find(self, text: str) -> list[Named[_T]]:
        by_uuid = self._by_uuid.get(text.lower())
        if by_uuid is not None:
            return [by_uuid]
        plain = html.unescape(text)
        for form in _FORMS:
            known = self._known(form)
            for spelling in dict.fromkeys((text, plain)):
                found = known.get(form(spelling))
                if found:
                    return found
        return self._beginning(folded(plain))

    def _known(self, form: Callable[[str], str]) -> dict[str, list[Named[_T]]]:
        """The objects by one form of their names, made when first needed: most look-ups end with the first form."""
        known = self._by.get(form)
        if known is None:
            known = self._by[form] = {}
            for item in self._objects:
                for name in {form(name) for name in item.names}:
                    known.setdefault(name, []).append(item)
        return known

    def _beginning(self, start: str) -> list[Named[_T]]:
        if len(start) < SHORTEST_PREFIX:
            return []
        return [
            item
            for item in self._objects
            if item.uuid.lower().startswith(start) or any(folded(name).startswith(start) for name in item.names)
        ]


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@lru_cache(maxsize=32_768)
def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[place : place + 2] for place in range(len(text) - 1))


_FORMS: Final[tuple[Callable[[str], str], ...]] = (str, _nfc, folded)
