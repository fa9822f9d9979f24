"""A started datacentre, and the pool `experiment` followed by the bot's own code."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from stream_front import scene
from xen_lab import EXPERIMENT, PASSWORD, following, loaded, pool_settings

from bot.lab.xapi import Datacentre

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from stream_front import Scene

    from bot.xen import Pools


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: a key per host costs more than the tests."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of a pool waits for what every host tells, however busy the machine is."""
    monkeypatch.setattr("bot.xen.health_facts._WITHIN_S", 60.0)


@pytest.fixture
async def lab(certificates: Path) -> AsyncIterator[Datacentre]:
    """The article world at fifty times its speed."""
    datacentre = Datacentre(world="article", port=0, speed=50, password=PASSWORD, certificates=certificates)
    datacentre.login_delay_s = 0.01
    await datacentre.start()
    yield datacentre
    await datacentre.stop()


@pytest.fixture
async def pools(lab: Datacentre) -> AsyncIterator[Pools]:
    """The pool `experiment`, loaded."""
    async with following(pool_settings(lab, *EXPERIMENT, name="experiment")) as started:
        await loaded(started)
        yield started


@pytest.fixture
async def on_https(lab: Datacentre) -> AsyncIterator[Scene]:
    """The pool behind fronts that answer for streams as a test says."""
    async with scene(lab) as made:
        yield made


@pytest.fixture
def no_stream_is_left() -> Iterator[None]:
    """Every stream's thread ends with its test."""
    yield
    waiting = threading.Event()
    for _ in range(500):
        if not any(thread.name.startswith("xen-stream") for thread in threading.enumerate()):
            return
        waiting.wait(0.01)
    raise AssertionError("a stream's thread goes on")


@pytest.fixture
async def both(lab: Datacentre) -> AsyncIterator[Pools]:
    """The pool and the host that fits it."""
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        yield pools
