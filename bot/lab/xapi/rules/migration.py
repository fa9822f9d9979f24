"""`VM.pool_migrate`: a guest moves to another host of its pool while it runs.

The order of checks, what is seen meanwhile and the order of the last writes are those of a real server.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import announce_guest, describe
from bot.lab.xapi.rules.boot_check import assert_can_boot, check_cpu, is_older
from bot.lab.xapi.rules.guest_operations import is_upgrading, operate
from bot.lab.xapi.rules.guest_state import run_on
from bot.lab.xapi.rules.host_operations import occupy_host
from bot.lab.xapi.rules.licence import assert_licensed
from bot.lab.xapi.rules.memory import rebalance
from bot.lab.xapi.rules.progress import advance
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.tempers import wait_for_guest
from bot.lab.xapi.values import NULL_REF

BYTES_PER_S: Final = 117_000_000  # what a 1 Gbit/s network carries
_PREPARING_S: Final = 0.6
_STREAM_SHARE: Final = 10 / 11  # the domain manager scales the memory stream to this part of the progress
_CLEANING_STEPS: Final = (3 / 7, 6 / 7)  # then it runs a second list of steps, and progress falls back
_CLEANING_STEP_S: Final = 0.15
_LONGEST_STEP_S: Final = 4.0


async def pool_migrate(context: Context, vm: str, host: str, options: dict[str, str]) -> str:
    """Moves a guest; `force` with the text "true" skips the CPU check and is lenient with guest features."""
    pool, database = context.pool, context.pool.database
    force = options.get("force") == "true"
    database.record("VM", vm)
    database.record("host", host)
    if not force and database.get("VM", vm, "power_state") != "Halted":
        check_cpu(database, vm, host)
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "pool_migrate", force=force):
        source: str = database.get("VM", vm, "resident_on")
        if is_upgrading(pool) and is_older(database, host, source):
            raise ApiError("NOT_SUPPORTED_DURING_UPGRADE")
        assert_can_boot(pool, vm, host, with_cpu=False)
        with ExitStack() as reserved:
            reserved.enter_context(occupy_host(context, host, "vm_migrate"))
            reserved.callback(unschedule, pool, vm, source, host)
            database.set("VM", vm, scheduled_to_be_resident_on=host)
            await forward(context, source)
            assert_licensed(pool, "Xen_motion")
            await forward(context, host)
            _check_network(pool, host, options)
            await stream_memory(context, vm, pool.machines[source], pool.machines[host])
            await arrive(context, vm, source, host)
    announce_move(context, vm, source, host)
    return ""


def _check_network(pool: Pool, host: str, options: dict[str, str]) -> None:
    network = options.get("network")
    if network is None:
        return
    for pif in pool.database.get("host", host, "PIFs"):
        record = pool.database.record("PIF", pif)
        if record["network"] == network:
            if record["ip_configuration_mode"] == "None":
                raise ApiError("PIF_HAS_NO_NETWORK_CONFIGURATION", pif)
            if not record["IP"]:
                raise ApiError("INTERFACE_HAS_NO_IP", pif)
            return
    raise ApiError("PIF_NOT_PRESENT", host, network)


async def stream_memory(context: Context, vm: str, source: Machine, target: Machine, *, begun: float = 0.0) -> None:
    """Sends the memory: the guest is ballooned down to its dynamic minimum first, then sent in uneven steps.

    Args:
        context: Of the call.
        vm: The guest.
        source: The host that sends; all that a host sends or gets at a time share its network.
        target: The host that gets it.
        begun: Progress that disks have made before.
    """
    pool = context.pool
    # The domain managers of both hosts do this: it goes on when the coordinator's toolstack restarts.
    if context.runner is not None:
        context.runner.detached = True
    await pool.clock.sleep(_PREPARING_S)
    seconds = pool.database.get("VM", vm, "memory_dynamic_min") / BYTES_PER_S
    has_struck, left = False, 1.0 - begun
    with _share_network(source, target):
        for reached, share in _plan_steps(context.task, seconds):
            end = 1.0 - left * (1.0 - reached)
            await _send(context, begun, end, share * seconds, (source, target))
            if not has_struck and reached >= _STREAM_SHARE / 2:
                has_struck = True
                await pool.faults.strike(context.call, "during")
            begun = end
    # The last pages go while the guest sleeps, so it is asked to.
    await wait_for_guest(context, vm, "SUSPEND")


@contextmanager
def _share_network(source: Machine, target: Machine) -> Iterator[None]:
    """Counts a stream on both its hosts; one that stays on its host is counted once."""
    hosts = [source] if source is target else [source, target]
    for host in hosts:
        host.streams += 1
    try:
        yield
    finally:
        for host in hosts:
            host.streams -= 1


async def _send(context: Context, begun: float, end: float, seconds: float, between: tuple[Machine, Machine]) -> None:
    """Sends what takes so many seconds alone, a piece at a time, each at the pace that others leave when it begins."""
    while seconds > 0.0:
        streams = max(host.streams for host in between)
        piece = min(seconds, _LONGEST_STEP_S / streams)
        reached = end if piece == seconds else begun + (end - begun) * piece / seconds
        await advance(context, begun, reached, piece * streams)
        begun, seconds = reached, seconds - piece


def _plan_steps(task: str, seconds: float) -> list[tuple[float, float]]:
    """Returns progress to reach and share of the time for each step: uneven, and alike for one task."""
    count = max(6, min(40, int(seconds / _LONGEST_STEP_S) + 6))
    dice = random.Random(task)  # noqa: S311  unevenness, no secret
    widths = [dice.uniform(0.3, 1.7) for _ in range(count)]
    times = [dice.uniform(0.6, 1.4) for _ in range(count)]
    steps, reached = [], 0.0
    for width, time in zip(widths, times, strict=True):
        reached += width / sum(widths)
        steps.append((min(1.0, reached) * _STREAM_SHARE, time / sum(times)))
    return steps


async def arrive(context: Context, vm: str, source: str, host: str) -> None:
    """Lets the guest run at its target; from here on nothing can be cancelled.

    Raises:
        ApiError: `VM_BAD_POWER_STATE`, in the capitals of the domain manager, when the guest is down meanwhile.
    """
    pool, database = context.pool, context.pool.database
    state = database.get("VM", vm, "power_state")
    if state != "Running":
        raise ApiError("VM_BAD_POWER_STATE", vm, "Running", state)
    context.set_cancellable(cancellable=False)
    context.set_progress(_CLEANING_STEPS[0])
    # A task of XAPI's own that comes and goes: watchers hear of tasks that are not theirs.
    detaching = pool.tasks.create("network.detach_for_vm", host=source, parent=context.task)
    await pool.clock.sleep(_CLEANING_STEP_S)
    pool.tasks.remove(detaching)
    run_on(pool, vm, host)
    context.set_progress(_CLEANING_STEPS[1])
    if database.has("task", context.task):
        noted = database.get("task", context.task, "other_config")
        pool.tasks.write(context.task, other_config={**noted, "debug_info:cancel_points_seen": "91"})
    guest_metrics = database.get("VM", vm, "guest_metrics")
    if database.has("VM_guest_metrics", guest_metrics):
        database.set("VM_guest_metrics", guest_metrics, last_updated=pool.clock.now())
    await pool.clock.sleep(_CLEANING_STEP_S)


def unschedule(pool: Pool, vm: str, source: str, host: str) -> None:
    """Takes the target off a guest, and balloons the guests of both hosts anew."""
    if pool.database.has("VM", vm):
        pool.database.set("VM", vm, scheduled_to_be_resident_on=NULL_REF)
    for ref in {source, host}:
        rebalance(pool.database, ref)


def announce_move(context: Context, vm: str, source: str, host: str) -> None:
    """Tells of a migration; it is the toolstack that announces, and one that restarted meanwhile does not."""
    pool = context.pool
    if pool.database.has("task", context.task):
        tail = f"migrated from host {describe(pool, 'host', source)} to host {describe(pool, 'host', host)}"
        announce_guest(pool, "VM_MIGRATED", vm, tail)


CALLS: Final[tuple[Call, ...]] = (declare("VM.pool_migrate", pool_migrate),)
