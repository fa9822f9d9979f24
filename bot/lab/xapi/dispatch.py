"""From a method name and parameters to a rule and back: what every call goes through.

The wire modules decode before and encode after; `server` owns the connections.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from bot.lab.xapi.calls import Call, Context, check_role, count_mismatch
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import (
    appliance_calls,
    coordinator_calls,
    data_sources,
    event_calls,
    generic,
    guest_calls,
    guest_records,
    guest_settings,
    ha_calls,
    host_calls,
    host_power_calls,
    import_calls,
    membership_calls,
    message_calls,
    migrate_send,
    migration,
    network_calls,
    pbd_calls,
    plain_records,
    pool_calls,
    pool_settings,
    power,
    receive,
    revert,
    roles,
    session_calls,
    snapshots,
    sr_calls,
    sr_making,
    storage_moves,
    suspend,
    task_calls,
    tracking_calls,
    unserved,
    vbd_calls,
    vdi_calls,
    vif_calls,
)
from bot.lab.xapi.schema.model import FieldType
from bot.lab.xapi.schema.reading import read_value
from bot.lab.xapi.schema.signatures import HIDDEN, SIGNATURES, Signature
from bot.lab.xapi.sessions import SUPERUSER, Account, Session
from bot.lab.xapi.standing import check_standing, has_local_session
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import NULL_REF, Value

_MODULES: Final = (
    appliance_calls,
    coordinator_calls,
    data_sources,
    event_calls,
    guest_calls,
    guest_records,
    guest_settings,
    ha_calls,
    host_calls,
    host_power_calls,
    import_calls,
    membership_calls,
    message_calls,
    migrate_send,
    migration,
    network_calls,
    pbd_calls,
    plain_records,
    pool_calls,
    pool_settings,
    power,
    receive,
    revert,
    roles,
    session_calls,
    snapshots,
    sr_calls,
    sr_making,
    storage_moves,
    suspend,
    task_calls,
    tracking_calls,
    vbd_calls,
    vdi_calls,
    vif_calls,
)
SERVED: Final[Mapping[str, Call]] = {
    call.name: call for call in (*generic.make_calls(), *(call for module in _MODULES for call in module.CALLS))
}
_ALL: Final[Mapping[str, Call]] = {
    name: SERVED.get(name) or Call(signature, unserved.make_refusal(signature))
    for name, signature in SIGNATURES.items()
}
# The other spelling, for synchronous calls only: VM_start, event_from.
_UNDERSCORED: Final[Mapping[str, str]] = {name.replace(".", "_"): name for name in SIGNATURES}
_NOBODY: Final = Session(NULL_REF, Account("", "", "read-only"), "", 0.0)
_HTTP_CONFIG: Final = "x-http-other-config-"
_SESSION: Final = FieldType("ref", "session")


def list_methods() -> list[str]:
    """Returns the names that `system.listMethods` tells: all of the model, without their `Async.` forms."""
    return sorted(SIGNATURES.keys() - HIDDEN)


def spell(method: str) -> str:
    """Returns the dotted name of a method."""
    return method if "." in method else _UNDERSCORED.get(method, method)


def is_change(method: str) -> bool:
    """Tells whether a method may change something."""
    call = _ALL.get(method.removeprefix("Async."))
    return call is not None and call.is_change


async def dispatch(pool: Pool, machine: Machine, method: str, params: list[Value], headers: Mapping[str, str]) -> Value:
    """Does a call.

    Args:
        pool: The pool of the addressed host.
        machine: The addressed host.
        method: The name as the client sent it, after `spell`.
        params: Its parameters, the session first.
        headers: Request headers with lower-case names: `subtask-of`, `task-id` and `x-http-other-config-…` matter.

    Raises:
        ApiError: As a real server answers. What is wrong with the parameters comes before what is wrong with the
            session, and that before the role; what is wrong with the objects comes last.
    """
    is_async, name = method.startswith("Async."), method.removeprefix("Async.")
    check_standing(pool, machine, name)
    call = _ALL.get(name)
    if call is None:
        raise ApiError("MESSAGE_METHOD_UNKNOWN", name)
    signature = call.signature
    arguments = _read_arguments(signature, params)
    if not signature.needs_session:
        return await call.handler(Context(pool, machine, _NOBODY, method), *arguments)
    if has_local_session(machine, name, params[0]):
        local = Session(params[0], Account(SUPERUSER, "", "pool-admin"), "", 0.0)
        return await call.handler(Context(pool, machine, local, method), *arguments)
    session = pool.sessions.find(params[0])
    if signature.is_removed:
        raise ApiError("MESSAGE_REMOVED")
    if is_async and not signature.has_async:
        raise ApiError("Fault", f"No async mode for this operation (rpc: {name})")
    context = Context(pool, machine, session, method)
    if not signature.has_async:
        check_role(signature, session, arguments)
        return await call.handler(context, *arguments)
    return await _run_long(call, context, arguments, headers, is_async=is_async)


def _read_arguments(signature: Signature, params: list[Value]) -> list[Value]:
    received = len(params) - (1 if signature.needs_session else 0)
    if not signature.required <= received <= len(signature.params):
        raise count_mismatch(signature, received)
    if not signature.needs_session:
        values = params
    else:
        read_value(_SESSION, params[0])
        values = params[1:]
    if signature.is_removed:
        return values
    return [read_value(kind, value) for kind, value in zip(signature.params, values, strict=False)]


async def _run_long(
    call: Call, context: Context, arguments: list[Value], headers: Mapping[str, str], *, is_async: bool
) -> Value:
    tasks = context.pool.tasks
    as_task = headers.get("task-id", "")
    context.task = as_task or tasks.create(
        context.call,
        host=context.machine.ref,
        parent=headers.get("subtask-of", NULL_REF),
        other_config={
            f"http:{name.removeprefix(_HTTP_CONFIG)}": value
            for name, value in headers.items()
            if name.startswith(_HTTP_CONFIG)
        },
        session=context.session,
    )
    context.runner = Runner(context.task, context.session.ref, context.call)
    # Work that runs as a task which is there already does not complete it: that is for whoever made it.
    context.runner.completes = not as_task

    async def work() -> Value:
        # Even a role that is too weak shows only in the task.
        check_role(call.signature, context.session, arguments)
        value = await call.handler(context, *arguments)
        await context.pool.faults.strike(context.call, "end")
        return value

    running = tasks.start(context.runner, work)
    if is_async:
        return context.task
    try:
        # The call runs on when its client goes away.
        return await asyncio.shield(running)
    finally:
        if running.done() and not as_task:
            tasks.remove(context.task)
        elif not as_task:
            running.add_done_callback(lambda _: tasks.remove(context.task))
