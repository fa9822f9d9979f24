"""What changed between two checks of a pool: what is new, what is worse, and what is gone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.health import Checkup, Finding, HealthFacts
from bot.domain.inventory import PoolView
from bot.domain.message import Button, Checks, Choices, Facts, Mark, Message, Part, Small, Verdict
from bot.domain.plan import WEIGHT, Grade
from bot.domain.texts import Code, Moment, Phrase, Value, many, say
from bot.operations import overview
from bot.operations.health import report
from bot.operations.health.row import Item, Row
from bot.operations.health.untold import checks

_SHOWN = 4
_GONE_SHOWN = 8
#: A check of a moment ago tells nothing that the answer itself does not.
_WORTH_S = 600.0
#: What nobody complained of for a day is not over for that: the row only looks a day back.
_FADING = frozenset({"alert"})


class News(msgspec.Struct, frozen=True):
    """The differences: what there is now, and the sentences of what is over."""

    new: tuple[Item, ...]
    worse: tuple[Item, ...]
    gone: tuple[Phrase, ...]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.new or self.worse or self.gone)


def findings(found: Sequence[Row]) -> dict[str, Finding]:
    """Everything that is not fine, by its lasting name."""
    return {item.id: Finding(item.says, item.grade) for row in found for item in row.items}


def compare(found: Sequence[Row], then: Checkup) -> News:
    """What changed since an earlier check. What could not be looked at now is not called gone."""
    items = {item.id: item for row in found for item in row.items}
    earlier = then.items
    blind = {_subject(item.id) for item in items.values() if item.grade is Grade.UNKNOWN} | _FADING
    # Of a host that is away, or takes no guests, nobody is told what its loss would mean: that is not known to be over.
    if any(row.key in {"live", "enabled"} and row.items for row in found):
        blind.add("spare")
    new = [item for name, item in items.items() if name not in earlier]
    both = [item for name, item in items.items() if name in earlier]
    return News(
        new=tuple(new),
        worse=tuple(item for item in both if WEIGHT[item.grade] > WEIGHT[earlier[item.id].grade]),
        gone=tuple(
            was.says
            for name, was in earlier.items()
            # Where nothing could be told, and now it can, nothing was wrong that is over.
            if name not in items and was.grade is not Grade.UNKNOWN and _subject(name) not in blind
        ),
    )


def _subject(name: str) -> str:
    return name.partition(":")[0]


def since(found: Sequence[Row], then: Checkup | None, now: float) -> tuple[list[Row], list[Phrase]]:
    """What changed since an earlier check: the rows, marked so, and lines; no lines without one worth comparing with.

    In its row each finding that is new or worse is marked and stands before its equals; a line names that row alone.
    """
    if then is None or now - then.at < _WORTH_S:
        return list(found), []
    news = compare(found, then)
    return _marked(found, news), _lines(found, news, Moment(then.at))


def _lines(found: Sequence[Row], news: News, at: Moment) -> list[Phrase]:
    if not news:
        return [say("Nothing new since {at}.", at=at)]
    told = (
        (say("New since {at}", at=at), _titles(found, news.new)),
        (say("Worse since {at}", at=at), _titles(found, news.worse)),
        (say("No longer so, compared with {at}", at=at), list(news.gone)),
    )
    return [say("{words}: {all}", words=words, all=many(_first(lines, _SHOWN))) for words, lines in told if lines]


def _marked(found: Sequence[Row], news: News) -> list[Row]:
    said, rows = _said(news), []
    for row in found:
        ordered = sorted(row.items, key=lambda item: item.id not in said)
        told_as = tuple(msgspec.structs.replace(item, says=said.get(item.id, item.says)) for item in ordered)
        rows.append(msgspec.structs.replace(row, items=told_as))
    return rows


def _said(news: News) -> dict[str, Phrase]:
    said = {item.id: say("new: {what}", what=item.says) for item in news.new}
    return said | {item.id: say("worse: {what}", what=item.says) for item in news.worse}


def _titles(found: Sequence[Row], items: Sequence[Item]) -> list[Phrase]:
    names = {item.id for item in items}
    return [say("{title}", title=row.title) for row in found if any(item.id in names for item in row.items)]


def _first(lines: Sequence[Phrase], most: int) -> list[Phrase]:
    more = [say("and {n} more", n=len(lines) - most)] if len(lines) > most else []
    return [*lines[:most], *more]


def told(facts: HealthFacts, found: Sequence[Row], then: Checkup | None, number: int) -> Message | None:
    """What schedule `number` posts: the changes alone, each with what to do; None where nothing changed.

    Its first look tells everything that is not fine.
    """
    news = compare(found, then or Checkup(0.0, {}))
    if not news:
        return None
    amiss = _changed(found, news, first=then is None)
    headline = say("{pool}: {verdict}", pool=facts.pool.name, verdict=report.verdict(found))
    counts = ((len(news.new), "{n} new"), (len(news.worse), "{n} worse"), (len(news.gone), "{n} gone"))
    beside = [say("first look")] if then is None else [say(words, n=n) for n, words in counts if n]
    parts: list[Part] = [Verdict(headline, tuple(beside), report.mark(found))]
    if amiss:
        parts.append(Checks(checks(amiss)))
    if news.gone:
        parts.append(Facts((say("No longer so: {all}", all=many(_first(news.gone, _GONE_SHOWN))),)))
    parts += report.buttons(facts, amiss, whole=False)
    of: Value = Code(str(number))
    parts.append(
        Small(say("Schedule {n} tells from now on what changes.", n=of))
        if then is None
        else Small(say("Schedule {n}: what changed since {at}.", n=of, at=Moment(then.at)))
    )
    return Message(headline, tuple(parts))


def _changed(found: Sequence[Row], news: News, *, first: bool) -> list[Row]:
    """The rows with something new or worse, and in them that alone."""
    said = {} if first else _said(news)
    shown = {item.id for item in (*news.new, *news.worse)}
    rows = []
    for row in found:
        items = [item for item in row.items if item.id in shown]
        if items:
            told_as = tuple(msgspec.structs.replace(item, says=said.get(item.id, item.says)) for item in items)
            rows.append(msgspec.structs.replace(row, items=told_as))
    return rows


def not_looked(name: str, number: int, *, view: PoolView | None, why: Phrase | None = None) -> Message:
    """What a schedule posts of a pool that it could not check; `view` is None for one that is configured no more."""
    headline = say("{pool} was not checked", pool=name)
    lines = [why] if why is not None else []
    if view is None:
        lines.append(say("No pool of that name is configured now: {how}.", how=Code(f"/xen schedule remove {number}")))
    else:
        lines += overview.doubts(view)
    parts: list[Part] = [Verdict(headline, (say("nothing is known to be well or wrong"),), Mark.ATTENTION)]
    parts.append(Facts(tuple(lines)))
    if view is not None:
        where = view.pool.uuid if view.pool is not None else view.name
        parts.append(Choices((Button("Status", "ask", f"status {where}"),)))
    parts.append(Small(say("Schedule {n} looks again when it is due next.", n=Code(str(number)))))
    return Message(headline, tuple(parts))
