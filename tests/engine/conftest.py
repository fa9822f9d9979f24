from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_bench import Bench, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def bench(tmp_path: Path, world: World) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()
