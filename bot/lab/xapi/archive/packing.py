"""Compression of whole archives, as the server's own gzip and zstd do it."""

import zlib
from typing import Final, Literal, Protocol

import zstandard

Packing = Literal["none", "gzip", "zstd"]
_GZIP: Final = 31  # a window of 32 KiB, with gzip's header and end


class Packer(Protocol):
    """Compresses a stream."""

    def compress(self, data: bytes) -> bytes:
        """Returns what is ready."""

    def flush(self) -> bytes:
        """Returns the rest with a valid end."""


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def make_packer(packing: Packing) -> Packer:
    """Returns what compresses so."""
    match packing:
        case "gzip":
            return zlib.compressobj(wbits=_GZIP)
        case "zstd":
            return zstandard.ZstdCompressor().compressobj()
    return _Plain()


class Unpacker(Protocol):
    """Decompresses a stream."""

    def decompress(self, data: bytes) -> bytes:
        """Returns what is ready."""


UnpackingError: Final = (zlib.error, zstandard.ZstdError)


class PlainUnpacker:
    """Passes everything on."""

    def decompress(self, data: bytes) -> bytes:
        """Returns the same."""
        return data


def make_unpacker(start: bytes, *, knows_zstd: bool) -> Unpacker:
    """Returns what decompresses a stream that is no plain archive: zstd where it begins like that, gzip otherwise."""
    if knows_zstd and start.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompressobj()
    return zlib.decompressobj(wbits=_GZIP)
