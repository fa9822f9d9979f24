"""One row of the check: a subject, what was found wrong with it object by object, and what to do."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec

from bot.domain.message import Button
from bot.domain.plan import WEIGHT, Check, Grade
from bot.domain.texts import Phrase, clean, say
from bot.domain.words import counted

_SHOWN = 3
# Two of them, and what stands between, fit the label of a button.
_ON_BUTTON = 30


class Item(msgspec.Struct, frozen=True):
    """One thing that is wrong. `id` names it the same way tomorrow, so that new and gone can be told apart.

    `button` asks for what would mend it. `silent` are the hosts that do not answer, where that alone is why nobody can
    tell.
    """

    id: str
    says: Phrase
    grade: Grade = Grade.WARNING
    button: Button | None = None
    silent: tuple[str, ...] = ()


class Row(msgspec.Struct, frozen=True):
    """A subject of the check. `well` is what is true where nothing is wrong; `fix` what to do otherwise."""

    key: str
    title: str
    items: tuple[Item, ...]
    well: Phrase
    fix: Phrase | None = None

    @property
    def grade(self) -> Grade:
        """The worst of what was found."""
        return max((item.grade for item in self.items), key=WEIGHT.__getitem__, default=Grade.OK)

    def check(self) -> Check:
        """The row as a check: the worst items named, the others counted."""
        if not self.items:
            return Check(self.key, Grade.OK, self.title, self.well)
        ordered = sorted(self.items, key=lambda item: -WEIGHT[item.grade])
        shown = [item.says for item in ordered[:_SHOWN]]
        left = len(ordered) - len(shown)
        if left:
            shown.append(say("and {n}", n=counted(left, "more", "more")))
        # What mends a fault is no advice where nobody knows of one.
        fix = self.fix if any(item.grade is not Grade.UNKNOWN for item in self.items) else None
        return Check(self.key, self.grade, self.title, functools.reduce(_beside, shown), fix)


def on_button(name: str) -> str:
    """A name as it stands on a button that mends one of several things: nobody presses a button without an object."""
    return clean(name, limit=_ON_BUTTON)


def _beside(one: Phrase, other: Phrase) -> Phrase:
    return say("{one}; {other}", one=one, other=other)


def row(key: str, title: str, items: Iterable[Item], well: Phrase, fix: Phrase | None = None) -> Row:
    """The row of what was found."""
    return Row(key, title, tuple(items), well, fix)
