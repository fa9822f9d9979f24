"""Makes archives of guests for tests, member by member, so that a test can also make wrong ones."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import xxhash
import zstandard

MIB = 1 << 20
END = bytes(1024)
REAL = Path(__file__).parents[2] / "shared" / "reference" / "real-xapi" / "xva"


@dataclass(frozen=True)
class Member:
    name: str
    content: bytes
    style: str = "v7"

    def __bytes__(self) -> bytes:
        return make_header(self.name, len(self.content), self.style) + self.content + bytes(-len(self.content) % 512)


@dataclass(frozen=True)
class DiskSpec:
    """A disk: `blocks` maps numbers of blocks to their contents; a number may stand for any offset."""

    key: str
    size: int
    blocks: dict[int, bytes]
    device: str = "0"
    name: str = "root"
    kind: str = "Disk"
    content_type: str = "user"


@dataclass(frozen=True)
class Recipe:
    """An archive to be made."""

    disks: Sequence[DiskSpec] = ()
    guest: str = "web1"
    snapshot_of: str | None = None
    companions: str = "xxhash"
    style: str = "v7"
    export_version: int = 2
    extra_objects: str = ""
    members: list[Member] = field(default_factory=list)


def make_header(name: str, size: int, style: str = "v7", kind: bytes = b"\0") -> bytes:
    head = bytearray(512)
    head[0 : len(name.encode())] = name.encode()
    head[100:108] = b"0000400\0"
    head[108:116] = head[116:124] = b"0000000\0"
    head[124:136] = b"%011o\0" % size
    head[136:148] = b"00000000000\0"
    head[148:156] = b" " * 8
    head[156:157] = kind
    if style == "ustar":
        head[156:157] = b"0" if kind == b"\0" else kind
        head[257:265] = b"ustar\x0000"
    elif style == "gnu":
        head[156:157] = b"0" if kind == b"\0" else kind
        head[257:265] = b"ustar  \0"
        head[265:269] = b"root"
    head[148:156] = b"%07o\0" % sum(head) if style == "v7" else b"%06o\0 " % sum(head)
    return bytes(head)


def make_hash(content: bytes, companions: str) -> bytes:
    if companions == "xxhash":
        return f"{xxhash.xxh64_intdigest(content):016X}".encode()
    return hashlib.sha1(content, usedforsecurity=False).hexdigest().encode()


def make_block(name: str, content: bytes, recipe: Recipe) -> list[Member]:
    return [
        Member(name, content, recipe.style),
        Member(f"{name}.{recipe.companions}", make_hash(content, recipe.companions), recipe.style),
    ]


def make_ova(recipe: Recipe) -> bytes:
    taken: dict[str, object] = {}
    if recipe.snapshot_of is not None:
        info = {"disk-snapshot-type": "crash_consistent", "power-state-at-snapshot": "Running"}
        taken = {"snapshot_info": info, "snapshot_metadata": recipe.snapshot_of}
    objects = [
        _object(
            "VM",
            "Ref:0",
            uuid="2f0b2b0e-0001-4000-8000-000000000001",
            name_label=recipe.guest,
            is_a_template=recipe.snapshot_of is not None,
            power_state="Halted",
            memory_static_max="536870912",
            VCPUs_max="2",
            other_config={"mac_seed": "5eed0001-0001-4000-8000-000000000001"},
            **taken,
        ),
        _object("VIF", "Ref:1", VM="Ref:0", device="0", MAC="02:00:00:00:00:01", network="Ref:2"),
        _object("network", "Ref:2", uuid="net-1", name_label="Network 0"),
    ]
    for disk in recipe.disks:
        objects += [
            _object("VBD", f"{disk.key}-vbd", VM="Ref:0", VDI=disk.key, type=disk.kind, userdevice=disk.device),
            _object(
                "VDI",
                disk.key,
                uuid=f"vdi-{disk.key}",
                name_label=disk.name,
                virtual_size=str(disk.size),
                SR=f"{disk.key}-sr",
            ),
            _object("SR", f"{disk.key}-sr", uuid="sr-1", name_label="nfs-vhd", content_type=disk.content_type),
        ]
    version = _struct(
        product_version="8.4.0",
        product_brand="XCP-ng",
        xapi_major="26",
        xapi_minor="17",
        export_vsn=str(recipe.export_version),
    )
    listed = "".join(objects) + recipe.extra_objects
    body = f"<member><name>version</name><value>{version}</value></member>"
    body += f"<member><name>objects</name><value><array><data>{listed}</data></array></value></member>"
    return f"<value><struct>{body}</struct></value>".encode()


def make_members(recipe: Recipe) -> list[Member]:
    """The members of the archive, the two blocks at its end left out."""
    members = [Member("ova.xml", make_ova(recipe), recipe.style)]
    for disk in sorted(recipe.disks, key=lambda one: one.key):
        if disk.kind == "CD" or disk.content_type == "iso":
            continue
        for number, content in disk.blocks.items():
            members += make_block(f"{disk.key}/{number:08d}", content, recipe)
    return members


def join(members: Iterable[Member], end: bytes = END) -> bytes:
    return b"".join(map(bytes, members)) + end


def make_archive(recipe: Recipe, compression: str = "none") -> bytes:
    return pack(join(make_members(recipe)), compression)


def pack(plain: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(plain, 6, mtime=0)
    if compression == "zstd":
        # As the program of that name packs a pipe: with a checksum, without the length.
        library = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=False).compressobj()
        return library.compress(plain) + library.flush()
    return plain


def make_content(seed: int, length: int = MIB) -> bytes:
    """Contents that differ from block to block: half of it packs well, as disks do."""
    half = length // 2
    # A fixed seed is the point: the same archive each time.
    return random.Random(seed).randbytes(length - half) + bytes([seed % 256]) * half  # noqa: S311  as above


def _object(kind: str, key: str, **fields: object) -> str:
    return f"<value>{_struct(**{'class': kind, 'id': key, 'snapshot': fields})}</value>"


def _struct(**fields: object) -> str:
    members = (
        f"<member><name>{escape(name)}</name><value>{_value(one)}</value></member>" for name, one in fields.items()
    )
    return f"<struct>{''.join(members)}</struct>"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return f"<boolean>{int(value)}</boolean>"
    if isinstance(value, dict):
        return _struct(**value)
    return escape(str(value))
