from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from copy_bench import Copies, CopyBench
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


@pytest.fixture
async def copies(tmp_path: Path, world: Copies) -> AsyncIterator[CopyBench]:
    bench = CopyBench(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()
