"""Random damages to archives, and what becomes of each: found while it comes, found against the digest, or called good.

While an archive comes for the first time there is nothing to compare it with but itself. Its description of the guest
and the fields of gzip's header are protected by nothing, and a block that is missing together with its hash reads as
zeros. So a damage that is not found then must lie in one of these; every other one that is called good is a failure.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from xva_making import DiskSpec, Recipe, make_archive, make_content

from bot.backups import Verifier
from bot.errors import Damaged

KIB = 1024
RECIPE = Recipe(
    disks=(
        DiskSpec(
            "Ref:7",
            64 * KIB,
            {number: make_content(number, 4 * KIB) for number in (0, 1, 2, 5, 9, 10, 15)},
            "0",
            "root",
        ),
        DiskSpec("Ref:10", 10 * KIB, {0: make_content(70, 4 * KIB), 2: make_content(71, 2 * KIB)}, "1", "data"),
    )
)
# So small that every byte of it can be tried.
TINY = Recipe(
    disks=(
        DiskSpec("Ref:7", 2048, {number: make_content(number, 512) for number in (0, 2, 3)}, "0", "root"),
        DiskSpec("Ref:10", 512, {0: make_content(70, 512)}, "1", "data"),
    )
)
COMPRESSIONS = ("none", "gzip", "zstd")

FOUND = "found as it comes"
DESCRIPTION = "only in ova.xml: found by the digest"
NO_CONTENT = "no content differs: found by the digest"
GAP = "a block gone with its hash: found by the digest"
WRONG = "called good"


@dataclass
class Blocks:
    """What a verifier tells of the disks it read."""

    blocks: list[tuple[int, int, int]]

    def block(self, number: int, length: int, digest: int) -> None:
        self.blocks.append((number, length, digest))

    def chunk(self, length: int, digest: int) -> None:
        """Chunks are of the file, not of disks."""


@dataclass(frozen=True)
class Truth:
    """An archive as it was made."""

    archive: bytes
    sha256: str
    ova_sha256: str
    blocks: list[tuple[int, int, int]]


def make_truth(compression: str, recipe: Recipe = RECIPE) -> Truth:
    archive = make_archive(recipe, compression)
    blocks = Blocks([])
    verifier = Verifier(blocks)
    verifier.feed(memoryview(archive))
    contents = verifier.finish()
    return Truth(archive, hashlib.sha256(archive).hexdigest(), contents.ova_sha256, blocks.blocks)


def judge(truth: Truth, damaged: bytes, step: int = 1 << 20) -> str:
    """What a verifier makes of a damaged archive."""
    blocks = Blocks([])
    verifier = Verifier(blocks)
    try:
        for start in range(0, len(damaged), step):
            verifier.feed(memoryview(damaged)[start : start + step])
        contents = verifier.finish()
    except Damaged:
        return FOUND
    if hashlib.sha256(damaged).hexdigest() == truth.sha256:
        return WRONG
    if blocks.blocks == truth.blocks:
        return DESCRIPTION if contents.ova_sha256 != truth.ova_sha256 else NO_CONTENT
    left = iter(truth.blocks)
    return GAP if all(block in left for block in blocks.blocks) else WRONG


def cut(chance: random.Random, archive: bytes) -> bytes:
    return archive[: chance.randrange(len(archive))]


def flip(chance: random.Random, archive: bytes) -> bytes:
    damaged = bytearray(archive)
    damaged[chance.randrange(len(archive))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def swap(chance: random.Random, archive: bytes) -> bytes:
    """Two parts of one length change places; like those of a disk or of a cache: often whole sectors."""
    length = min(_length(chance), len(archive) // 3)
    unit = 512 if len(archive) > 8192 and chance.random() < 0.5 else 1
    first = chance.randrange(len(archive) // 2 - length + 1) // unit * unit
    second = chance.randrange(first + length, len(archive) - length + 1) // unit * unit
    second = max(second, first + length)
    parts = (
        archive[:first],
        archive[second : second + length],
        archive[first + length : second],
        archive[first : first + length],
        archive[second + length :],
    )
    return b"".join(parts)


def duplicate(chance: random.Random, archive: bytes) -> bytes:
    length = _length(chance)
    start = chance.randrange(len(archive))
    return archive[: start + length] + archive[start : start + length] + archive[start + length :]


def lose(chance: random.Random, archive: bytes) -> bytes:
    start = chance.randrange(len(archive))
    return archive[:start] + archive[start + _length(chance) :]


def blank(chance: random.Random, archive: bytes) -> bytes:
    start = chance.randrange(len(archive))
    length = len(archive[start : start + _length(chance)])
    return archive[:start] + bytes(length) + archive[start + length :]


def append(chance: random.Random, archive: bytes) -> bytes:
    count = _length(chance)
    page = b"HTTP/1.1 500 Internal Error\r\n\r\n<html><body>out of space</body></html>"
    return archive + chance.choice((chance.randbytes(count), bytes(count), archive[:count], archive[-count:], page))


DAMAGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "cut": cut,
    "flip": flip,
    "swap": swap,
    "duplicate": duplicate,
    "lose": lose,
    "blank": blank,
    "garbage after the end": append,
}


def damage_many(count: int, seed: int) -> dict[tuple[str, str], Counter[str]]:
    """Makes so many random damages, and counts by damage and compression what became of them."""
    truths = {compression: make_truth(compression) for compression in COMPRESSIONS}
    chance = random.Random(seed)  # noqa: S311  the same each time
    counted: dict[tuple[str, str], Counter[str]] = {
        (name, compression): Counter() for name in DAMAGES for compression in COMPRESSIONS
    }
    done = 0
    while done < count:
        name = chance.choice(list(DAMAGES))
        compression = chance.choice(COMPRESSIONS)
        truth = truths[compression]
        damaged = DAMAGES[name](chance, truth.archive)
        if damaged == truth.archive:
            # Two equal parts changed places, or zeros became zeros.
            continue
        counted[name, compression][judge(truth, damaged, chance.choice((1 << 20, 1 << 20, 4096, 777)))] += 1
        done += 1
    return counted


def _length(chance: random.Random) -> int:
    """Mostly as a disk, a cache or a network loses: sectors, pages and segments; or anything."""
    return chance.choice((1, 2, 8, 512, 1024, 1448, 4096, 5632, chance.randrange(1, 20_000)))
