"""A pool that complains without end fills no channel, and no complaint is lost for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.domain.inventory import Alert, FeedState
from bot.domain.message import Button, Choices, Message
from bot.domain.plain_text import text_of
from bot.jobs.alerts import MOST_POSTS, WITHIN_S, AlertWatch, message
from bot.store import Store

#: A pool shows so many, the newest.
SHOWN = 50


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Storm:
    """A pool, and a guest more that crashes whenever it is asked to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.alerts: tuple[Alert, ...] = ()

    def pools(self) -> tuple[Any, ...]:
        pool = SimpleNamespace(uuid="p1", name="experiment")
        view = SimpleNamespace(
            name="experiment", state=FeedState.LIVE, pool=pool, hosts=(), vms=(), srs=(), alerts=self.alerts[:SHOWN]
        )
        return (view,)

    def complain(self, name: str = "VM_CRASHED", priority: int = 2) -> None:
        number = len(self.alerts)
        self.alerts = (Alert(self.clock.now, name, priority, f"vm-{number}", "", f"a-{number}"), *self.alerts)


def buttons(shown: Message) -> list[Button]:
    return [button for part in shown.parts if isinstance(part, Choices) for button in part.buttons]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    store = Store(tmp_path / "xenbot.sqlite", clock=clock)
    await store.open()
    yield store
    await store.close()


async def test_a_storm_of_complaints_is_told_in_few_messages_and_all_of_it(store: Store, clock: Clock) -> None:
    storm = Storm(clock)
    watch = AlertWatch(store, storm, "C1")  # type: ignore[arg-type]  # as much of a fleet as is asked
    for _ in range(100):
        storm.complain()
        await watch.look()
        clock.now += 5.0
    posts = await store.due(1000)
    assert len(posts) == MOST_POSTS
    clock.now += WITHIN_S
    await watch.look()
    (last,) = (await store.due(1000))[MOST_POSTS:]
    assert f"{100 - MOST_POSTS} alerts" in text_of(last.message)
    # When it is over, the next one is told at once again.
    storm.complain()
    await watch.look()
    assert len(await store.due(1000)) == MOST_POSTS + 2


async def test_what_is_critical_and_new_does_not_wait_for_the_end_of_a_storm(store: Store, clock: Clock) -> None:
    storm = Storm(clock)
    watch = AlertWatch(store, storm, "C1")  # type: ignore[arg-type]  # as above
    for _ in range(20):
        storm.complain()
        await watch.look()
        clock.now += 5.0
    storm.complain("HA_HOST_FAILED", 1)
    await watch.look()
    assert len(posts := await store.due(1000)) == MOST_POSTS + 1
    assert "HA counts the host as failed" in text_of(posts[-1].message)


@pytest.mark.parametrize("name", ["VM_CRASHED on pool for 90d", "vm_crashed", "VM_CRASHED\non x", "“VM_CRASHED”", ""])
def test_an_alert_whose_code_is_no_word_has_no_button_that_would_mute_something_else(clock: Clock, name: str) -> None:
    storm = Storm(clock)
    storm.complain()
    (view,) = storm.pools()
    assert any(button.label == "Mute for a day" for button in buttons(message(view, storm.alerts)))
    strange = Alert(clock.now, name, 2, "vm-1", "", "a-1")
    assert [button.target for button in buttons(message(view, [strange])) if "mute" in button.target] == []
    assert "/xen mute" not in text_of(message(view, [strange]))
