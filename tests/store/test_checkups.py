from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.health import Finding
from bot.domain.plan import Grade
from bot.domain.texts import plain, say
from bot.operations.health import news
from bot.operations.health.row import Item, Row, row
from bot.store import Store

DAY_S = 86_400.0
HOUR_S = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 100 * DAY_S

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    store = Store(tmp_path / "store.db", clock)
    await store.open()
    yield store
    await store.close()


async def test_the_check_of_yesterday_is_remembered_and_one_of_last_week_is_forgotten(
    store: Store, clock: Clock
) -> None:
    assert await store.checkup("p-1", clock.now) is None
    for hour in range(30):
        await store.keep_checkup("p-1", {f"item-{hour}": Finding(say("thing {n}", n=hour), Grade.WARNING)})
        clock.now += HOUR_S
    found = await store.checkup("p-1", clock.now - DAY_S)
    assert found is not None
    assert found.items == {"item-6": Finding(say("thing {n}", n=6), Grade.WARNING)}
    assert await store.checkup("p-2", clock.now) is None, "each pool has its own"
    oldest = await store.checkup("p-1", 0.0)
    assert oldest is not None
    assert "item-0" in oldest.items, "a young store compares with the first check there is"
    clock.now += 10 * DAY_S
    await store.keep_checkup("p-1", {})
    oldest = await store.checkup("p-1", 0.0)
    assert oldest is not None
    assert oldest.items == {}


async def test_what_is_new_and_what_is_gone_is_told_and_nothing_is_told_as_well(store: Store, clock: Clock) -> None:
    full = row("space", "Storage space", [Item("space:sr-1", say("san is full"), Grade.BLOCKED)], say("fine"))
    quiet = row("space", "Storage space", [], say("fine"))
    lost = row("plugs", "Storage attached", [Item("plug:1", say("nas is off"))], say("fine"))
    await store.keep_checkup("p-1", news.findings([full]))
    clock.now += DAY_S
    then = await store.checkup("p-1", clock.now - DAY_S)
    told = [plain(line).split(": ", 1) for line in news.since([quiet, lost], then, clock.now)[1]]
    assert [(line[0].split(" since")[0].split(",")[0], line[1]) for line in told] == [
        ("New", "Storage attached"),
        ("No longer so", "san is full"),
    ]
    assert [plain(line)[:17] for line in news.since([full], then, clock.now)[1]] == ["Nothing new since"]
    assert news.since([full], then, clock.now - DAY_S + 60) == ([full], []), "a check of a minute ago is no yesterday"


async def test_what_a_lost_host_would_leave_without_a_place_is_not_gone_while_a_host_is_away(
    store: Store, clock: Clock
) -> None:
    tight = row("spare", "Room for a lost host", [Item("spare:h-1", say("if a fails, db1 would fit nowhere"))], say(""))
    unasked = row("spare", "Room for a lost host", [], say(""))
    away = row("live", "Hosts live", [Item("live:h-3", say("b is silent"), Grade.BLOCKED)], say(""))
    await store.keep_checkup("p-1", news.findings([tight]))
    clock.now += DAY_S
    then = await store.checkup("p-1", clock.now - DAY_S)
    told = [plain(line).split(": ", 1)[1] for line in news.since([away, unasked], then, clock.now)[1]]
    assert told == ["Hosts live"]
    [gone] = news.since([unasked], then, clock.now)[1]
    assert plain(gone).endswith("if a fails, db1 would fit nowhere"), "with every host there it is known to be over"


async def test_worse_is_told_and_what_could_not_be_looked_at_or_only_faded_is_not_called_gone(
    store: Store, clock: Clock
) -> None:
    def pool(*, full: Grade, clocks: list[Item], alerts: list[Item]) -> list[Row]:
        return [
            row("space", "Storage space", [Item("space:sr-1", say("san is full"), full)], say("")),
            row("clocks", "Clocks", clocks, say("")),
            row("alerts", "Alerts", alerts, say("")),
        ]

    ahead = Item("clock:h-3", say("b is ahead"))
    mute = Item("clock:unknown:h-3", say("b did not tell its time"), Grade.UNKNOWN)
    cable = Item("alert:PIF_LINK", say("a cable was out"))
    first = pool(full=Grade.WARNING, clocks=[ahead], alerts=[cable])
    await store.keep_checkup("p-1", news.findings(first))
    clock.now += DAY_S
    then = await store.checkup("p-1", clock.now)
    assert then is not None
    changes = news.compare(pool(full=Grade.BLOCKED, clocks=[mute], alerts=[]), then)
    assert [item.id for item in changes.worse] == ["space:sr-1"]
    assert [item.id for item in changes.new] == ["clock:unknown:h-3"]
    assert changes.gone == ()
    assert not news.compare(pool(full=Grade.WARNING, clocks=[ahead], alerts=[]), then)
    changes = news.compare(pool(full=Grade.WARNING, clocks=[], alerts=[cable]), then)
    assert [plain(line) for line in changes.gone] == ["b is ahead"]
