"""Repositories of type nfs that hosts have mounted: what their use meets when the file server changes meanwhile."""

from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.nfs import Export, NfsServer
from bot.lab.xapi.pool import Pool

_SLOW_S: Final = 20.0
_SLOW_TIMES: Final = 20.0
# Codes of what fails where nothing can be written.
_TEXTS: Final = {
    78: "VDI Creation failed",
    80: "Failed to mark VDI hidden",
    81: "Failed to clone VDI",
    82: "Failed to snapshot VDI",
    110: "VDI resize failed",
}


def find_export(pool: Pool, storage: str) -> tuple[NfsServer, Export] | None:
    """Returns where a repository of type nfs is, by the configuration of its PBDs; None for all others."""
    record = pool.database.record("SR", storage)
    if record["type"] != "nfs":
        return None
    for pbd in record["PBDs"]:
        if (found := pool.outside.find_export(pool.database.get("PBD", pbd, "device_config"))) is not None:
            return found
    return None


async def wait_for_answer(pool: Pool, server: NfsServer) -> None:
    """Waits as long as a server takes connections and answers nothing; a slow one takes its time."""
    while server.is_hung:
        await server.turned.wait()
    if server.is_slow:
        await pool.clock.sleep(_SLOW_S)


async def stand_by(pool: Pool, storage: str) -> None:
    """Waits, as whoever reads or writes a mounted file does, while the file server of a repository is not there."""
    if (found := find_export(pool, storage)) is not None:
        await _wait_for_service(found[0])


async def _wait_for_service(server: NfsServer) -> None:
    while server.is_hung or not server.runs_nfs:
        await server.turned.wait()


async def reach_data(pool: Pool, storage: str, *, writes: bool) -> float:
    """Waits for a file server before data go to a mounted repository or come from it.

    Returns:
        How many times as long as usual the data take.

    Raises:
        ApiError: `VDI_IO_ERROR` where the directory is gone, or nothing can be written.
    """
    if not pool.database.has("SR", storage) or (found := find_export(pool, storage)) is None:
        return 1.0
    server, export = found
    await _wait_for_service(server)
    if export.is_missing or (writes and export.refusal):
        raise ApiError("VDI_IO_ERROR", "Device I/O errors")
    return _SLOW_TIMES if server.is_slow else 1.0


async def use(context: Context, storage: str, *, writes: int = 0) -> None:
    """Waits for the server of a repository that is mounted, as the kernel does, as long as it answers nothing.

    Args:
        context: Of the call.
        storage: The repository; nothing happens for one that is not of type nfs.
        writes: Code of the failure of what is to be written, 0 for what only reads.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_47` when its directory is gone, the given code where nothing can be written.
    """
    found = find_export(context.pool, storage)
    if found is None:
        return
    server, export = found
    await _wait_for_service(server)
    await wait_for_answer(context.pool, server)
    if export.is_missing:
        uuid = context.pool.database.get("SR", storage, "uuid")
        raise driver_failure(47, f"The SR is not available [opterr=no such directory /var/run/sr-mount/{uuid}]")
    if writes and export.refusal:
        raise driver_failure(writes, f"{_TEXTS[writes]} [opterr=error {export.refusal}]")
