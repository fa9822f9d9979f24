"""What others do in a datacentre that clients share: guests that crash, other tools, storage that fills up."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.dispatch import dispatch
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import storage_space
from bot.lab.xapi.rules.announcements import announce_guest
from bot.lab.xapi.rules.guest_copies import list_disks
from bot.lab.xapi.rules.guest_operations import STATES, check_operation, operate, refresh_allowed
from bot.lab.xapi.rules.guest_state import boot_on, halt
from bot.lab.xapi.rules.host_operations import check_host_operation
from bot.lab.xapi.rules.host_operations import occupy_host as hold_host_while
from bot.lab.xapi.rules.nfs_mounts import find_export
from bot.lab.xapi.rules.storage_figures import count_disks
from bot.lab.xapi.rules.storage_operations import check_storage, hold_storage
from bot.lab.xapi.schema.model import ENUMS
from bot.lab.xapi.sessions import Account
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import GIB

_OTHER_ADMIN: Final = Account("other-admin", "", "pool-admin")
_OTHER_TOOL: Final = "another tool"
# Work on a guest that its own end breaks; a clean shutdown is not broken by it.
_BROKEN: Final = frozenset({"pool_migrate", "migrate_send", "suspend", "clean_reboot", "checkpoint", "snapshot"})
_REBOOT_S: Final = 6.0


def end_guest(pool: Pool, vm: str, *, how: str) -> None:
    """Lets a running guest end by itself: work on it breaks, then the guest does as its record says.

    Args:
        pool: Its pool.
        vm: A guest that is up.
        how: `crash`, `shutdown` or `reboot`.

    Raises:
        ValueError: It is not up.
    """
    database = pool.database
    record = database.record("VM", vm)
    if record["power_state"] not in {"Running", "Paused"}:
        raise ValueError(f"Guest {record['name_label']!r} is {record['power_state']}.")
    break_work(pool, vm)
    host: str = record["resident_on"]
    wish: str = record[f"actions_after_{how}"]
    halt(pool, vm)
    if how == "crash":
        announce_guest(pool, "VM_CRASHED", vm, "crashed")
    if "restart" in wish:
        pool.tasks.spawn(_restart(pool, vm, host))
    elif how != "crash":
        announce_guest(pool, "VM_SHUTDOWN", vm, "shutdown")
    refresh_allowed(pool, vm)


def break_work(pool: Pool, vm: str) -> None:
    """Ends the work on a guest that cannot go on without it."""
    for task, operation in pool.database.get("VM", vm, "current_operations").items():
        runner = pool.tasks.find_runner(task)
        if operation in _BROKEN and runner is not None:
            # The domain manager writes power states with capitals.
            runner.interrupt(ApiError("VM_BAD_POWER_STATE", vm, "Running", "Halted"))


async def _restart(pool: Pool, vm: str, host: str) -> None:
    await pool.clock.sleep(_REBOOT_S)
    database = pool.database
    is_free = database.has("VM", vm) and database.get("VM", vm, "power_state") == "Halted"
    if is_free and not database.get("VM", vm, "current_operations") and pool.machines[host].is_alive:
        boot_on(pool, vm, host)
        refresh_allowed(pool, vm)
        announce_guest(pool, "VM_REBOOTED", vm, "rebooted")


async def move_guest(pool: Pool, vm: str, host: str) -> None:
    """Begins a migration in the name of another tool.

    Raises:
        ValueError: The pool refuses it at once.
    """
    try:
        session = pool.sessions.open(_OTHER_ADMIN, _OTHER_TOOL, pool.coordinator.ref)
        await dispatch(pool, pool.coordinator, "Async.VM.pool_migrate", [session, vm, host, {}], {})
    except ApiError as error:
        raise ValueError(f"The pool refuses it: {' '.join(error.description)}.") from error


def occupy_guest(pool: Pool, vm: str, operation: str, seconds: float) -> None:
    """Lets another tool hold a guest with an operation for so many simulated seconds.

    Raises:
        ValueError: There is no such operation, or it cannot begin now.
    """
    check_name(operation)
    _occupy(
        pool,
        f"Async.VM.{operation}",
        lambda: check_operation(pool, vm, operation),
        lambda context: operate(context, vm, operation),
        seconds,
    )


def occupy_storage(pool: Pool, storage: str, operation: str, seconds: float) -> None:
    """Lets another tool hold a storage repository; fails as `occupy_guest`."""
    if operation not in ENUMS["storage_operations"]:
        raise ValueError(f"There is no operation {operation!r} on storage.")
    _occupy(
        pool,
        f"Async.SR.{operation}",
        lambda: check_storage(pool, storage, operation),
        lambda context: hold_storage(context, storage, operation),
        seconds,
    )


def occupy_host(pool: Pool, host: str, operation: str, seconds: float) -> None:
    """Lets another tool hold a host; fails as `occupy_guest`."""
    if operation not in ENUMS["host_allowed_operations"]:
        raise ValueError(f"There is no operation {operation!r} on hosts.")

    @asynccontextmanager
    async def hold(context: Context) -> AsyncIterator[None]:
        with hold_host_while(context, host, operation):
            yield

    _occupy(pool, f"Async.host.{operation}", lambda: check_host_operation(pool, host, operation), hold, seconds)


def _occupy(
    pool: Pool,
    call: str,
    check: Callable[[], None],
    hold: Callable[[Context], AbstractAsyncContextManager[None]],
    seconds: float,
) -> None:
    try:
        check()
    except ApiError as error:
        raise ValueError(f"The pool refuses it: {' '.join(error.description)}.") from error
    coordinator = pool.coordinator
    session = pool.sessions.find(pool.sessions.open(_OTHER_ADMIN, _OTHER_TOOL, coordinator.ref))
    task = pool.tasks.create(call, host=coordinator.ref, session=session)
    runner = Runner(task, session.ref, call)
    context = Context(pool, coordinator, session, call, task, runner)

    async def work() -> str:
        async with hold(context):
            context.set_cancellable(cancellable=True)
            await pool.clock.sleep(seconds)
        return ""

    pool.tasks.start(runner, work)


def block_operation(pool: Pool, vm: str, operation: str, reason: str | None) -> None:
    """Blocks an operation of a guest with a reason, or allows it again.

    Raises:
        ValueError: There is no such operation.
    """
    check_name(operation)
    blocked: dict[str, str] = dict(pool.database.get("VM", vm, "blocked_operations"))
    if reason is None:
        blocked.pop(operation, None)
    else:
        blocked[operation] = reason
    pool.database.set("VM", vm, blocked_operations=blocked)
    refresh_allowed(pool, vm)


def check_name(operation: str) -> None:
    """Refuses what is no operation of guests.

    Raises:
        ValueError: One sentence.
    """
    if operation not in STATES:
        raise ValueError(f"There is no operation {operation!r} on guests.")


def fill_storage(pool: Pool, storage: str, free_gib: float) -> None:
    """Fills a storage repository until so much is free.

    Raises:
        ValueError: It is smaller than that.
    """
    size: int = pool.database.get("SR", storage, "physical_size")
    used = size - int(free_gib * GIB)
    if used < 0:
        raise ValueError(f"The storage has {size // GIB} GiB in all.")
    if (found := find_export(pool, storage)) is not None:
        _, export = found
        export.foreign = max(0, used - count_disks(pool, export))
        if export.is_full:
            # Nothing is free before the switch is turned; then so much is.
            used = size
    pool.database.set("SR", storage, physical_utilisation=used)


def write_data(pool: Pool, vm: str, gib: float) -> None:
    """Lets a guest write new data to its first disk, as far as the storage has room.

    Raises:
        ValueError: It has no disk.
    """
    disks = list(list_disks(pool.database, vm).values())
    if not disks:
        raise ValueError(f"Guest {pool.database.get('VM', vm, 'name_label')!r} has no disk.")
    storage_space.write_data(pool.database, disks[0], int(gib * GIB))
    disk = pool.database.record("VDI", disks[0])
    pool.contents.write(disk["uuid"], disk["virtual_size"], int(gib * GIB))


def plug_storage(pool: Pool, storage: str, host: str, *, attached: bool) -> None:
    """Attaches a storage repository to a host or detaches it, whatever uses it.

    Raises:
        ValueError: The host has never known it.
    """
    database = pool.database
    for pbd in database.get("SR", storage, "PBDs"):
        if database.get("PBD", pbd, "host") == host:
            database.set("PBD", pbd, currently_attached=attached)
            return
    raise ValueError("That host has no connection to that storage.")
