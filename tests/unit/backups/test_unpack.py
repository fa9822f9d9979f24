"""What comes in pieces unpacks to what was packed, whatever the pieces and the way of packing."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.backups.unpack import Gzip, NotPacked, Unpacker, Zstd

MIB = 1 << 20


def content(kind: int, length: int) -> bytes:
    """Zeros, noise, text, or long runs of each: blocks of every kind that zstd has."""
    chance = random.Random(length)  # noqa: S311  the same each time
    if kind == 0:
        return bytes(length)
    if kind == 1:
        return chance.randbytes(length)
    if kind == 2:
        return (b"a line of text, and another line of it\n" * (length // 39 + 1))[:length]
    parts = (content(one, length // 9 + 1) for one in (0, 1, 2, 0, 2, 1, 0, 1, 2))
    return b"".join(parts)[:length]


def unpack(unpacker: Unpacker, packed: bytes, step: int) -> bytes:
    parts = []
    for start in range(0, len(packed), step):
        for part in unpacker.push(memoryview(packed)[start : start + step]):
            assert len(part) <= 2 * MIB
            parts.append(bytes(part))
    return b"".join(parts)


ZSTD = st.builds(
    dict,
    level=st.sampled_from([-5, 1, 3, 9]),
    write_checksum=st.booleans(),
    write_content_size=st.booleans(),
)


@settings(max_examples=60)
@given(st.integers(0, 3), st.integers(0, 3 * MIB), st.integers(1, 300_000), ZSTD, st.booleans())
def test_every_frame_of_zstd_unpacks(kind: int, length: int, step: int, how: dict[str, object], whole: bool) -> None:  # noqa: FBT001  drawn
    plain = content(kind, length)
    library = zstandard.ZstdCompressor(**how)  # type: ignore[arg-type]  # drawn by name
    if whole:
        # As a file is packed: its length is known, and a short one needs no window.
        packed = library.compress(plain)
    else:
        stream = library.compressobj()
        packed = stream.compress(plain[: length // 2]) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        packed += stream.compress(plain[length // 2 :]) + stream.flush()
    unpacker = Zstd()
    assert unpack(unpacker, packed, max(step, len(packed) // 5000)) == plain
    assert unpacker.ended
    with pytest.raises(NotPacked, match="more behind its end"):
        list(unpacker.push(memoryview(b"x")))


@settings(max_examples=40)
@given(st.integers(0, 3), st.integers(0, 2 * MIB), st.integers(1, 300_000), st.sampled_from([0, 1, 6, 9]))
def test_every_member_of_gzip_unpacks(kind: int, length: int, step: int, level: int) -> None:
    plain = content(kind, length)
    packed = gzip.compress(plain, level, mtime=0)
    unpacker = Gzip()
    assert unpack(unpacker, packed, max(step, len(packed) // 5000)) == plain
    assert unpacker.ended
    with pytest.raises(NotPacked, match="more behind its end"):
        list(unpacker.push(memoryview(b"x")))


@pytest.mark.parametrize("cut", [1, 2, 4, 5, 8, 100])
def test_what_is_cut_has_not_ended(cut: int) -> None:
    plain = content(3, 300_000)
    for unpacker, packed in ((Gzip(), gzip.compress(plain)), (Zstd(), zstandard.ZstdCompressor().compress(plain))):
        unpack(unpacker, packed[:-cut], 1000)
        assert not unpacker.ended


@pytest.mark.parametrize(
    ("head", "why"),
    [
        # A dictionary is named, a window of 2 GiB wanted, a reserved bit set, a block of the reserved kind.
        (bytes([0b00000001, 0x58, 7]), "cannot be unpacked"),
        (bytes([0b00000000, 0xA8]), "cannot be unpacked"),
        (bytes([0b00001000, 0x58]), "cannot be unpacked"),
        (bytes([0b00000000, 0x58, 0b110, 0, 0]), "a block as none can be"),
        (bytes([0b00000000, 0x58, 0xFC, 0xFF, 0xFF]), "a block as none can be"),
    ],
)
def test_frames_that_no_export_has_are_refused(head: bytes, why: str) -> None:
    frame = b"\x28\xb5\x2f\xfd" + head + bytes(100)
    with pytest.raises(NotPacked, match=why):
        unpack(Zstd(), frame, 1000)


def test_a_wrong_checksum_is_refused() -> None:
    plain = content(3, 300_000)
    packed = bytearray(gzip.compress(plain))
    packed[-8] ^= 1
    with pytest.raises(NotPacked, match="cannot be unpacked"):
        unpack(Gzip(), bytes(packed), 1000)
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(plain))
    packed[-1] ^= 1
    with pytest.raises(NotPacked, match="cannot be unpacked"):
        unpack(Zstd(), bytes(packed), 1000)


def test_a_deflate_stream_without_gzip_s_frame_is_refused() -> None:
    with pytest.raises(NotPacked, match="cannot be unpacked"):
        unpack(Gzip(), zlib.compress(bytes(1000)), 100)
