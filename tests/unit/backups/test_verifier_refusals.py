"""What is no archive, or no whole one, is refused in a sentence that names block, disk and byte."""

from __future__ import annotations

import re
import tracemalloc
import zlib

import pytest
import zstandard
from xva_making import (
    END,
    MIB,
    DiskSpec,
    Member,
    Recipe,
    join,
    make_archive,
    make_block,
    make_content,
    make_header,
    make_members,
    make_ova,
    pack,
)

from bot.backups import Verifier
from bot.domain.backup import Contents
from bot.errors import Damaged

SMALL = Recipe(
    disks=(
        DiskSpec("Ref:7", 4 * 1024, {0: make_content(1, 1024), 2: make_content(2, 1024), 3: make_content(3, 1024)}),
        DiskSpec("Ref:10", 1024, {0: make_content(4, 1024)}, "1", "data"),
    )
)
# The members of SMALL in order: ova.xml, one block of Ref:10 with its hash, three of Ref:7 with theirs.
ERROR_PAGE = (
    b"HTTP/1.1 500 Internal Error\r\ncontent-length: 200\r\nconnection: close\r\n\r\n"
    b"<html><body><h1>HTTP 500 internal server error</h1>An unexpected error occurred; <b>please wait</b> a while and "
    b"try again.<h1>Additional information</h1>VDI_IO_ERROR: [ Device I/O errors ]\x1b[31m</body></html>"
)


def verify(archive: bytes, step: int = 1 << 20) -> Contents:
    verifier = Verifier()
    for start in range(0, len(archive), step):
        verifier.feed(memoryview(archive)[start : start + step])
    return verifier.finish()


def refusal(archive: bytes, step: int = 1 << 20) -> Damaged:
    with pytest.raises(Damaged) as caught:
        verify(archive, step)
    return caught.value


def changed(index: int, member: Member, recipe: Recipe = SMALL) -> bytes:
    members = make_members(recipe)
    members[index] = member
    return join(members)


def without(*indices: int) -> bytes:
    return join(one for index, one in enumerate(make_members(SMALL)) if index not in indices)


def at(index: int) -> int:
    """The byte where a member of SMALL begins."""
    return len(join(make_members(SMALL)[:index], b""))


@pytest.mark.parametrize("style", ["v7", "ustar", "gnu"])
@pytest.mark.parametrize("companions", ["xxhash", "checksum"])
def test_headers_and_hashes_of_every_kind_that_exists_are_read(style: str, companions: str) -> None:
    contents = verify(make_archive(Recipe(disks=SMALL.disks, style=style, companions=companions)), 700)
    assert contents.checks == {"xxhash": "XXH64", "checksum": "SHA-1"}[companions]
    assert (contents.members, contents.blocks) == (9, 4)


def test_blocks_without_content_that_keep_a_connection_alive_move_the_numbers_only() -> None:
    disk = DiskSpec("Ref:7", 2048, {0: bytes(1024), 1: b"", 2: b"", 3: make_content(1, 1024)})
    contents = verify(make_archive(Recipe(disks=(disk,))))
    assert contents.disks[0].stored == 2048
    assert contents.blocks == 4


def test_a_gap_stands_for_zeros_as_long_as_the_very_first_block() -> None:
    short = DiskSpec("Ref:1", 512, {0: bytes(512)})
    # 9 blocks of 512 are left out between the two: the first disk's block sets the length for all disks.
    after = DiskSpec("Ref:2", 1024 + 9 * 512 + 1024, {0: bytes(1024), 10: bytes(1024)})
    assert verify(make_archive(Recipe(disks=(short, after)))).blocks == 3
    wrong = DiskSpec("Ref:2", 1024 + 9 * 1024 + 1024, {0: bytes(1024), 10: bytes(1024)})
    assert (
        "was expected, but this is the end of the archive"
        in refusal(make_archive(Recipe(disks=(short, wrong)))).message
    )


def test_drives_and_iso_images_have_no_blocks() -> None:
    drive = DiskSpec("Ref:3", MIB, {}, "3", "centos.iso", kind="CD")
    iso = DiskSpec("Ref:4", MIB, {}, "4", "tools.iso", content_type="iso")
    assert len(verify(make_archive(Recipe(disks=(*SMALL.disks, drive, iso)))).disks) == 2


def test_a_guest_without_disks_is_whole() -> None:
    assert verify(make_archive(Recipe())).disks == ()


def test_tagged_values_and_empty_ones_are_read() -> None:
    text = make_ova(SMALL).replace(b"<value>4096</value>", b"<value><i8>4096</i8></value>")
    text = text.replace(b"<value>web1</value>", b"<value><string>w\xc3\xa9b &amp; 1</string></value>")
    text = text.replace(b"<value>nfs-vhd</value>", b"<value/>")
    contents = verify(changed(0, Member("ova.xml", text)))
    assert contents.guest.name == "wéb & 1"
    assert contents.disks[0].sr_name == ""


def test_every_refusal_within_a_disk_names_block_disk_and_byte() -> None:
    members = make_members(SMALL)
    flipped = bytearray(join(members))
    flipped[at(5) + 512 + 7] ^= 1
    error = refusal(bytes(flipped))
    assert error.message.startswith(
        f"Block Ref:7/00000002 of disk 0 (“root”), byte {at(5):,}: its contents have another"
    )
    assert (error.block, error.disk, error.offset) == ("Ref:7/00000002", "disk 0 (“root”)", at(5))
    assert error.brief == "Disk 0 (“root”) did not come whole: it is wrong 2 KiB into it."


def test_the_offset_in_a_packed_archive_is_told_as_what_it_is() -> None:
    flipped = bytearray(join(make_members(SMALL)))
    flipped[at(5) + 512 + 7] ^= 1
    error = refusal(pack(bytes(flipped), "zstd"))
    assert f", byte {at(5):,} of what the archive unpacks to: its contents" in error.message


@pytest.mark.parametrize(
    ("archive", "sentence"),
    [
        (without(3, 4, 5, 6, 7, 8), "Disk 0 (“root”), byte 7,680: a block of the disk was expected"),
        (without(1, 2), "a block of Ref:10 was expected, but Ref:7/00000000 follows"),
        (without(3, 4), "the disk does not begin with its first block"),
        (without(7, 8), "a block of the disk was expected, but this is the end of the archive"),
        (without(6), "its hash was expected, but Ref:7/00000003 follows"),
        (without(0), "begins with Ref:10/00000000 and not with ova.xml"),
        (changed(5, Member("Ref:7/00000000", b"")), "it does not follow the block before it"),
        (changed(5, Member("Ref:7/2", b"")), "a block of Ref:7 was expected, but Ref:7/2 follows"),
        (changed(5, Member("Ref:7/99999999999", b"")), "it does not follow the block before it"),
        (changed(5, Member("Ref:7/4294967296", b"")), "it does not follow the block before it"),
        (changed(5, Member("Ref:7/000000002", b"")), "it does not follow the block before it"),
        (changed(5, Member("Ref:7/٠٠٠٠٠٠٠٢", b"")), "a block of Ref:7 was expected"),
        (changed(5, Member("Ref:7/00000002", bytes(100))), "it has a length (100 bytes) that no block has"),
        (changed(5, Member("Ref:7/00000002", bytes(MIB + 512))), "it has a length (1,049,088 bytes) that no block has"),
        (changed(5, Member("Ref:7/00000002", bytes(4096))), "it lies beyond the end of the disk (4,096 bytes)"),
        (changed(5, Member("Ref:7/00004000", bytes(512))), "it lies beyond the end of the disk (4,096 bytes)"),
        (changed(7, Member("Ref:7/00000004", b"")), "its hash was expected, but Ref:7/00000003.xxhash follows"),
        (changed(6, Member("Ref:7/00000002.xxhash", b"ABC")), "its hash is not of the kind that this archive has"),
        (changed(6, Member("Ref:7/00000002.checksum", b"a" * 40)), "its hash is not of the kind"),
        (changed(6, Member("Ref:7/00000002.xxhash", b"0" * 16)), "than was stored with it (0000000000000000)"),
        (join(make_members(SMALL), b""), "the archive ends without its end marks: it was cut"),
        (join(make_members(SMALL), bytes(512)), "the archive ends without its end marks: it was cut"),
        (join(make_members(SMALL), bytes(1025)), "more bytes follow the end of the archive"),
        (join(make_members(SMALL), bytes(10240)), "more bytes follow the end of the archive"),
        (join([*make_members(SMALL), Member("checksum.xml", b"x")]), "but a member checksum.xml follows"),
        (join(make_members(SMALL), bytes(512) + b"x" * 512), "should end here, but this is no header of a member"),
    ],
)
def test_what_is_out_of_place_is_named(archive: bytes, sentence: str) -> None:
    for step in (1 << 20, 100):
        assert sentence in refusal(archive, step).message


def test_a_last_block_must_have_content() -> None:
    disk = DiskSpec("Ref:7", 3072, {0: bytes(1024), 3: b""})
    assert "the last block of the disk is empty" in refusal(make_archive(Recipe(disks=(disk,)))).message


def test_a_member_that_is_no_plain_file_is_refused() -> None:
    members = make_members(SMALL)
    link = make_header("Ref:7/00000002", 0, "ustar", b"2")
    archive = join(members[:5], b"") + link + join(members[5:])
    assert "a member of another kind ('2') than a plain file" in refusal(archive).message


def test_zeros_that_must_follow_a_hash_are_looked_at() -> None:
    archive = bytearray(join(make_members(SMALL)))
    archive[at(6) + 512 + 300] = 1
    assert "its hash is not followed by zeros" in refusal(bytes(archive)).message
    archive = bytearray(join(make_members(SMALL)))
    archive[at(1) - 1] = 1
    assert "ova.xml is not followed by zeros" in refusal(bytes(archive)).message


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "This is an empty file."),
        (b"x", "This is no archive of a guest: it is too short."),
        (b"<!DOCTYPE html><html><head>Sign in</head></html>", "This is a web page, not an archive"),
        (b"\xef\xbb\xbf\n <HTML>" + b" " * 9000, "This is a web page, not an archive"),
        (b'<?xml version="1.0"?><appliance version="0.1">' + b" " * 9000, "a product older than 4.0"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "a server's answer, not an archive: “HTTP/1.1 403 Forbidden”"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n" + b"x" * 600, "a server's answer, not an archive: “HTTP/1.1 403 Forbidden”"),
        (bytes(100), "This is nothing but zeros."),
        (bytes(9000), "This is nothing but zeros."),
        (b"PK\x03\x04" + b"x" * 9000, "This is no archive of a guest: its beginning is no header of a member."),
        (join([Member("etc/passwd", b"root")]), "it begins with etc/passwd and not with ova.xml"),
        (join([Member("\x1b[31m\u202e", b"root")]), "it begins with \\x1b[31m\\u202e and not with ova.xml"),
        (pack(b"<html>" + b" " * 9000, "gzip"), "This is a web page, not an archive"),
        (b"\x1f\x8b" + b"x" * 600, "the compressed data (gzip) cannot be unpacked"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 600, "the compressed data (zstd) "),
    ],
)
def test_what_is_no_archive_at_all_is_recognised(content: bytes, sentence: str) -> None:
    for step in (1 << 20, 7):
        assert sentence in refusal(content, step).message


@pytest.mark.parametrize("cut", [at(3), at(3) + 512 + 100, at(4) + 200, at(7) + 512 + 1000])
@pytest.mark.parametrize("step", [1 << 20, 64])
def test_an_error_page_within_the_stream_is_told_in_the_server_s_words(cut: int, step: int) -> None:
    error = refusal(join(make_members(SMALL))[:cut] + ERROR_PAGE, step)
    assert error.message.startswith(
        f"The server broke off with an error at byte {cut:,} of the archive: “500 Internal Error: HTTP 500 internal "
        "server error An unexpected error occurred; please wait a while and try again. Additional information "
    )
    assert "disk 0 (“root”), byte" in error.message.casefold()
    assert "\x1b" not in error.message
    assert "<b>" not in error.message


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_an_error_page_behind_a_well_formed_compressed_end_is_told_too(compression: str) -> None:
    packed = pack(join(make_members(SMALL))[: at(5) + 700], compression)
    error = refusal(packed + ERROR_PAGE)
    said = f"The server broke off with an error at byte {len(packed):,} of the archive: “500 Internal Error"
    assert error.message.startswith(said)
    assert "has more behind its end" in error.message
    assert "Block Ref:7/00000002 of disk 0 (“root”)" in error.message


def test_the_words_of_a_page_on_a_disk_are_no_error_page() -> None:
    content = b"HTTP/1.1 500 Internal Error\r\n\r\n<html>oops</html>".ljust(1024, b"\0")
    disk = DiskSpec("Ref:7", 2048, {0: content, 1: content})
    archive = make_archive(Recipe(disks=(disk,)))
    assert verify(archive).blocks == 2
    assert "server broke off" not in refusal(archive[:-1024]).message


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_packed_archive_must_have_its_end_and_nothing_behind_it(compression: str) -> None:
    packed = make_archive(SMALL, compression)
    for count in (1, 4, 8, 100):
        assert "is cut before its end" in refusal(packed[:-count]).message
    for more in (b"\0", b"garbage", packed, pack(b"", compression)):
        for step in (1 << 20, 50):
            error = refusal(packed + more, step)
            assert error.message == (
                f"Byte {len(packed):,} of the archive: the compressed data ({compression}) has more behind its end."
            )
            assert error.offset == len(packed)


def test_a_cut_tar_within_a_whole_compression_is_incomplete() -> None:
    for compression in ("gzip", "zstd"):
        packed = pack(join(make_members(SMALL))[: at(8)], compression)
        assert "the archive ends here and is incomplete" in refusal(packed).message


def test_nothing_is_taken_after_a_refusal_or_a_doubt() -> None:
    verifier = Verifier()
    with pytest.raises(Damaged) as first:
        verifier.feed(memoryview(b"x" * 600))
    with pytest.raises(Damaged) as again:
        verifier.feed(memoryview(make_archive(SMALL)))
    with pytest.raises(Damaged) as last:
        verifier.finish()
    assert first.value is again.value is last.value


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


def test_a_hostile_name_of_a_disk_is_quoted() -> None:
    disk = DiskSpec("Ref:7", 1024, {0: bytes(1024)}, "0", "a\nb\u202ec" + "x" * 500)
    error = refusal(make_archive(Recipe(disks=(disk,)))[: -1024 - 600])
    assert error.disk.startswith("disk 0 (“a b\\u202ecxxx")
    assert len(error.disk) < 90
    assert "\n" not in error.message


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
