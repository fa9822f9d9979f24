"""Which blocks of which disks a damaged part of an archive's file concerns."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import takewhile
from typing import Final

import xxhash

from bot.backups.proof import CHUNK, ProofReader, Record
from bot.backups.tar import BLOCK
from bot.backups.target import Stored
from bot.backups.verifier import Verifier
from bot.backups.wrong import quote
from bot.domain.backup import ArchivedDisk, Contents
from bot.errors import Damaged

# What a plain archive holds around the contents of a block: two headers, and the hash padded to 512 bytes.
_AROUND: Final = 3 * BLOCK
_END: Final = 2 * BLOCK
_MOST_SENTENCES: Final = 100


@dataclass(frozen=True)
class Range:
    """Bytes of the archive's file, from `start` up to `end`."""

    start: int
    end: int

    def meets(self, other: Range) -> bool:
        """Whether they have a byte in common."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class _Block:
    """A block: its disk by position in the archive, its number and length, where it lies or came from, its XXH64."""

    disk: int
    number: int
    length: int
    place: Range
    digest: int


def name_damage(stored: Stored, file: FileIO, proof: ProofReader | None, damaged: Sequence[Range]) -> list[str]:
    """Returns sentences that name what the damaged parts hold; without a proof, the first damage there is."""
    sentences: list[str] = []
    if proof is not None and damaged and _fits(stored, proof):
        sentences = _name_blocks(stored, file, proof, damaged)
    if not sentences:
        sentences = [_first_damage(file)]
    if len(sentences) > _MOST_SENTENCES:
        more = len(sentences) - _MOST_SENTENCES
        sentences[_MOST_SENTENCES:] = [f"{more:,} more parts of the archive are damaged."]
    return sentences


def _fits(stored: Stored, proof: ProofReader) -> bool:
    """Whether manifest and proof tell of the same archive; what they say is not believed beyond that."""
    contents = stored.manifest.contents
    disks = sum(1 for record in proof.records() if not record.chunk and not record.number)
    return disks == len(_with_blocks(contents)) and _lead(stored) > 0


def _with_blocks(contents: Contents) -> list[ArchivedDisk]:
    """The disks as the proof counts them: one without a byte has no block."""
    return [disk for disk in contents.disks if disk.size]


def _name_blocks(stored: Stored, file: FileIO, proof: ProofReader, damaged: Sequence[Range]) -> list[str]:
    if stored.manifest.contents.compression == "none":
        return _name_plain(stored, file, proof, damaged)
    return _name_packed(stored, proof, damaged)


def _name_plain(stored: Stored, file: FileIO, proof: ProofReader, damaged: Sequence[Range]) -> list[str]:
    """Exactly the blocks whose contents are no longer right, side by side in one sentence."""
    runs: list[list[_Block]] = []
    explained: set[Range] = set()
    for block, touched in _meeting(_plain_blocks(stored, proof), damaged):
        if _is_right(file, block):
            continue
        explained.update(touched)
        if runs and runs[-1][-1].disk == block.disk and runs[-1][-1].place.end == block.place.start:
            runs[-1][1:] = [block]
        else:
            runs.append([block])
    sentences = []
    for run in runs:
        verb = "is" if len(run) == 1 else "are"
        start = run[0].place.start + BLOCK
        sentences.append(f"{_tell(stored, run[0], run[-1])} {verb} damaged, from byte {start:,} of the archive.")
    for one in damaged:
        if one in explained:
            continue
        what = f"Bytes {one.start:,} to {one.end - 1:,} of the archive are damaged"
        if one.start < _lead(stored):
            sentences.append(f"{what}: the description of the guest, or what lies between the contents of the disks.")
        else:
            sentences.append(f"{what}, but not the contents of the disks in them.")
    return sentences


def _name_packed(stored: Stored, proof: ProofReader, damaged: Sequence[Range]) -> list[str]:
    """The blocks that came out of each damaged part when it was whole."""
    ends: dict[Range, tuple[_Block, _Block]] = {}
    for block, touched in _meeting(_packed_blocks(proof), damaged):
        for part in touched:
            ends[part] = (ends.get(part, (block, block))[0], block)
    sentences = []
    for part in damaged:
        what = f"Bytes {part.start:,} to {part.end - 1:,} of the packed archive are damaged"
        if part in ends:
            held = _tell(stored, *ends[part])
            what += f": {held[0].lower()}{held[1:]} came out of there"
        sentences.append(f"{what}. Nothing behind them can be unpacked.")
    return sentences


def _meeting(blocks: Iterator[_Block], damaged: Sequence[Range]) -> Iterator[tuple[_Block, list[Range]]]:
    """The blocks that have a byte in common with damaged parts, each with those parts; both are in order."""
    waiting = deque(damaged)
    for block in blocks:
        while waiting and waiting[0].end <= block.place.start:
            waiting.popleft()
        if not waiting:
            return
        touched = list(takewhile(block.place.meets, waiting))
        if touched:
            yield block, touched


def _tell(stored: Stored, first: _Block, last: _Block) -> str:
    disks = _with_blocks(stored.manifest.contents)
    labels = [quote(disks[one.disk].label, 80) for one in (first, last)]
    if first == last:
        return f"Block {first.number:08d} of {labels[0]}"
    if first.disk == last.disk:
        return f"Blocks {first.number:08d} to {last.number:08d} of {labels[0]}"
    return f"Blocks {first.number:08d} of {labels[0]} to {last.number:08d} of {labels[1]}"


def _lead(stored: Stored) -> int:
    """Bytes before the first block of a plain archive."""
    contents = stored.manifest.contents
    return contents.unpacked - _END - contents.blocks * _AROUND - sum(disk.stored for disk in contents.disks)


def _plain_blocks(stored: Stored, proof: ProofReader) -> Iterator[_Block]:
    position, disk = _lead(stored), -1
    for record in proof.records():
        if record.chunk:
            continue
        disk += not record.number
        place = Range(position, position + _AROUND + record.length)
        yield _Block(disk, record.number, record.length, place, record.digest)
        position = place.end


def _packed_blocks(proof: ProofReader) -> Iterator[_Block]:
    """Each with the chunks it came out of: from that in which the block before it ended to that in which it ended."""
    disk, start = -1, 0
    began = 0
    held: list[tuple[int, Record]] = []
    for record in proof.records():
        if record.chunk:
            for owner, one in held:
                yield _Block(owner, one.number, one.length, Range(began, start + record.length), one.digest)
                began = start
            held.clear()
            start += CHUNK
        else:
            disk += not record.number
            held.append((disk, record))


def _is_right(file: FileIO, block: _Block) -> bool:
    try:
        piece = os.pread(file.fileno(), block.length, block.place.start + BLOCK)
    except OSError as error:
        if error.errno == errno.EIO:
            return False
        raise
    return len(piece) == block.length and xxhash.xxh64_intdigest(piece) == block.digest


def _first_damage(file: FileIO) -> str:
    """Where the archive itself tells of the first damage; in words when it does not."""
    verifier = Verifier()
    offset = 0
    try:
        while piece := os.pread(file.fileno(), CHUNK, offset):
            verifier.feed(memoryview(piece))
            offset += len(piece)
        verifier.finish()
    except Damaged as error:
        return error.message
    except OSError as error:
        return f"The archive cannot be read at byte {offset:,}: {error.strerror}."
    return (
        "The archive is not the one that was made: its SHA-256 is another. It is whole in itself, so that it was "
        "exchanged, or its description of the guest was changed."
    )
