"""A disk that is being written."""

from bot.lab.xapi.archive.blocks import BLOCK, Block, is_zero
from bot.lab.xapi.archive.content import Blocks, Contents


class Image:
    """A disk that is written from its beginning to its end: pieces of any size become blocks.

    Args:
        contents: Keeps what is written.
        size: The virtual size in bytes.
        blocks: What it holds before; a disk of zeros when left out.
    """

    def __init__(self, contents: Contents, size: int, blocks: Blocks | None = None) -> None:
        self._contents = contents
        self._size = size
        self._blocks: dict[int, Block] = dict(blocks or {})
        self._number = 0
        self._open: bytearray | None = None

    def write(self, offset: int, data: bytes) -> int:
        """Writes some bytes; returns how many of them are in blocks that hold anything but zeros."""
        stored = 0
        view = memoryview(data)
        while view:
            number, begin = divmod(offset, BLOCK)
            piece = view[: BLOCK - begin]
            if number != self._number:
                self._flush()
                self._number = number
            if begin == 0 and len(piece) == self._length(number):
                stored += self._keep(number, bytes(piece))
            else:
                if self._open is None:
                    self._open = self._read(number)
                self._open[begin : begin + len(piece)] = piece
                stored += 0 if is_zero(piece) else len(piece)
            offset, view = offset + len(piece), view[len(piece) :]
        return stored

    def close(self) -> dict[int, Block]:
        """Returns all blocks."""
        self._flush()
        return self._blocks

    def _read(self, number: int) -> bytearray:
        old = self._blocks.get(number)
        return bytearray(self._length(number)) if old is None else bytearray(old.read())

    def _length(self, number: int) -> int:
        return min(BLOCK, self._size - number * BLOCK)

    def _flush(self) -> None:
        if self._open is not None:
            self._keep(self._number, bytes(self._open))
            self._open = None

    def _keep(self, number: int, data: bytes) -> int:
        block = self._contents.keep(data)
        if block is None:
            self._blocks.pop(number, None)
            return 0
        self._blocks[number] = block
        return len(data)
