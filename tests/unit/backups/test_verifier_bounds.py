"""Descriptions of no use are refused, and whatever comes, the verifier keeps within its bounds."""

from __future__ import annotations

import re
import tracemalloc
import zlib

import pytest
import zstandard
from refusals import SMALL, refusal
from xva_making import (
    END,
    MIB,
    DiskSpec,
    Member,
    Recipe,
    join,
    make_archive,
    make_block,
    make_header,
    make_members,
)

from bot.backups import Verifier
from bot.errors import Damaged


def ova(body: str) -> bytes:
    return join([Member("ova.xml", body.encode())])


@pytest.mark.parametrize(
    ("archive", "sentence"),
    [
        (ova(""), "it is no XML"),
        (ova("<value>"), "it is no XML"),
        (ova("<value></value>"), "it describes no guest"),
        (ova("<value><struct></struct></value>"), "it describes no guest"),
        (ova('<!DOCTYPE x [<!ENTITY a "b">]><value>&a;</value>'), "it declares a document type"),
        (ova("<value>&a;</value>"), "it is no XML: undefined entity"),
        (ova("<value><array><data>" * 40), "its values are nested too deeply"),
        (ova("<html></html>"), "it has an element 'html'"),
        (ova("<appliance>"), "older than 4.0"),
        (join([Member("ova.xml", b"<value>\xff</value>")]), "it is no XML: not well-formed"),
        (make_archive(Recipe(disks=SMALL.disks, export_version=1)), "export version 1"),
        (make_archive(Recipe(disks=(DiskSpec("Ref:7", 1000, {}),))), "has no usable size ('1000')"),
        (make_archive(Recipe(disks=(DiskSpec("Ref:7", -512, {}),))), "has no usable size ('-512')"),
        (make_archive(Recipe(disks=(DiskSpec("Ref:7", 1 << 70, {}),))), "has no usable size"),
        (make_archive(Recipe(disks=(SMALL.disks[0], SMALL.disks[0]))), "are called 'Ref:7-vbd'"),
        (make_archive(Recipe(extra_objects="<value>x</value>")), "no class, id and record"),
    ],
)
def test_a_description_of_no_use_is_refused(archive: bytes, sentence: str) -> None:
    for step in (1 << 20, 11):
        assert sentence in refusal(archive, step).message


def test_a_hostile_id_of_a_disk_is_quoted() -> None:
    disk = DiskSpec("Ref:7\n\u202e" + "x" * 300, 1024, {})
    error = refusal(make_archive(Recipe(disks=(disk,))))
    assert "\n" not in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("kind", ["VDI", "VIF"])
def test_a_description_with_more_disks_or_nics_than_any_guest_has_is_refused(kind: str) -> None:
    item = "<value><struct><member><name>class</name><value>{}</value></member><member><name>id</name><value>{}</value>"
    item += "</member><member><name>snapshot</name><value><struct></struct></value></member></struct></value>"
    many = "".join(item.format(kind, f"x{number}") for number in range(1100))
    assert "more than 1,024 objects of one class" in refusal(make_archive(Recipe(extra_objects=many))).message


def memory_of(beginning: bytes, more: bytes, rounds: int) -> int:
    """Most bytes that Python held at once while an archive came that begins so and repeats `more`."""
    verifier = Verifier()
    pieces = (memoryview(beginning), *[memoryview(more)] * rounds)
    tracemalloc.start()
    try:
        for piece in pieces:
            verifier.feed(piece)
        verifier.finish()
    except Damaged:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    raise AssertionError("it was called good")


HUGE = make_header("ova.xml", 16 << 20)
BOMBS = {
    "one endless text": (HUGE + b"<value>", b"x" * MIB),
    "one endless tag": (HUGE + b"<value", b"x" * MIB),
    "values without end": (HUGE + b"<value><array><data>", b"<value/>" * (MIB // 8)),
    "objects without end": (
        HUGE + b"<value><struct><member><name>objects</name><value><array><data>",
        b"<value><struct></struct></value>" * (MIB // 32),
    ),
    "names without end": (HUGE + b"<value><struct>", b"<member><name>n</name><value/></member>" * (MIB // 40)),
    "members without end": (HUGE + b"<value><struct><member><name>" + b"n" * MIB, b"n" * MIB),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_description_costs_more_memory_than_its_bound(bomb: str) -> None:
    assert memory_of(*BOMBS[bomb], 20) < 8 * MIB


def test_no_compression_costs_more_memory_than_its_bound() -> None:
    head = make_header("ova.xml", 16 << 20) + b"<value>"
    gzip_bomb = zlib.compressobj(9, wbits=31)
    packed = gzip_bomb.compress(head) + gzip_bomb.compress(b" " * (256 * MIB)) + gzip_bomb.flush()
    assert memory_of(packed[:600], packed[600:], 1) < 8 * MIB
    library = zstandard.ZstdCompressor(level=19).compressobj()
    zstd_bomb = library.compress(head) + library.compress(b" " * (256 * MIB)) + library.flush()
    assert len(zstd_bomb) < 64 * 1024
    assert memory_of(zstd_bomb[:600], zstd_bomb[600:], 1) < 8 * MIB


def test_a_zstd_frame_that_wants_a_large_window_is_refused() -> None:
    settings = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    library = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    error = refusal(library.compress(join(make_members(SMALL))) + library.flush())
    assert re.search("the compressed data .zstd. cannot be unpacked .*memory", error.message)


def test_a_view_that_was_fed_is_not_kept() -> None:
    archive = bytearray(make_archive(Recipe(disks=(DiskSpec("Ref:7", 2 * MIB, {0: bytes(MIB), 1: bytes(MIB)}),))))
    verifier = Verifier()
    for start in range(0, len(archive), 300_000):
        with memoryview(archive)[start : start + 300_000] as view:
            verifier.feed(view)
    # A buffer that something still looks into cannot be resized.
    archive.clear()
    assert verifier.finish().blocks == 2


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_an_error_keeps_no_view_of_what_was_fed(compression: str) -> None:
    archive = bytearray(make_archive(SMALL, compression))
    archive[-1500 if compression == "none" else -600] ^= 1
    with pytest.raises(Damaged) as caught, memoryview(archive) as view:
        Verifier().feed(view)
    archive.clear()
    # Held until here, with all the frames that it passed through.
    assert caught.value.message


def test_progress_counts_the_bytes_of_disks_with_their_zeros() -> None:
    archive = make_archive(SMALL)
    verifier = Verifier()
    assert (verifier.covered, verifier.expected) == (0, 0)
    seen = []
    for start in range(0, len(archive), 512):
        verifier.feed(memoryview(archive)[start : start + 512])
        seen.append((verifier.covered, verifier.expected))
    assert sorted({covered for covered, _ in seen}) == [0, 1024, 2048, 4096, 5120]
    assert seen[-1] == (5120, 5120)
    assert archive[-1024:] == END
    assert make_block("x/00000000", b"", SMALL)[1].content == b"EF46DB3751D8E999"
