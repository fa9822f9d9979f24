"""Emptying a host: the plan, what prevents it, and the migrations in batches."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.boot_check import assert_can_boot, is_older
from bot.lab.xapi.rules.guest_operations import check_operation
from bot.lab.xapi.rules.host_operations import occupy_host, wait_for_host
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.rules.migration import pool_migrate
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import NULL_REF, Value

BATCH: Final = 10


@dataclass(frozen=True)
class Plan:
    """Where each guest of a host can go, and the reason for each that can go nowhere."""

    targets: dict[str, str]
    errors: dict[str, list[str]]


def list_guests(database: Database, host: str) -> list[str]:
    """Returns the guests on a host, its control domain left out."""
    return [vm for vm in database.get("host", host, "resident_VMs") if not database.get("VM", vm, "is_control_domain")]


def make_plan(pool: Pool, host: str) -> Plan:
    """Plans where the guests of a host can go.

    Only other enabled hosts that are not older count. A reason that one of them gives prevents the guest from
    moving anywhere, as on a real server; of several reasons for one guest the last one is told.
    """
    database = pool.database
    guests = list_guests(database, host)
    others = [
        other
        for other in database.refs("host")
        if other != host and database.get("host", other, "enabled") and not is_older(database, other, host)
    ]
    errors: dict[str, list[str]] = {}
    for vm in guests:
        for error in _find_reasons(pool, vm, others):
            errors[vm] = error
    targets, homeless = _pack(database, [vm for vm in guests if vm not in errors], others)
    for vm in homeless:
        errors[vm] = ["HOST_NOT_ENOUGH_FREE_MEMORY", vm]
    return Plan(targets, errors)


def _find_reasons(pool: Pool, vm: str, others: list[str]) -> Iterator[list[str]]:
    database = pool.database
    if not others:
        yield ["NO_HOSTS_AVAILABLE", vm]
    is_protected = database.get("VM", vm, "ha_restart_priority") == "restart"
    if database.get("pool", pool.ref, "ha_enabled") and not is_protected:
        yield ["HOST_EVACUATE_VM_NOT_HA_PROTECTED", vm]
    for other in others:
        try:
            assert_can_boot(pool, vm, other, with_memory=False)
        except ApiError as error:
            yield error.description
    try:
        check_operation(pool, vm, "pool_migrate")
    except ApiError as error:
        yield error.description


def _pack(database: Database, guests: list[str], hosts: list[str]) -> tuple[dict[str, str], list[str]]:
    """Puts the largest guest first onto the host with most memory left; returns places and who found none."""
    free = {host: compute_free(database, host) for host in hosts}
    places: dict[str, str] = {}
    homeless = []
    for vm in sorted(guests, key=lambda one: compute_need(database, one), reverse=True):
        need = compute_need(database, vm)
        best = max(free, key=free.__getitem__, default=None)
        if best is None or free[best] < need:
            homeless.append(vm)
        else:
            free[best] -= need
            places[vm] = best
    return places, homeless


async def get_vms_which_prevent_evacuation(context: Context, host: str) -> Value:
    """Returns the guests that cannot move away, each with code and parameters of its reason."""
    context.pool.database.record("host", host)
    return make_plan(context.pool, host).errors


async def assert_can_evacuate(context: Context, host: str) -> str:
    """Refuses when a guest cannot move away.

    Raises:
        ApiError: `CANNOT_EVACUATE_HOST ["CODE,param|CODE,param"]`, one part for each reason.
    """
    context.pool.database.record("host", host)
    if errors := make_plan(context.pool, host).errors:
        raise ApiError("CANNOT_EVACUATE_HOST", "|".join(",".join(error) for error in errors.values()))
    return ""


async def evacuate(context: Context, host: str, network: str = NULL_REF, batch_size: int = BATCH) -> str:
    """Migrates all guests away in batches; a failure leaves them half moved.

    Progress is the share of the planned guests that have moved. Cancelling ends the migrations of the batch.
    """
    pool, database = context.pool, context.pool.database
    database.record("host", host)
    if network != NULL_REF:
        database.record("network", network)
    plan = make_plan(pool, host)
    for vm in list_guests(database, host):
        if vm in plan.errors:
            raise ApiError(*plan.errors[vm])
    options = {"network": network} if network != NULL_REF else {}
    context.set_cancellable(cancellable=True)
    await wait_for_host(context, host, "evacuate")
    with occupy_host(context, host, "evacuate"):
        moves = list(plan.targets.items())
        size = batch_size if batch_size > 0 else BATCH
        for begun in range(0, len(moves), size):
            await _move(context, moves[begun : begun + size], options, begun=begun, count=len(moves))
    if left := list_guests(database, host):
        name = database.get("host", host, "hostname")
        raise ApiError("INTERNAL_ERROR", f"evacuate: {len(left)} VMs are still resident on {name}")
    return ""


async def _move(
    context: Context, moves: list[tuple[str, str]], options: dict[str, str], *, begun: int, count: int
) -> None:
    """Moves one batch and waits for all of it before the first failure is told."""
    tasks = context.pool.tasks
    children = [_start_child(context, vm, target, options) for vm, target in moves]
    moved = begun
    try:
        for running in asyncio.as_completed([child.work for child in children if child.work is not None]):
            try:
                await running
            except ApiError:
                continue  # told below, in the order of the plan
            moved += 1
            context.set_progress(moved / count)
        for child in children:
            _assert_success(child)
    except asyncio.CancelledError:
        # A toolstack that restarts takes the evacuation with it, but not the migrations of the domain managers.
        if context.runner is not None and context.runner.reason is None:
            for child in children:
                child.interrupt(None)
        raise
    finally:
        for child in children:
            if context.pool.database.has("task", child.task):
                tasks.destroy(child.task)


def _start_child(context: Context, vm: str, target: str, options: dict[str, str]) -> Runner:
    """Starts a migration as a child of the evacuation, with the very code that a client's call runs."""
    pool, call = context.pool, "Async.VM.pool_migrate"
    task = pool.tasks.create(call, host=context.machine.ref, parent=context.task, session=context.session)
    runner = Runner(task, context.session.ref, call)
    child = Context(pool, context.machine, context.session, call, task, runner)
    pool.tasks.start(runner, lambda: pool_migrate(child, vm, target, options))
    return runner


def _assert_success(child: Runner) -> None:
    error = child.work.exception() if child.work is not None else None
    # A guest that went down meanwhile needs no move.
    if isinstance(error, ApiError) and error.code != "VM_BAD_POWER_STATE":
        raise error
