"""How fast archives are verified while they come, and looked at again later.

Peers of the first table: one thread that only hashes the same bytes with SHA-256, and Python's own `tarfile` reading
the same archive with each block hashed by the same XXH64. Of the second: `sha256sum` over the same file.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash
from backup_keeping import AT, GUEST, OTHER
from measuring import table
from xva_making import END, MIB, DiskSpec, Member, Recipe, make_archive, make_content, make_header, make_ova

from bot.backups import Checker, Folder, Manifest, Stored, Verifier, check_all, check_sample, make_id

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
PIECE = 4 * MIB
BLOCKS = 512
LARGE_GIB = 20
ROUNDS = 3


def _archives() -> dict[str, bytearray]:
    contents = [make_content(number) for number in range(16)]
    recipe = Recipe(disks=(DiskSpec("Ref:7", BLOCKS * MIB, {n: contents[n % 16] for n in range(BLOCKS)}),))
    return {compression: bytearray(make_archive(recipe, compression)) for compression in ("none", "gzip", "zstd")}


def _best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the quickest of some rounds: what else runs on the machine only adds."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def _feed(checker: Verifier | Checker, archive: bytearray) -> None:
    view = memoryview(archive)
    for start in range(0, len(view), PIECE):
        checker.feed(view[start : start + PIECE])
    checker.finish()


def _with_tarfile(archive: bytearray, compression: str) -> None:
    mode = {"none": "r|", "gzip": "r|gz"}[compression]
    with tarfile.open(fileobj=io.BytesIO(archive), mode=mode) as tar:  # type: ignore[call-overload]  # a mode by name
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            xxhash.xxh64(file.read()).hexdigest()


def test_every_block_is_verified_faster_than_the_bytes_are_hashed(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = []
    for compression, archive in _archives().items():
        hashing = _best(lambda archive=archive: hashlib.sha256(archive).digest())
        verifying = _best(lambda archive=archive: _feed(Verifier(), archive))
        proving = _best(lambda archive=archive: _feed(Checker(tmp_path / "proof"), archive))
        peer = (
            _best(lambda archive=archive, compression=compression: _with_tarfile(archive, compression))
            if compression != "zstd"
            else None
        )
        rows.append(
            (
                f"{compression}, {len(archive) / MIB:.0f} MiB",
                BLOCKS / 1024 / verifying,
                BLOCKS / 1024 / proving,
                hashing / verifying,
                hashing / proving,
                "-" if peer is None else peer / verifying,
            )
        )
    header = ("archive", "GiB/s of disk", "with proof", "× SHA-256 of it", "with proof", "× tarfile + XXH64")
    table(f"Verifying a disk of {BLOCKS} MiB, one thread", header, rows)


def _make_large(folder: Path) -> Stored:
    """A plain archive of 20 GiB whose blocks are zeros: its file has holes, so that it fits on any disk."""
    target = Folder(folder)
    draft = target.begin(make_id(AT), GUEST)
    recipe = Recipe(disks=(DiskSpec("Ref:7", LARGE_GIB * 1024 * MIB, {}),))
    block = bytes(MIB)
    companion = f"{xxhash.xxh64_intdigest(block):016X}".encode()
    checker = draft.checker()
    digest = hashlib.sha256()
    with draft.archive.open("wb") as file:

        def put(piece: bytes, *, hole: bool = False) -> None:
            checker.feed(memoryview(piece))
            digest.update(piece)
            if hole:
                file.seek(len(piece), os.SEEK_CUR)
            else:
                file.write(piece)

        put(bytes(Member("ova.xml", make_ova(recipe))))
        for number in range(LARGE_GIB * 1024):
            put(make_header(f"Ref:7/{number:08d}", MIB))
            put(block, hole=True)
            put(bytes(Member(f"Ref:7/{number:08d}.xxhash", companion)))
        put(END)
        size = file.tell()
    found = checker.finish()
    manifest = Manifest(
        id=draft.id,
        guest=GUEST,
        name="large",
        pool=OTHER,
        pool_name="experiment",
        at=AT,
        finished=AT,
        size=size,
        sha256=digest.hexdigest(),
        proof_sha256=found.proof_sha256,
        contents=found.contents,
        how="snapshot",
        job=None,
        who="bench",
    )
    return target.commit(draft, manifest)


def test_a_sample_of_a_large_archive_takes_seconds(tmp_path: Path) -> None:
    stored = _make_large(tmp_path)

    def deaf(_done: int, _total: int) -> None:
        """Nobody listens."""

    peer = _best(lambda: subprocess.run(["sha256sum", stored.archive], check=True, capture_output=True), 1)
    sample = _best(lambda: check_sample(stored, 0.01, deaf))
    whole = _best(lambda: check_all(stored, deaf), 1)
    rows = [
        ("sha256sum", peer, 1.0, stored.manifest.size / MIB),
        ("all of it", whole, peer / whole, stored.manifest.size / MIB),
        ("1 %, and both ends", sample, peer / sample, check_sample(stored, 0.01, deaf).checked / MIB),
    ]
    table(f"Looking again at a plain archive of {LARGE_GIB} GiB", ("what", "s", "× sha256sum", "MiB read"), rows)
