"""A look at an archive again tells whether it is as it was, and otherwise which blocks of which disk are damaged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from backup_keeping import keep
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Folder, Stored, check_all, check_sample
from bot.domain.catalogue import Proof
from bot.errors import Refused, TargetFailed

DISKS = Recipe(
    disks=(
        DiskSpec("Ref:7", 24 * MIB, {number: make_content(number) for number in range(24)}, "0", "root"),
        DiskSpec("Ref:9", 4 * MIB, {0: make_content(90), 3: make_content(91)}, "1", "data"),
    )
)


def deaf(done: int, total: int) -> None:
    assert 0 < done <= total


def kept(folder: Path, compression: str = "none") -> Stored:
    return keep(Folder(folder), archive=make_archive(DISKS, compression))


def lead(stored: Stored) -> int:
    """Where the header of the first block lies."""
    return stored.archive.read_bytes().index(b"Ref:7/00000000\0")


def damage(stored: Stored, *offsets: int) -> None:
    with stored.archive.open("r+b") as file:
        for offset in offsets:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 0x10]))


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_what_is_as_it_was_is_found_whole(tmp_path: Path, compression: str) -> None:
    stored = kept(tmp_path, compression)
    told: list[tuple[int, int]] = []
    look = check_all(stored, lambda done, total: told.append((done, total)))
    assert (look.how, look.checked, look.damage, look.note) == (Proof.FULL, stored.manifest.size, (), "")
    assert told[-1] == (stored.manifest.size, stored.manifest.size)
    sample = check_sample(stored, 0.2, deaf)
    assert (sample.how, sample.damage) == (Proof.SAMPLE, ())
    assert 2 * MIB < sample.checked < stored.manifest.size


def test_exactly_the_damaged_blocks_of_a_plain_archive_are_named(tmp_path: Path) -> None:
    stored = kept(tmp_path)

    def at(block: int) -> int:
        return lead(stored) + block * (MIB + 3 * 512) + 512

    # One byte each in blocks 3, 4 and 17 of the first disk, and in the last stored block of the second.
    damage(stored, *(at(block) + 1000 for block in (3, 4, 17, 25)))
    assert check_all(stored, deaf).damage == (
        f"Blocks 00000003 to 00000004 of disk 0 (“root”) are damaged, from byte {at(3):,} of the archive.",
        f"Block 00000017 of disk 0 (“root”) is damaged, from byte {at(17):,} of the archive.",
        f"Block 00000003 of disk 1 (“data”) is damaged, from byte {at(25):,} of the archive.",
    )
    assert check_sample(stored, 1.0, deaf).damage == check_all(stored, deaf).damage


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_blocks_that_came_out_of_a_damaged_part_of_a_packed_archive_are_named(
    tmp_path: Path, compression: str
) -> None:
    stored = kept(tmp_path, compression)
    damage(stored, 5 * MIB + 1000)
    (found,) = check_all(stored, deaf).damage
    # Half of each block packs to nothing, so that about two blocks lie in each MiB of the archive.
    assert found == (
        f"Bytes {5 * MIB:,} to {6 * MIB - 1:,} of the packed archive are damaged: blocks 00000009 to 00000011 of "
        "disk 0 (“root”) came out of there. Nothing behind them can be unpacked."
    )


def test_damage_outside_the_contents_of_disks_is_told_as_that(tmp_path: Path) -> None:
    stored = kept(tmp_path)
    step = MIB + 3 * 512
    damage(stored, lead(stored) + 5 * step + 100)
    (found,) = check_all(stored, deaf).damage
    assert found.endswith("of the archive are damaged, but not the contents of the disks in them.")


def test_a_change_of_the_description_that_the_format_cannot_show_is_found(tmp_path: Path) -> None:
    stored = kept(tmp_path)
    content = stored.archive.read_bytes()
    stored.archive.write_bytes(content.replace(b">web1<", b">web2<"))
    (found,) = check_all(stored, deaf).damage
    assert found.startswith("Bytes 0 to 1,048,575 of the archive are damaged: the description of the guest")
    # The first and the last part belong to every sample.
    assert check_sample(stored, 0.0, deaf).damage == (found,)


@pytest.mark.parametrize("length", [0, 1, MIB, 20 * MIB + 17])
def test_an_archive_that_was_cut_or_grew_is_damaged(tmp_path: Path, length: int) -> None:
    stored = kept(tmp_path)
    content = stored.archive.read_bytes()
    stored.archive.write_bytes(content[:length])
    assert f"has {length:,} bytes and should have {len(content):,}" in check_all(stored, deaf).damage[0]
    assert check_sample(stored, 0.01, deaf).damage
    stored.archive.write_bytes(content + b"\0")
    assert check_all(stored, deaf).damage == (
        f"The archive has {len(content) + 1:,} bytes and should have {len(content):,}.",
    )


def test_a_sample_finds_damage_as_often_as_it_says(tmp_path: Path) -> None:
    stored = kept(tmp_path)
    step = MIB + 3 * 512
    damage(stored, lead(stored) + 10 * step + 2000)
    found = sum(bool(check_sample(stored, 0.5, deaf, random.Random(seed)).damage) for seed in range(40))  # noqa: S311  the same each time
    # Half of the parts are looked at, so half of the samples see it.
    assert 10 <= found <= 30


@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "other", "empty"])
def test_without_a_usable_proof_all_of_it_can_be_checked_and_a_part_cannot(tmp_path: Path, how: str) -> None:
    stored = kept(tmp_path)
    proof = stored.proof.read_bytes()
    if how == "gone":
        stored.proof.unlink()
    else:
        flipped = proof[:100] + bytes([proof[100] ^ 1]) + proof[101:]
        other = keep(Folder(tmp_path)).proof.read_bytes()
        stored.proof.write_bytes({"cut": proof[:-7], "flipped": flipped, "other": other, "empty": b""}[how])
    with pytest.raises(Refused, match="A part of the archive cannot be checked without it"):
        check_sample(stored, 0.5, deaf)
    look = check_all(stored, deaf)
    assert look.damage == ()
    assert look.note.startswith("The proof cannot be ")
    damage(stored, lead(stored) + 512 + 100)
    assert check_all(stored, deaf).damage[0].startswith("Block Ref:7/00000000 of disk 0 (“root”), byte ")


def test_an_archive_that_is_gone_or_a_link_is_not_read(tmp_path: Path) -> None:
    stored = kept(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    stored.archive.rename(elsewhere)
    with pytest.raises(TargetFailed, match="it is not there"):
        check_all(stored, deaf)
    stored.archive.symlink_to(elsewhere)
    with pytest.raises(TargetFailed, match="could not be read"):
        check_all(stored, deaf)


def test_a_look_ends_when_whoever_follows_it_says_so(tmp_path: Path) -> None:
    stored = kept(tmp_path)

    def stop(done: int, _: int) -> None:
        if done > 5 * MIB:
            raise InterruptedError

    for look in (lambda: check_all(stored, stop), lambda: check_sample(stored, 0.9, stop)):
        with pytest.raises(InterruptedError):
            look()
