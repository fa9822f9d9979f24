"""`PUT /import`: an archive becomes guests with their disks, or nothing is left of it."""

import asyncio
import secrets
from contextlib import ExitStack
from functools import partial
from typing import Final

from bot.lab.xapi.archive.disk_reader import DiskReader
from bot.lab.xapi.archive.ova import find_version, is_modern
from bot.lab.xapi.archive.ova_reader import Description, read_description
from bot.lab.xapi.archive.source import Source
from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.guest_operations import is_upgrading, refresh_allowed
from bot.lab.xapi.rules.storage_operations import refresh_disk, sees
from bot.lab.xapi.rules.storage_space import grow_written
from bot.lab.xapi.rules.turns import leave
from bot.lab.xapi.streams.attach import attach
from bot.lab.xapi.streams.exports import is_live
from bot.lab.xapi.streams.import_records import Import
from bot.lab.xapi.streams.pace import Pace
from bot.lab.xapi.streams.restore_checks import check_version, make_room
from bot.lab.xapi.streams.visit import RefusedError, Visit, Work, attend
from bot.lab.xapi.wire import raw_pages

BYTES_PER_S: Final = 100_000_000.0
_WITH_COMPANIONS: Final = 1  # the version of the format from which each block has one


async def import_guest(visit: Visit) -> str:
    """Serves a request; returns how it went."""
    return await attend(visit, "Importing VM", _prepare, ends_with_client=False)


def _prepare(visit: Visit) -> Work:
    storage = find_storage(visit)
    choose_host(visit, storage)
    if is_upgrading(visit.pool):
        raise _refuse_badly(ApiError("NOT_SUPPORTED_DURING_UPGRADE"))
    if visit.pool.database.get("SR", storage, "content_type") == "iso":
        raise _refuse_badly(ApiError("SR_OPERATION_NOT_SUPPORTED"))
    if visit.is_chunked:
        error = ApiError("IMPORT_ERROR_CANNOT_HANDLE_CHUNKED")
        raise RefusedError(raw_pages.write_forbidden(), error.code, error)
    return partial(_receive, visit, storage)


def _refuse_badly(error: ApiError) -> RefusedError:
    return RefusedError(raw_pages.write_bad_request(raw_pages.describe(error)), error.code, error)


def find_storage(visit: Visit) -> str:
    """Returns the repository that a request names, or the pool's default.

    Raises:
        RefusedError: There is none.
    """
    try:
        return _look_for_storage(visit)
    except ApiError as error:
        # A real server shows the failure of its database in one of these cases.
        uuid = visit.find("sr_uuid")
        shown = f'Db_exn.Read_missing_uuid("SR", "", "{uuid}")' if error.code == "UUID_INVALID" else ""
        raise visit.refuse(error, shown) from None


def _look_for_storage(visit: Visit) -> str:
    database = visit.pool.database
    if ref := visit.find("sr_id"):
        database.record("SR", ref)
        return ref
    if uuid := visit.find("sr_uuid"):
        return database.find_by_uuid("SR", uuid)
    default: str = database.get("pool", visit.pool.ref, "default_SR")
    if not database.has("SR", default):
        raise ApiError("DEFAULT_SR_NOT_FOUND", default)
    return default


def choose_host(visit: Visit, storage: str) -> None:
    """Sends the client to a host that has the repository plugged when this one has not.

    Raises:
        RefusedError: With the redirection, or a page when there is no such host.
    """
    pool, database = visit.pool, visit.pool.database
    able = [host for host in database.refs("host") if is_live(pool, host) and sees(database, host, storage)]
    if not able:
        raise visit.refuse(ApiError("NO_HOSTS_AVAILABLE"))
    if visit.machine.ref not in able:
        raise visit.redirect(database.get("host", secrets.choice(able), "address"))


async def _receive(visit: Visit, storage: str, context: Context) -> list[str]:
    await visit.begin(raw_pages.write_import_head(context.task))
    software = visit.pool.database.get("host", visit.machine.ref, "software_version")
    source = Source(visit.read, knows_zstd=is_modern(software))
    keeps_identity, is_forced = visit.find("restore") == "true", visit.find("force") == "true"
    try:
        return await run_import(context, storage, source, keeps_identity=keeps_identity, is_forced=is_forced)
    except ApiError as error:
        if error.code == "IMPORT_ERROR_PREMATURE_EOF" and source.is_plain:
            # What is not compressed is read from the socket whatever length was told: a real server waits for more.
            await visit.lost.wait()
        raise


async def run_import(
    context: Context, storage: str, source: Source, *, keeps_identity: bool, is_forced: bool
) -> list[str]:
    """Makes guests of an archive; nothing of them is left after a failure, unless by force or when the server dies.

    Args:
        context: Of the request or call; its host does the work.
        storage: Where all disks go.
        source: The archive.
        keeps_identity: Whether guests keep UUIDs and addresses.
        is_forced: Whether existing guests are replaced that are not older, and wrong companions forgiven.

    Returns:
        The guests; snapshots among them only where there is nothing else.

    Raises:
        ApiError: `IMPORT_ERROR…` for what is wrong with the archive; what storage and restore refuse.
    """
    pool = context.pool
    header = await source.open()
    description = read_description(await source.take_data(header))
    check_version(description, find_version(pool.database.get("host", context.machine.ref, "software_version")))
    if keeps_identity:
        make_room(pool, description, is_forced=is_forced)
    with ExitStack() as undo:
        made = Import(context, description, storage, keeps_identity, undo)
        undo.callback(let_go, context, made)
        await made.create()
        pool.tasks.write(context.task, other_config=_note_creation(context))
        if is_forced:
            # Whatever happens to the data, what was made stays.
            undo.pop_all()
            undo.callback(let_go, context, made)
        try:
            with attach(pool, [made.known[name] for name, _ in description.list_disks()]):
                await _fill(context, source, made, is_forced=is_forced)
        except asyncio.CancelledError:
            if context.runner is not None and context.runner.reason is not None:
                # The server has died over it: nobody is left who could clean up.
                undo.pop_all()
                let_go(context, made)
            raise
        context.set_cancellable(cancellable=False)
        undo.pop_all()
        let_go(context, made)
    return list_guests(description, made)


def list_guests(description: Description, made: Import) -> list[str]:
    """Returns the guests of an archive; its snapshots are told only where there is nothing else."""
    guests = description.records("VM")
    proper = [ref for ref, record in guests.items() if not record["is_a_snapshot"]]
    return [made.known[ref] for ref in proper or guests]


def _note_creation(context: Context) -> dict[str, str]:
    database = context.pool.database
    known = database.get("task", context.task, "other_config") if database.has("task", context.task) else {}
    return {**known, "object_creation": "complete"}


def let_go(context: Context, made: Import) -> None:
    """Ends the operation that the guests of an import show."""
    for vm in made.guests:
        leave(context.pool, "VM", vm, context.task)
        refresh_allowed(context.pool, vm)


async def _fill(context: Context, source: Source, made: Import, *, is_forced: bool) -> None:
    """Reads the data of the disks; each grows with what is written to it."""
    pool, database = context.pool, context.pool.database
    disks = made.description.list_disks()
    pace = Pace(
        context, BYTES_PER_S, sum(size for _, size in disks), storages={made.storage} if disks else (), writes=True
    )
    has_companions = made.description.export_version >= _WITH_COMPANIONS
    reader = DiskReader(
        source,
        pool.contents,
        has_companions=has_companions,
        forgives=is_forced,
        knows_xxhash=is_modern(database.get("host", context.machine.ref, "software_version")),
    )
    done = 0
    for name, size in disks:
        vdi = made.known[name]

        async def note(stored: int, offset: int, vdi: str = vdi, done: int = done) -> None:
            if not sees(database, context.machine.ref, made.storage):
                raise ApiError("VDI_IO_ERROR", "Device I/O errors")
            grow_written(database, vdi, stored)
            await pace.carry(stored)
            await pace.reach(done + offset)

        blocks = await reader.read(name, size, note)
        pool.contents.put(database.get("VDI", vdi, "uuid"), blocks)
        refresh_disk(pool, vdi)
        done += size
