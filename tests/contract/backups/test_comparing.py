"""Disks that are read back from a copy are compared with the backup that it was made of, block by block."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from backup_keeping import fill, keep
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Folder, Shelf, intake_examined
from bot.backups.verifier import Verifier
from bot.errors import Damaged, NotFound, Refused, TargetFailed
from bot.operations.archive_ports import Comparison

ZERO = bytes(MIB)
ROOT = {0: make_content(1), 1: ZERO, 2: make_content(2), 3: ZERO}
DATA = {0: make_content(3), 1: make_content(4, MIB // 2)}


def archive(
    root: dict[int, bytes] = ROOT,
    data: dict[int, bytes] | None = DATA,
    *,
    swapped: bool = False,
    packed: str = "none",
    companions: str = "xxhash",
) -> bytes:
    keys = ("Ref:9", "Ref:7") if swapped else ("Ref:7", "Ref:9")
    disks = [DiskSpec(keys[0], 4 * MIB, root, device="0")]
    disks += [DiskSpec(keys[1], MIB + MIB // 2, data, device="3")] if data is not None else []
    return make_archive(Recipe(disks=disks, companions=companions), packed)


async def compared(shelf: Shelf, backup: str, stream: bytes) -> int:
    """What comes of it when that stream comes."""
    comparison: Comparison = await shelf.compare(backup)
    try:
        await asyncio.to_thread(fill, comparison.sink, stream, 700_000)
        return await comparison.same()
    finally:
        await comparison.discard()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(Folder(tmp_path))


@pytest.fixture
def backup(tmp_path: Path) -> str:
    return keep(Folder(tmp_path), archive=archive()).manifest.id


async def test_the_same_disks_are_the_same_however_an_export_brings_them(shelf: Shelf, backup: str) -> None:
    sparse = {0: ROOT[0], 2: ROOT[2], 3: ZERO}
    assert await compared(shelf, backup, archive()) == 6
    assert await compared(shelf, backup, archive(swapped=True)) == 6
    assert await compared(shelf, backup, archive(sparse, packed="zstd")) == 5
    assert await compared(shelf, backup, archive(companions="checksum", packed="gzip")) == 6


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (archive({**ROOT, 2: make_content(5)}), "Disk 0 .*does not hold what the backup holds"),
        (archive({**ROOT, 2: ZERO}), "Disk 0 .*does not hold"),
        (archive({0: ROOT[0], 1: ROOT[2], 2: ZERO, 3: ZERO}), "Disk 0 .*does not hold"),
        (archive(data=None), "no disk 3"),
        (archive(data={0: DATA[0], 1: make_content(6, MIB // 2)}), "Disk 3 .*does not hold"),
        (archive()[:-100_000], "incomplete"),
    ],
    ids=["another block", "a block lost", "two blocks changed places", "a disk lost", "a last block", "cut"],
)
async def test_a_disk_that_differs_in_anything_is_named(shelf: Shelf, backup: str, stream: bytes, says: str) -> None:
    with pytest.raises(Damaged, match=says):
        await compared(shelf, backup, stream)


def rounded(root: dict[int, bytes], data: dict[int, bytes], *, sizes: tuple[int, int], **more: str) -> bytes:
    disks = [DiskSpec("Ref:7", sizes[0], root, device="0"), DiskSpec("Ref:9", sizes[1], data, device="3")]
    return make_archive(Recipe(disks=disks, companions=more.get("companions", "xxhash")), more.get("packed", "none"))


async def test_a_disk_that_the_storage_has_made_larger_is_the_same_where_only_zeros_lie_beyond(
    shelf: Shelf, backup: str
) -> None:
    data = {**DATA, 1: DATA[1] + bytes(MIB // 2)}
    assert await compared(shelf, backup, rounded(ROOT, data, sizes=(4 * MIB, 2 * MIB))) == 6
    packed = rounded({**ROOT, 4: ZERO}, {**data, 2: ZERO}, sizes=(5 * MIB, 3 * MIB), packed="zstd")
    assert await compared(shelf, backup, packed) == 8
    slow = rounded(ROOT, data, sizes=(4 * MIB, 2 * MIB), companions="checksum")
    assert await compared(shelf, backup, slow) == 6


@pytest.mark.parametrize(
    ("root", "last", "says"),
    [
        (ROOT, DATA[1] + bytes(MIB // 2 - 1) + b"x", "Disk 3 .*does not hold"),
        (ROOT, DATA[1][:-1] + b"\0" + bytes(MIB // 2), "Disk 3 .*does not hold"),
        ({**ROOT, 3: make_content(9)}, DATA[1] + bytes(MIB // 2), "Disk 0 .*does not hold"),
    ],
    ids=["beyond the end", "before the end", "another disk"],
)
async def test_a_larger_disk_that_holds_anything_else_is_not_the_same(
    shelf: Shelf, backup: str, root: dict[int, bytes], last: bytes, says: str
) -> None:
    with pytest.raises(Damaged, match=says):
        await compared(shelf, backup, rounded(root, {0: DATA[0], 1: last}, sizes=(4 * MIB, 2 * MIB)))


async def test_a_whole_block_beyond_the_end_of_the_backup_s_disk_must_be_zeros(shelf: Shelf, backup: str) -> None:
    with pytest.raises(Damaged, match=r"Disk 0 .*does not hold"):
        await compared(shelf, backup, rounded({**ROOT, 4: make_content(8)}, DATA, sizes=(5 * MIB, MIB + MIB // 2)))


async def test_a_disk_that_is_smaller_is_not_the_same(shelf: Shelf, backup: str) -> None:
    smaller = {0: ROOT[0], 1: ZERO, 2: ROOT[2]}
    with pytest.raises(Damaged, match=r"3 MiB in the copy and 4 MiB in the backup"):
        await compared(shelf, backup, rounded(smaller, DATA, sizes=(3 * MIB, MIB + MIB // 2)))


async def test_without_its_proof_nothing_is_called_the_same(shelf: Shelf, tmp_path: Path) -> None:
    stored = keep(Folder(tmp_path), archive=archive())
    stored.proof.write_bytes(stored.proof.read_bytes()[:-1])
    with pytest.raises(Refused, match="Nothing can be compared"):
        await shelf.compare(stored.manifest.id)
    with pytest.raises(NotFound):
        await shelf.compare("20260101-000000-00000000")


async def test_a_comparison_that_is_given_up_lets_go_of_whoever_fills_it(shelf: Shelf, backup: str) -> None:
    comparison = await shelf.compare(backup)
    comparison.sink.abort()
    with pytest.raises(TargetFailed, match="given up"):
        comparison.sink.take()
    with pytest.raises(TargetFailed, match="given up"):
        await comparison.same()
    await comparison.discard()


async def test_a_comparison_that_hangs_is_not_called_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored, begun, end = keep(Folder(tmp_path)), threading.Event(), threading.Event()

    def hang(_verifier: Verifier, _data: memoryview) -> None:
        begun.set()
        end.wait()

    monkeypatch.setattr(Verifier, "feed", hang)
    monkeypatch.setattr(intake_examined, "LINGER_S", 0.05)
    comparison = await Shelf(Folder(tmp_path)).compare(stored.manifest.id)
    try:
        buffer = comparison.sink.take()
        comparison.sink.give(len(buffer))
        assert await asyncio.to_thread(begun.wait, 20)
        with pytest.raises(TargetFailed, match="The comparison hangs: what reads it along") as hangs:
            await comparison.discard()
        assert "write" not in str(hangs.value)
    finally:
        end.set()
    await comparison.discard()
