"""What is taken in is checked, hashed and on disk, or it is an error that says what to do."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_keeping import fill
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Verifier
from bot.backups.intake import Intake, Received
from bot.domain.backup import Contents
from bot.errors import Damaged, TargetFailed

PAGE = 4096
ARCHIVE = make_archive(
    Recipe(disks=(DiskSpec("Ref:7", 12 * MIB, {number: make_content(number) for number in range(12)}),))
)
SMALL = {"size": 64 * 1024, "count": 4}


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Every test ends with the threads and descriptors it began with."""
    before = _open()
    yield
    until = time.monotonic() + 60
    while (_threads() or _open() > before) and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert not _threads()
    assert _open() <= before


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("intake")]


def _open() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0


async def take_in(path: Path, archive: bytes, step: int | None = None, **sizes: int) -> Received:
    async with Intake(path, Verifier(), **(sizes or SMALL)) as intake:
        await asyncio.to_thread(fill, intake, archive, step)
        return await intake.close()


@pytest.mark.parametrize("step", [None, 1000, PAGE, 65_535])
async def test_an_archive_is_on_disk_byte_by_byte_and_its_digest_is_right(tmp_path: Path, step: int | None) -> None:
    path = tmp_path / "guest.xva"
    received = await take_in(path, ARCHIVE, step)
    assert path.read_bytes() == ARCHIVE
    assert received.size == len(ARCHIVE) == received.contents.size
    assert received.sha256 == hashlib.sha256(ARCHIVE).hexdigest()
    assert received.contents.guest.name == "web1"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_a_packed_archive_is_stored_as_it_came(tmp_path: Path, compression: str) -> None:
    packed = make_archive(Recipe(disks=(DiskSpec("Ref:7", 2 * MIB, {0: make_content(1), 1: bytes(MIB)}),)), compression)
    received = await take_in(tmp_path / "guest.xva", packed, size=PAGE, count=2)
    assert received.contents.compression == compression
    assert (tmp_path / "guest.xva").read_bytes() == packed


async def test_the_file_has_its_true_size_though_space_was_reserved_ahead(tmp_path: Path) -> None:
    await take_in(tmp_path / "guest.xva", ARCHIVE)
    found = (tmp_path / "guest.xva").stat()
    assert found.st_size == len(ARCHIVE)
    assert found.st_blocks * 512 <= len(ARCHIVE) + MIB


@pytest.mark.parametrize("without", ["when asked", "at the first write"])
async def test_a_file_system_without_direct_writes_is_written_the_ordinary_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    direct = getattr(os, "O_DIRECT", 0)
    if not direct:
        pytest.skip("this system knows no direct writes")
    asked: set[int] = set()
    real_control, real_write = fcntl.fcntl, os.pwrite

    def control(descriptor: int, what: int, flags: int = 0) -> int:
        if what == fcntl.F_SETFL and flags & direct:
            if without == "when asked":
                raise OSError(errno.EINVAL, "no direct writes here")
            asked.add(descriptor)
        elif what == fcntl.F_SETFL:
            asked.discard(descriptor)
        # Tests may run on a file system that has none either.
        return real_control(descriptor, what, flags & ~direct)

    def write(descriptor: int, data: Any, offset: int) -> int:
        if descriptor in asked:
            raise OSError(errno.EINVAL, "no direct writes here")
        return real_write(descriptor, data, offset)

    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr("bot.backups.intake_file.CACHED_BYTES", 100_000)
    async with Intake(tmp_path / "guest.xva", Verifier(), **SMALL) as intake:
        await asyncio.to_thread(fill, intake, ARCHIVE)
        await intake.close()
        assert intake.is_direct is False
    assert (tmp_path / "guest.xva").read_bytes() == ARCHIVE


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no file system in memory here")  # noqa: S108  as said
async def test_a_file_system_in_memory_takes_an_archive_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path("/dev/shm") / f"{tmp_path_factory.getbasetemp().name}-{os.getpid()}"  # noqa: S108  as above
    folder.mkdir()
    try:
        await take_in(folder / "guest.xva", ARCHIVE)
        assert (folder / "guest.xva").read_bytes() == ARCHIVE
    finally:
        shutil.rmtree(folder)


async def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: real(file, data[: max(1, len(data) // 3)], offset))
    await take_in(tmp_path / "guest.xva", ARCHIVE)
    assert (tmp_path / "guest.xva").read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "No space is left for backups: "),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "I/O error"),
        (errno.ESTALE, "no longer knows it"),
        (errno.ENOTCONN, os.strerror(errno.ENOTCONN)),
    ],
)
@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate", "open"])
async def test_every_failure_of_the_disk_names_the_file_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, said: str
) -> None:
    path = tmp_path / "guest.xva"
    real = getattr(os, call)

    def fails(*given: Any, **more: Any) -> Any:
        if call == "open" and Path(str(given[0])) != path:
            return real(*given, **more)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(TargetFailed) as caught:
        await take_in(path, ARCHIVE)
    assert str(path) in caught.value.message
    assert said in caught.value.message
    assert caught.value.fix


async def test_a_file_that_may_not_grow_further_is_an_error_of_the_place(tmp_path: Path) -> None:
    """The kernel's own refusal, by its limit for the length of a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MIB + 100, limits[1]))
    try:
        with pytest.raises(TargetFailed, match="no file of that size"):
            await take_in(tmp_path / "guest.xva", ARCHIVE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_folder_that_is_not_there_is_told_before_much_has_come(tmp_path: Path) -> None:
    with pytest.raises(TargetFailed, match="it is not there"):
        await take_in(tmp_path / "gone" / "guest.xva", ARCHIVE)


async def test_a_folder_removed_meanwhile_is_no_success(tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    async with Intake(folder / "guest.xva", Verifier(), **SMALL) as intake:
        await asyncio.to_thread(fill, intake, ARCHIVE)
        shutil.rmtree(folder)
        with pytest.raises(TargetFailed, match="it is not there"):
            await intake.close()


async def test_a_file_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "guest.xva"
    path.write_text("somebody else's")
    with pytest.raises(TargetFailed, match="there already"):
        await take_in(path, ARCHIVE)
    assert path.read_text() == "somebody else's"


async def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "guest.xva").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetFailed):
        await take_in(tmp_path / "guest.xva", ARCHIVE)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("at", [600, 3 * MIB, len(ARCHIVE) - 1])
async def test_a_wrong_byte_ends_it(tmp_path: Path, at: int) -> None:
    wrong = bytearray(ARCHIVE)
    wrong[at] ^= 1
    with pytest.raises(Damaged):
        await take_in(tmp_path / "guest.xva", bytes(wrong))


async def test_an_archive_without_its_end_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        await take_in(tmp_path / "guest.xva", ARCHIVE[:-512])


async def test_nothing_at_all_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        await take_in(tmp_path / "guest.xva", b"")


async def _blocked(monkeypatch: pytest.MonkeyPatch, intake: Callable[[], Intake]) -> tuple[Intake, threading.Event]:
    """An intake whose disk does not answer until the event is set, and whose buffers are all in use."""
    answers, is_reached = threading.Event(), threading.Event()
    real = os.pwrite

    def write(descriptor: int, data: Any, offset: int) -> int:
        is_reached.set()
        assert answers.wait(60)
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", write)
    made = intake()
    for _ in range(SMALL["count"]):
        made.give(len(made.take()))
    assert await asyncio.to_thread(is_reached.wait, 60)
    return made, answers


class Anything(Verifier):
    """Takes everything for right."""

    def feed(self, data: memoryview) -> None:
        pass

    def finish(self) -> Contents:
        whole = Verifier()
        whole.feed(memoryview(ARCHIVE))
        return whole.finish()


async def test_a_full_ring_holds_up_the_filler_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intake, answers = await _blocked(monkeypatch, lambda: Intake(tmp_path / "guest.xva", Anything(), **SMALL))
    waiting = asyncio.get_running_loop().run_in_executor(None, intake.take)
    await asyncio.sleep(0)
    assert not waiting.done()
    answers.set()
    async with asyncio.timeout(60):
        assert len(await waiting) == SMALL["size"]
    await intake.discard()


async def test_an_abort_wakes_a_filler_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intake, answers = await _blocked(monkeypatch, lambda: Intake(tmp_path / "guest.xva", Anything(), **SMALL))
    waiting = asyncio.get_running_loop().run_in_executor(None, intake.take)
    intake.abort()
    intake.abort()
    with pytest.raises(TargetFailed, match="given up"):
        await asyncio.wait_for(waiting, 60)
    with pytest.raises(TargetFailed, match="given up"):
        intake.give(1)
    with pytest.raises(TargetFailed, match="given up"):
        intake.check()
    answers.set()
    await intake.discard()


async def test_a_write_that_hangs_is_named_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intake, answers = await _blocked(monkeypatch, lambda: Intake(tmp_path / "guest.xva", Anything(), **SMALL))
    with pytest.raises(TargetFailed, match="hangs"):
        await intake.discard()
    answers.set()


async def test_a_close_that_is_cancelled_ends_the_intake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intake, answers = await _blocked(monkeypatch, lambda: Intake(tmp_path / "guest.xva", Anything(), **SMALL))
    closing = asyncio.create_task(intake.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(TargetFailed, match="given up"):
        intake.take()
    answers.set()


async def test_leaving_the_block_without_closing_discards(tmp_path: Path) -> None:
    async with Intake(tmp_path / "guest.xva", Verifier(), **SMALL) as intake:
        await asyncio.to_thread(fill, intake, ARCHIVE[: 2 * MIB])
    with pytest.raises(TargetFailed):
        intake.take()


async def test_a_verifier_that_breaks_is_not_taken_for_success(tmp_path: Path) -> None:
    class Broken(Verifier):
        def feed(self, data: memoryview) -> None:
            raise ZeroDivisionError

    async with Intake(tmp_path / "guest.xva", Broken(), **SMALL) as intake:
        intake.give(len(intake.take()))
        with pytest.raises(ZeroDivisionError):
            await intake.close()


def test_a_ring_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    from bot.backups.intake_ring import Ring

    with pytest.raises(ValueError, match="whole pages"):
        Ring(1, size=1000)
    ring = Ring(1, size=PAGE, count=1)
    ring.take()
    with pytest.raises(ValueError, match="more was given"):
        ring.give(PAGE + 1)
