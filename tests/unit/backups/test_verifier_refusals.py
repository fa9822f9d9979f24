"""What is no archive, or no whole one, is refused in a sentence that names block, disk and byte."""

from __future__ import annotations

import pytest
from refusals import ERROR_PAGE, SMALL, at, changed, refusal, verify, without
from xva_making import (
    MIB,
    DiskSpec,
    Member,
    Recipe,
    join,
    make_archive,
    make_content,
    make_header,
    make_members,
    make_ova,
    pack,
)

from bot.backups import Verifier
from bot.errors import Damaged


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


def test_a_hostile_name_of_a_disk_is_quoted() -> None:
    disk = DiskSpec("Ref:7", 1024, {0: bytes(1024)}, "0", "a\nb\u202ec" + "x" * 500)
    error = refusal(make_archive(Recipe(disks=(disk,)))[: -1024 - 600])
    assert error.disk.startswith("disk 0 (“a b\\u202ecxxx")
    assert len(error.disk) < 90
    assert "\n" not in error.message
