"""An archive is called good when it is whole and right, and only then."""

from __future__ import annotations

import pytest
from xva_making import (
    MIB,
    REAL,
    DiskSpec,
    Recipe,
    make_archive,
    make_content,
)

from bot.backups import Verifier
from bot.domain.backup import Contents
from bot.errors import Damaged

SPARSE = Recipe(
    disks=(
        DiskSpec("Ref:7", 5 * MIB, {0: make_content(1), 2: make_content(2), 4: make_content(3)}, "0", "root"),
        DiskSpec("Ref:10", 2 * MIB + 512, {0: make_content(4), 2: make_content(5, 512)}, "1", "data"),
    )
)


def verify(archive: bytes, step: int = 1 << 22) -> Contents:
    verifier = Verifier()
    for start in range(0, len(archive), step):
        verifier.feed(memoryview(archive)[start : start + step])
    contents = verifier.finish()
    assert verifier.covered == verifier.expected
    return contents


def refusal(archive: bytes, step: int = 1 << 22) -> Damaged:
    with pytest.raises(Damaged) as caught:
        verify(archive, step)
    return caught.value


@pytest.mark.parametrize("file", sorted(REAL.glob("*")), ids=lambda file: file.name)
@pytest.mark.parametrize("step", [1 << 22, 4096, 1])
def test_archives_of_a_real_server_are_read_to_their_end(file: object, step: int) -> None:
    from pathlib import Path

    assert isinstance(file, Path)
    contents = verify(file.read_bytes(), step)
    assert contents.guest.uuid
    assert contents.product == "XenServer 8.4.0"
    assert contents.size == file.stat().st_size


@pytest.mark.skipif(not REAL.is_dir(), reason="the archives of a real server are not here")
def test_a_real_sparse_archive_tells_its_guest_and_its_disks() -> None:
    contents = verify((REAL / "lab-sparse.xva.zst").read_bytes())
    assert contents.guest.name == "lab-sparse"
    assert [(one.device, one.name, one.size, one.stored) for one in contents.disks] == [
        ("1", "sp1", 3 * MIB + 512, 2 * MIB + 512),
        ("0", "sp0", 8 * MIB, 3 * MIB),
    ]
    assert (contents.compression, contents.checks, contents.blocks, contents.members) == ("zstd", "XXH64", 6, 13)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("step", [1 << 22, 100_001, 513])
def test_a_whole_archive_is_good_in_pieces_of_any_size(compression: str, step: int) -> None:
    contents = verify(make_archive(SPARSE, compression), step)
    assert [one.label for one in contents.disks] == ["disk 1 (“data”)", "disk 0 (“root”)"]
    assert [one.stored for one in contents.disks] == [MIB + 512, 3 * MIB]
    assert contents.compression == compression
    assert contents.guest.nics[0].mac == "02:00:00:00:00:01"
    assert contents.guest.mac_seed == "5eed0001-0001-4000-8000-000000000001"
