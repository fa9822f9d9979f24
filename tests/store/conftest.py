"""A store, and a bench for the keeper of backups, on the first day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from keeper_bench import Bench, Clock

from bot.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "xenbot.sqlite")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = Clock()
    store = Store(tmp_path / "xenbot.sqlite", clock=clock)
    await store.open()
    made = Bench(tmp_path, store, clock)
    # The first day begins.
    await made.round()
    yield made
    await store.close()
