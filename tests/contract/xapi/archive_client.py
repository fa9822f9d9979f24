"""Clients of the handlers for streams, and readers of what they send: for the tests of this folder."""

import hashlib
import io
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xmlrpc.client import loads

import aiohttp
import xxhash
import zstandard
from datacentre_client import Rpc

BLOCK = 1024**2
ARTICLE = Path(__file__).parents[3] / "bot" / "lab" / "worlds" / "article.toml"


@dataclass
class Export:
    """What came of an export: the answer's head, the bytes as they came, the task's record at its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    task: dict[str, Any]


@dataclass
class Archive:
    """An archive that was read to its end; disks by their reference, with the digest of each stored block."""

    version: dict[str, Any]
    objects: dict[str, list[dict[str, Any]]]
    names: list[str]
    disks: dict[str, dict[int, str]] = field(default_factory=dict)

    def only(self, class_name: str) -> dict[str, Any]:
        """Returns the only record of a class."""
        assert len(self.objects[class_name]) == 1, self.objects[class_name]
        return self.objects[class_name][0]

    def digests(self) -> dict[str, dict[int, str]]:
        """Returns the blocks that are not zero by the disk's position in the guest."""
        zeros = {hashlib.sha256(bytes(BLOCK)).hexdigest()}
        positions = {vbd["VDI"]: vbd["userdevice"] for vbd in self.objects.get("VBD", [])}
        return {
            positions.get(disk, "memory"): {number: digest for number, digest in blocks.items() if digest not in zeros}
            for disk, blocks in self.disks.items()
        }


async def fetch(rpc: Rpc, path: str, *, task: str = "", host: str = "", **query: str) -> Export:
    """Sends a GET with a session and a task, follows redirections, and reads to the end of the connection."""
    task = task or await rpc.call("task.create", "export", "")
    params = {"session_id": rpc.session, "task_id": task, **query}
    async with rpc.http.get(f"{host or rpc.url}{path}", params=params) as response:
        body = await response.read()
        head = {name.lower(): value for name, value in response.headers.items()}
        return Export(response.status, head, body, await rpc.call("task.get_record", task))


def unpack(body: bytes) -> bytes:
    """Returns the plain archive, whatever it is compressed with; the end of the compression must be there."""
    if body.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(31)
        plain = unpacker.decompress(body)
        assert unpacker.eof
        assert unpacker.unused_data == b""
        return plain
    if body.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().decompressobj()
        plain = reader.decompress(body)
        assert reader.eof
        assert reader.unused_data == b""
        return plain
    return body


def read_archive(body: bytes, *, suffix: str = ".xxhash") -> Archive:
    """Reads an archive as a stranger would, with the standard library, and checks everything that can be checked."""
    plain = unpack(body)
    assert plain[-1024:] == bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r|") as tape:
        members = iter(tape)
        archive = read_description(_read(tape, next(members)))
        sizes = list_streamed(archive)
        archive.disks = {disk: {} for disk in sizes}
        order, last, offset = "", -1, 0
        for member in members:
            disk, _, number = member.name.partition("/")
            archive.names.append(member.name)
            if disk != order:
                assert not order or offset == sizes[order], (order, offset)
                assert disk > order
                order, last, offset = disk, -1, 0
            data = _read(tape, member)
            companion = next(members)
            assert companion.name == member.name + suffix
            assert _read(tape, companion).decode() == _hash(data, suffix)
            assert int(number) > last
            offset += (int(number) - last - 1) * BLOCK
            if data:
                archive.disks[disk][offset // BLOCK] = hashlib.sha256(data).hexdigest()
            offset += len(data)
            last = int(number)
        assert not order or offset == sizes[order], (order, offset)
        end = tape.offset
    assert len(plain) - end in {0, 512, 1024}, "something follows the end of the archive"
    return archive


def _hash(data: bytes, suffix: str) -> str:
    if suffix == ".xxhash":
        return xxhash.xxh64_hexdigest(data).upper()
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def read_description(ova: bytes) -> Archive:
    """Reads `ova.xml`."""
    response = b"<methodResponse><params><param>" + ova + b"</param></params></methodResponse>"
    (value,), _ = loads(response)
    assert isinstance(value, dict)
    objects: dict[str, list[dict[str, Any]]] = {}
    for one in value["objects"]:
        objects.setdefault(one["class"], []).append({**one["snapshot"], "id": one["id"]})
    return Archive(value["version"], objects, ["ova.xml"])


def list_streamed(archive: Archive) -> dict[str, int]:
    """Returns the sizes of the disks whose data must follow."""
    drives = {vbd["VDI"] for vbd in archive.objects.get("VBD", []) if vbd["type"] == "CD"}
    isos = {sr["id"] for sr in archive.objects.get("SR", []) if sr["content_type"] == "iso"}
    return {
        vdi["id"]: int(vdi["virtual_size"])
        for vdi in archive.objects.get("VDI", [])
        if vdi["id"] not in drives and vdi["SR"] not in isos
    }


def _read(tape: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    found = tape.extractfile(member)
    assert found is not None
    return found.read()


async def stop_guest(rpc: Rpc, name: str) -> str:
    """Shuts a guest down hard; returns it."""
    vm = await rpc.find("VM", name)
    await rpc.call("VM.hard_shutdown", vm)
    return vm


async def put(http: aiohttp.ClientSession, url: str, body: bytes, **query: str) -> tuple[int, dict[str, str], bytes]:
    """Sends a PUT with a body of known length; returns status, headers and whatever came before the end."""
    async with http.put(url, params=query, data=io.BytesIO(body)) as response:
        head = {name.lower(): value for name, value in response.headers.items()}
        return response.status, head, await response.read()
