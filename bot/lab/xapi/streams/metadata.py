"""`GET /export_metadata` and `PUT /import_metadata`: the records of guests without the data of their disks."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Final

from bot.lab.xapi.archive.ova import Inventory, find_version
from bot.lab.xapi.archive.ova_reader import read_description
from bot.lab.xapi.archive.source import Source
from bot.lab.xapi.archive.tape import END, write_member
from bot.lab.xapi.calls import Context
from bot.lab.xapi.rules.guest_operations import operate
from bot.lab.xapi.streams.exports import LONGEST_WAIT_S, find_guest
from bot.lab.xapi.streams.import_records import Import
from bot.lab.xapi.streams.imports import let_go, list_guests
from bot.lab.xapi.streams.restore_checks import check_version, make_room
from bot.lab.xapi.streams.visit import Visit, Work, attend
from bot.lab.xapi.values import NULL_REF
from bot.lab.xapi.wire import raw_pages

_TRUE: Final = "true"


async def export_metadata(visit: Visit) -> str:
    """Serves a request; returns how it went."""
    return await attend(visit, "Exporting VM metadata", _prepare_export)


def _prepare_export(visit: Visit) -> Work:
    if visit.find("all") == _TRUE:
        return partial(_send, visit, _list_all(visit), "")
    vm = find_guest(visit)
    return partial(_send, visit, [vm], vm)


def _list_all(visit: Visit) -> list[str]:
    with_dom0 = visit.query.get("include_dom0", _TRUE) == _TRUE
    items = visit.pool.database.items("VM")
    return [
        vm for vm, record in items if not record["is_a_snapshot"] and (with_dom0 or not record["is_control_domain"])
    ]


async def _send(visit: Visit, guests: list[str], held: str, context: Context) -> None:
    database = visit.pool.database
    with_snapshots = visit.query.get("export_snapshots", _TRUE) == _TRUE
    excluded = visit.find("excluded_device_types").split(",")
    async with _hold(context, held):
        inventory = Inventory(database, visit.machine.archive_numbers)
        for vm in guests:
            snapshots = database.get("VM", vm, "snapshots") if with_snapshots else []
            for one in (vm, *snapshots):
                inventory.add_guest(one, keeps_state=True, excluded=excluded)
        software = database.get("host", visit.machine.ref, "software_version")
        ova = inventory.write(software, keeps_state=True, with_snapshots=with_snapshots)
        body = write_member("ova.xml", ova, modified=int(time.time())) + END
        await visit.begin(raw_pages.write_export_head(context.task, length=len(body)))
        await visit.pipe.send(body)


@asynccontextmanager
async def _hold(context: Context, vm: str) -> AsyncIterator[None]:
    """Holds the one guest that was asked for; nothing when all are exported."""
    if not vm:
        yield
        return
    async with operate(context, vm, "metadata_export", longest_s=LONGEST_WAIT_S):
        yield


async def import_metadata(visit: Visit) -> str:
    """Serves a request; returns how it went."""
    return await attend(visit, "Importing VM metadata", _prepare_import, ends_with_client=False)


def _prepare_import(visit: Visit) -> Work:
    return partial(_receive, visit)


async def _receive(visit: Visit, context: Context) -> list[str]:
    pool = visit.pool
    await visit.begin(raw_pages.write_import_head(context.task))
    source = Source(visit.read)
    header = await source.open()
    description = read_description(await source.take_data(header))
    check_version(description, find_version(pool.database.get("host", visit.machine.ref, "software_version")))
    keeps_identity = visit.find("restore") == _TRUE
    is_forced = visit.find("force") == _TRUE
    mapped = {name.removeprefix("vdi:"): uuid for name, uuid in visit.query.items() if name.startswith("vdi:")}
    with ExitStack() as undo:
        made = Import(context, description, NULL_REF, keeps_identity, undo, disks=mapped, is_forced=is_forced)
        if visit.find("dry_run") == _TRUE:
            made.find_disks()
            return []
        if keeps_identity:
            make_room(pool, description, is_forced=is_forced)
        undo.callback(let_go, context, made)
        await made.create()
        undo.pop_all()
        let_go(context, made)
    return list_guests(description, made)
