"""Exports and imports with everything verified, beside curl, which verifies nothing: one server for both, in turns.

The server sends out of memory, so that nothing but the receiver and its disk counts. Every run of ours has a run of
curl beside it; a ratio is curl's time over ours, the median of the pairs and their range.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from archive_making import write_archive
from measuring import FOLDER, StoryLab, quantile, story_lab, table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
ROUNDS = int(os.environ.get("XENBOT_BENCH_ROUNDS", "5"))
MEMORY = Path("/dev/shm")  # noqa: S108  a file system in memory is the point
GIB = 1 << 30
MIB = 1 << 20
CURL = shutil.which("curl")
SIZES = {"2 GiB": (2, 1), "20 GiB, sparse": (20, 20)}


class Process:
    """A child that says a line and, where it is asked, answers a line with a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.first: dict[str, Any] = {}

    async def heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "a child ended"
        said: dict[str, Any] = json.loads(line)
        return said

    async def ask(self, **what: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        return await self.heard()


@asynccontextmanager
async def started(*command: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # The number of heaps as the bot's own service has it.
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1]), "MALLOC_ARENA_MAX": "2"},
        # Lags of a long run come in one line.
        limit=1 << 24,
    )
    child = Process(process)
    try:
        child.first = await child.heard()
        yield child
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Bench:
    """A server with one archive, the bot's streams in a process of their own, and curl."""

    def __init__(self, url: str, child: Process, bystander: Process, folder: Path, archive: Path) -> None:
        self._url = url
        self.child = child
        self._bystander = bystander
        self._folder = folder
        self.archive = archive
        self.size = archive.stat().st_size

    def fresh(self, count: int = 1) -> list[str]:
        """Names for new files on a quiet disk, the old ones gone."""
        for old in self._folder.iterdir():
            old.unlink()
        os.sync()
        return [str(self._folder / f"{number}.xva") for number in range(count)]

    async def ours(self, count: int = 1) -> dict[str, Any]:
        paths = self.fresh(count)
        await self._bystander.ask()
        found = await self.child.ask(do="export", paths=paths)
        found["bystander_ms"] = (await self._bystander.ask())["lag_ms"]
        assert found["sizes"] == [self.size] * count
        return found

    async def ours_out(self) -> dict[str, Any]:
        found = await self.child.ask(do="send", paths=[str(self.archive)])
        assert found["sizes"] == [self.size]
        return found

    async def curl(self, *, sync: bool) -> float:
        (path,) = self.fresh()
        begun = time.perf_counter()
        await self._curl("-o", path, f"{self._url}/export?x")
        if sync:
            await asyncio.to_thread(_sync, path)
        took = time.perf_counter() - begun
        assert os.stat(path).st_size == self.size  # noqa: PTH116  a look that nobody waits for
        return took

    async def curl_out(self) -> float:
        begun = time.perf_counter()
        # Without that word it would wait a second for a leave that such a server does not give.
        await self._curl("-H", "Expect:", "-T", str(self.archive), f"{self._url}/import?x")
        return time.perf_counter() - begun

    async def _curl(self, *words: str) -> None:
        assert CURL is not None
        process = await asyncio.create_subprocess_exec(CURL, "-sSk", *words)
        assert await process.wait() == 0


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@asynccontextmanager
async def bench(lab: StoryLab, data: Path, scheme: str, archive: Path, folder: Path) -> AsyncIterator[Bench]:
    host = lab.info["hosts"]["xenserver1"]
    address = host["https"].partition("://")[2].rpartition(":")[0]
    pem = str(data / f"xapi-{address}.pem") if scheme == "https" else ""
    settings = {"address": address, "pem": pem, "behind": host["http"], "archive": str(archive)}
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(started(str(FOLDER / "peer.py"), json.dumps(settings)))
        port = peer.first["port"]
        listed = {"address": address, "port": port, "scheme": scheme, "fingerprint": host.get("fingerprint", "")}
        pool = {"name": "experiment", "hosts": [listed], "insecure": True}
        given = {"pool": pool, "password": lab.info["password"], "vm": "centos54", "sr": "nfs-vhd"}
        child = await stack.enter_async_context(started(str(FOLDER / "children.py"), "streams", json.dumps(given)))
        idle = await stack.enter_async_context(started(str(FOLDER / "children.py"), "bystander", "{}"))
        yield Bench(f"{scheme}://{address}:{port}", child, idle, folder, archive)


def _is_roomy(folder: Path, gib: int) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > gib * GIB


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[tuple[StoryLab, Path]]:
    if CURL is None:
        pytest.skip("there is no curl to compare with")
    if not _is_roomy(MEMORY, 4) or not _is_roomy(tmp_path, 12):
        pytest.skip("there is no room for archives of 2 GiB in memory, and for copies of them on the disk")
    data = tmp_path / "lab"
    data.mkdir()
    async with story_lab(data, "--no-bot") as started_lab:
        yield started_lab, data


@asynccontextmanager
async def archive_of(size: str) -> AsyncIterator[Path]:
    path = MEMORY / f"xenbot-bench-{os.getpid()}.xva"
    try:
        await asyncio.to_thread(write_archive, path, *SIZES[size])
        yield path
    finally:
        path.unlink(missing_ok=True)


def paired(theirs: Sequence[float], ours: Sequence[float]) -> list[object]:
    """Median, least and greatest of the ratios of pairs."""
    ratios = [one / other for one, other in zip(theirs, ours, strict=True)]
    return [statistics.median(ratios), min(ratios), max(ratios)]


def row(name: str, size: int, took: Sequence[float], ratio: Sequence[object] = ("", "", "")) -> list[object]:
    return [name, statistics.median(took), min(took), max(took), size / MIB / statistics.median(took), *ratio]


HEADER = ["", "median s", "least", "most", "MiB/s", "ratio", "least", "most"]


async def test_exports_beside_curl(lab: tuple[StoryLab, Path], tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    for size in SIZES:
        async with archive_of(size) as archive:
            for scheme in ("http", "https"):
                async with bench(*lab, scheme, archive, folder) as made:
                    await _exports(made, f"Export of {size} over {scheme}: verified, hashed and on disk, beside curl")
                    if size == "2 GiB":
                        await _imports(made, f"Import of {size} over {scheme}, beside curl -T")


async def _exports(made: Bench, title: str) -> None:
    plain: list[float] = []
    synced: list[float] = []
    ours: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        plain.append(await made.curl(sync=False))
        ours.append(await made.ours())
        synced.append(await made.curl(sync=True))
    took = [one["took_s"] for one in ours]
    table(
        title,
        HEADER,
        [
            row("xenbot", made.size, took),
            row("curl -o", made.size, plain, paired(plain, took)),
            row("curl -o and fsync", made.size, synced, paired(synced, took)),
        ],
    )
    lags, idle = ([lag for one in ours for lag in one[kind]] for kind in ("lag_ms", "bystander_ms"))
    table(
        "Meanwhile",
        ["", "median", "p99", "most"],
        [
            ["event loop late, ms", quantile(lags, 0.5), quantile(lags, 0.99), max(lags)],
            ["an idle process's, ms", quantile(idle, 0.5), quantile(idle, 0.99), max(idle)],
            ["CPU, s", *(quantile([one["cpu_s"] for one in ours], share) for share in (0.5, 0.99, 1))],
            ["resident, MiB", *(quantile([one["mib"] for one in ours], share) for share in (0.5, 0.99, 1))],
            ["resident before, MiB", made.child.first["mib"], "", ""],
        ],
    )


async def _imports(made: Bench, title: str) -> None:
    theirs: list[float] = []
    ours: list[float] = []
    for _ in range(ROUNDS):
        theirs.append(await made.curl_out())
        ours.append((await made.ours_out())["took_s"])
    rows = [row("xenbot", made.size, ours), row("curl -T", made.size, theirs, paired(theirs, ours))]
    table(title, HEADER, rows)


async def test_four_exports_at_once(lab: tuple[StoryLab, Path], tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    rows: list[list[object]] = []
    async with archive_of("2 GiB") as archive:
        for scheme in ("http", "https"):
            async with bench(*lab, scheme, archive, folder) as made:
                for count in (1, 4):
                    found = await made.ours(count)
                    lags = found["lag_ms"]
                    rate = made.size * count / MIB / found["took_s"]
                    late = [quantile(lags, 0.99), quantile(found["bystander_ms"], 0.99)]
                    rows.append([f"{count} over {scheme}", found["took_s"], rate, *late, found["mib"]])
                rows.append([f"none over {scheme}", "", "", "", "", made.child.first["mib"]])
    header = ["", "s", "MiB/s", "loop late, p99 ms", "an idle process's", "resident, MiB"]
    table("Exports of 2 GiB at once", header, rows)
