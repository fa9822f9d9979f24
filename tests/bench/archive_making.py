"""Archives of guests of any size, written piece by piece."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import xxhash

sys.path.insert(0, str(Path(__file__).parents[1]))

from xva_making import MIB, DiskSpec, Recipe, make_header, make_ova


def write_archive(path: Path, gib: int, one_of: int = 1) -> int:
    """Writes the export of a guest with one disk of which one MiB of so many is stored; gives the file's size."""
    blocks = gib * 1024
    numbers = sorted({*range(0, blocks, one_of), blocks - 1})
    # Every block is another, and none can be packed.
    noise = os.urandom(MIB - 8)
    with path.open("wb", buffering=0) as file:
        ova = make_ova(Recipe(disks=(DiskSpec("Ref:7", blocks * MIB, {}),)))
        file.write(make_header("ova.xml", len(ova)) + ova + bytes(-len(ova) % 512))
        for number in numbers:
            block = number.to_bytes(8, "little") + noise
            name = f"Ref:7/{number:08d}"
            digest = f"{xxhash.xxh64_intdigest(block):016X}".encode()
            header, companion = make_header(name, MIB), make_header(f"{name}.xxhash", len(digest))
            file.write(b"".join((header, block, companion, digest, bytes(512 - len(digest)))))
        file.write(bytes(1024))
    return path.stat().st_size
