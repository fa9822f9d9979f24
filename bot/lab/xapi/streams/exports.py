"""`GET /export`: a guest with its disks as an archive, made while it is sent."""

import secrets
import time
from functools import partial
from typing import Final

from bot.lab.xapi.archive.ova import Inventory, is_modern
from bot.lab.xapi.archive.packing import Packing
from bot.lab.xapi.archive.tape import END, RECORD, write_member
from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_copies import list_disks
from bot.lab.xapi.rules.guest_operations import operate
from bot.lab.xapi.rules.storage_operations import sees
from bot.lab.xapi.streams.attach import attach
from bot.lab.xapi.streams.disk_writer import SHA1, XXHASH, DiskWriter, look_at
from bot.lab.xapi.streams.outlet import EndedError, Outlet
from bot.lab.xapi.streams.pace import Pace
from bot.lab.xapi.streams.visit import RefusedError, Visit, Work, attend
from bot.lab.xapi.wire import raw_pages

BYTES_PER_S: Final = 100_000_000.0
LONGEST_WAIT_S: Final = 120.0
_GARBAGE: Final = b"something that is no part of the archive\n" * 100


async def export(visit: Visit) -> str:
    """Serves a request; returns how it went."""
    return await attend(visit, "Exporting VM", _prepare)


def _prepare(visit: Visit) -> Work:
    vm = find_guest(visit)
    choose_host(visit, vm)
    return partial(_send, visit, vm)


def find_guest(visit: Visit) -> str:
    """Returns the guest that a request names, by reference before UUID; an unknown reference is returned as it is.

    Raises:
        RefusedError: It names none, or a UUID that nobody has.
    """
    if ref := visit.find("ref"):
        return ref
    uuid = visit.find("uuid")
    if not uuid:
        raise RefusedError(raw_pages.write_failure("Not_found"), "no guest")
    try:
        return visit.pool.database.find_by_uuid("VM", uuid)
    except ApiError as error:
        raise visit.refuse(error) from None


def choose_host(visit: Visit, vm: str) -> None:
    """Sends the client to a host that sees all disks of the guest when this one does not.

    Raises:
        RefusedError: With the redirection, or without any answer when there is no such host.
    """
    pool, database = visit.pool, visit.pool.database
    able: list[str] = []
    if database.has("VM", vm):
        storages = {database.get("VDI", vdi, "SR") for vdi in list_disks(database, vm).values()}
        able = [
            host
            for host in database.refs("host")
            if is_live(pool, host) and all(sees(database, host, storage) for storage in storages)
        ]
    if not able:
        raise RefusedError(b"", "NO_HOSTS_AVAILABLE", ApiError("NO_HOSTS_AVAILABLE"))
    if visit.machine.ref not in able:
        raise visit.redirect(database.get("host", secrets.choice(able), "address"))


def is_live(pool: Pool, host: str) -> bool:
    """Tells whether the pool believes that a host lives."""
    metrics = pool.database.get("host", host, "metrics")
    return pool.database.has("host_metrics", metrics) and bool(pool.database.get("host_metrics", metrics, "live"))


async def _send(visit: Visit, vm: str, context: Context) -> None:
    pool, database = visit.pool, visit.pool.database
    wants_state = visit.read_flag("preserve_power_state")
    async with operate(context, vm, "export", longest_s=LONGEST_WAIT_S):
        keeps_state = wants_state and database.get("VM", vm, "power_state") == "Suspended"
        inventory = Inventory(database, visit.machine.archive_numbers)
        inventory.add_guest(vm, keeps_state=keeps_state)
        software: dict[str, str] = database.get("host", visit.machine.ref, "software_version")
        ova = inventory.write(software, keeps_state=keeps_state)
        disks = [look_at(pool, name, vdi) for name, vdi in inventory.list_streamed(keeps_state=keeps_state)]
        is_new = is_modern(software)
        pace = Pace(
            context,
            BYTES_PER_S,
            sum(disk.size for disk in disks),
            storages={disk.storage for disk in disks},
            writes=False,
        )
        outlet = Outlet(visit, pace, _read_packing(visit.find("use_compression"), is_new=is_new))
        await visit.begin(raw_pages.write_export_head(context.task))
        try:
            await outlet.write(write_member("ova.xml", ova, modified=int(time.time())))
            writer = DiskWriter(context, outlet, pace, XXHASH if is_new else SHA1, visit.trouble)
            with attach(pool, [disk.vdi for disk in disks]):
                for disk in disks:
                    await writer.write(disk)
            await outlet.write(END[:RECORD] if visit.trouble.has("one_zero_block") else END)
        except EndedError:
            pass
        finally:
            # The compressor ends properly even where the archive does not.
            await outlet.close()
        if visit.trouble.has("garbage"):
            await outlet.put(_GARBAGE)
        context.set_cancellable(cancellable=False)


def _read_packing(text: str, *, is_new: bool) -> Packing:
    if text in {"true", "gzip"}:
        return "gzip"
    return "zstd" if text == "zstd" and is_new else "none"
