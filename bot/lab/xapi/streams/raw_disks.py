"""`GET /export_raw_vdi` and `PUT /import_raw_vdi`: one disk as it is, as a VHD, or as the blocks of an archive."""

import struct
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final

from bot.lab.xapi.archive.blocks import BLOCK, read_block
from bot.lab.xapi.archive.disk_reader import DiskReader
from bot.lab.xapi.archive.image import Image
from bot.lab.xapi.archive.source import Source
from bot.lab.xapi.archive.tape import END
from bot.lab.xapi.archive.vhd import LARGEST, Put, Vhd, read_vhd
from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.disk_work import create_disk, discard
from bot.lab.xapi.rules.storage_operations import refresh_disk
from bot.lab.xapi.rules.storage_space import grow_written
from bot.lab.xapi.streams.attach import attach
from bot.lab.xapi.streams.disk_writer import XXHASH, DiskWriter, SentDisk, look_at
from bot.lab.xapi.streams.exports import BYTES_PER_S
from bot.lab.xapi.streams.imports import choose_host, find_storage
from bot.lab.xapi.streams.outlet import Outlet
from bot.lab.xapi.streams.pace import Pace
from bot.lab.xapi.streams.visit import RefusedError, Visit, Work, attend
from bot.lab.xapi.wire import raw_pages

_FRAME: Final = struct.Struct("<QI")
_TYPES: Final[Mapping[str, str]] = {
    "raw": "application/octet-stream",
    "vhd": "application/vhd",
    "tar": "application/x-tar",
}


async def export_disk(visit: Visit) -> str:
    """Serves a request; returns how it went."""
    return await attend(visit, "Exporting raw VDI", _prepare_export)


def _prepare_export(visit: Visit) -> Work:
    vdi = _find_disk(visit, "vdi")
    base = _find_disk(visit, "base") if visit.find("base") else ""
    choose_host(visit, visit.pool.database.get("VDI", vdi, "SR"))
    kind = _find_format(visit)
    return partial(_send, visit, vdi, base, kind)


def _find_disk(visit: Visit, name: str) -> str:
    """Returns the disk that a parameter names by UUID or reference."""
    database, text = visit.pool.database, visit.find(name)
    if database.has("VDI", text):
        return text
    try:
        return database.find_by_uuid("VDI", text)
    except ApiError as error:
        raise visit.refuse(error) from None


def _find_format(visit: Visit) -> str:
    kind = visit.query.get("format", "raw")
    if kind not in _TYPES:
        failure = ApiError("INTERNAL_ERROR", f'Failure("Unknown format {kind}")')
        raise RefusedError(raw_pages.write_missing(), failure.code, failure)
    return kind


async def _send(visit: Visit, vdi: str, base: str, kind: str, context: Context) -> None:
    database = visit.pool.database
    disk = look_at(visit.pool, "vdi", vdi)
    for vbd in database.get("VDI", vdi, "VBDs"):
        if database.get("VBD", vbd, "currently_attached") and database.get("VBD", vbd, "mode") == "RW":
            raise ApiError("VDI_IN_USE", vdi, "attach")
    if kind == "vhd" and disk.size > LARGEST:
        raise ApiError("VDI_TOO_LARGE", vdi, str(LARGEST))
    pace = Pace(context, BYTES_PER_S, disk.size, storages={disk.storage}, writes=False)
    outlet = Outlet(visit, pace, "none")
    await visit.begin(raw_pages.write_disk_head(_TYPES[kind], context.task))
    with attach(visit.pool, [vdi]):
        await _write(visit, disk, base, DiskWriter(context, outlet, pace, XXHASH, visit.trouble), kind)


async def _write(visit: Visit, disk: SentDisk, base: str, writer: DiskWriter, kind: str) -> None:
    database, outlet, pace = visit.pool.database, writer.outlet, writer.pace
    if kind == "tar":
        await writer.write(disk)
        await outlet.write(END)
    elif kind == "vhd":
        name = uuid.UUID(database.get("VDI", disk.vdi, "uuid")).bytes
        vhd = Vhd(name, disk.size, disk.blocks)
        if base:
            known = database.get("VDI", base, "uuid")
            vhd = Vhd(name, disk.size, disk.blocks, uuid.UUID(known).bytes, visit.pool.contents.find(known))
        for piece in vhd.write():
            await outlet.write(piece)
    else:
        for number in range(-(-disk.size // BLOCK)):
            size = min(BLOCK, disk.size - number * BLOCK)
            await outlet.write(read_block(disk.blocks.get(number), size))
            await pace.reach(number * BLOCK + size)


async def import_disk(visit: Visit) -> str:
    """Serves a request; returns how it went."""
    return await attend(visit, "Importing raw VDI", _prepare_import, ends_with_client=False)


def _prepare_import(visit: Visit) -> Work:
    database = visit.pool.database
    vdi = _find_disk(visit, "vdi") if visit.find("vdi") else ""
    storage = database.get("VDI", vdi, "SR") if vdi else find_storage(visit)
    choose_host(visit, storage)
    kind = _find_format(visit)
    if visit.is_chunked or (not vdi and (visit.length is None or visit.find("chunked") == "true")):
        error = ApiError("IMPORT_ERROR_CANNOT_HANDLE_CHUNKED")
        raise RefusedError(raw_pages.write_forbidden(), error.code, error)
    return partial(_receive, visit, vdi, storage, kind)


async def _receive(visit: Visit, vdi: str, storage: str, kind: str, context: Context) -> str | None:
    database = visit.pool.database
    if vdi and any(database.get("VBD", vbd, "currently_attached") for vbd in database.get("VDI", vdi, "VBDs")):
        raise ApiError("VDI_IN_USE", vdi, "attach")
    if vdi:
        with attach(visit.pool, [vdi]):
            await _fill(visit, vdi, kind, context)
        return None
    made = await create_disk(context, storage, virtual_size=visit.length or 0, name_label="Imported VDI")
    with ExitStack() as undo:
        undo.callback(discard, context, made)
        with attach(visit.pool, [made]):
            await _fill(visit, made, kind, context)
        undo.pop_all()
    return made


async def _fill(visit: Visit, vdi: str, kind: str, context: Context) -> None:
    database = visit.pool.database
    await visit.begin(raw_pages.write_import_head(context.task))
    size = database.get("VDI", vdi, "virtual_size")
    pace = Pace(context, BYTES_PER_S, size, storages={database.get("VDI", vdi, "SR")}, writes=True)
    if kind == "tar":
        await _read_tar(visit, vdi, pace)
    else:
        before = {} if kind == "raw" else visit.pool.contents.find(database.get("VDI", vdi, "uuid"))
        image = Image(visit.pool.contents, size, before)

        async def put(offset: int, data: bytes) -> None:
            if offset + len(data) > size:
                data = data[: max(0, size - offset)]
                if kind == "raw":
                    raise ApiError("VDI_IO_ERROR", "Device I/O errors")
            grow_written(database, vdi, image.write(offset, data))
            await pace.carry(len(data))
            await pace.reach(offset + len(data))

        if visit.find("chunked") == "true":
            await _read_framed(Source(visit.read), put)
        elif kind == "vhd":
            await read_vhd(Source(visit.read).take, put)
        else:
            async for offset, data in _read_raw(visit):
                await put(offset, data)
        visit.pool.contents.put(database.get("VDI", vdi, "uuid"), image.close())
    refresh_disk(visit.pool, vdi)


async def _read_raw(visit: Visit) -> AsyncIterator[tuple[int, bytes]]:
    """Returns the body in pieces, with their offsets."""
    offset = 0
    while data := await visit.read(BLOCK):
        yield offset, data
        offset += len(data)


async def _read_framed(source: Source, put: Put) -> None:
    """Reads pieces with offset and length before each, both little-endian; one without data is the end."""
    while True:
        offset, size = _FRAME.unpack(await source.take(_FRAME.size))
        if size == 0:
            return
        await put(offset, await source.take(size))


async def _read_tar(visit: Visit, vdi: str, pace: Pace) -> None:
    database, contents = visit.pool.database, visit.pool.contents
    reader = DiskReader(Source(visit.read), contents, has_companions=True, forgives=False)

    async def note(stored: int, offset: int) -> None:
        grow_written(database, vdi, stored)
        await pace.carry(stored)
        await pace.reach(offset)

    blocks = await reader.read("vdi", database.get("VDI", vdi, "virtual_size"), note)
    contents.put(database.get("VDI", vdi, "uuid"), blocks)
