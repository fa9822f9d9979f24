"""The calls that every class has: getters, setters, searches, made from the data model."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bot.lab.xapi.calls import Call, Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.query import parse_query
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.schema.signatures import SIGNATURES, Signature
from bot.lab.xapi.values import Value

# Fields whose setters are messages of their own and do nothing beside.
PLAIN_SETTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "SR": ("name_label", "name_description", "physical_size"),
    "VDI": ("name_label", "name_description", "sharable", "read_only", "allow_caching"),
    "VM": ("order", "start_delay", "shutdown_delay", "HVM_boot_policy", "actions_after_crash", "NVRAM"),
    "network": ("default_locking_mode",),
    "pool": (
        "igmp_snooping_enabled",
        "telemetry_next_collection",
        "guest_agent_config",
        "ext_auth_max_threads",
        "local_auth_max_threads",
    ),
    "PIF": ("disallow_unplug",),
    "host": ("numa_affinity_policy",),
    "VMSS": ("frequency", "schedule", "type", "retained_snapshots", "last_run_time"),
    "Observer": ("attributes", "components", "enabled", "endpoints", "hosts"),
    "Repository": ("gpgkey_path",),
}

Handler = Callable[..., Awaitable[Value]]


def make_calls() -> list[Call]:
    """Returns the calls that do what the model implies, and nothing beside it."""
    calls = []
    for signature in SIGNATURES.values():
        handler = _find_handler(signature)
        if handler is not None:
            calls.append(Call(signature, handler))
    return calls


def _find_handler(signature: Signature) -> Handler | None:
    class_name, message = signature.class_name, signature.message
    if signature.implied_by:
        return _FIELD_HANDLERS[signature.verb](class_name, signature.implied_by)
    for name in PLAIN_SETTERS.get(class_name, ()):
        if message.endswith(f"_{name}") and message.removesuffix(f"_{name}") in _FIELD_HANDLERS:
            return _FIELD_HANDLERS[message.removesuffix(f"_{name}")](class_name, name)
    if signature.verb or class_name == "message":
        make = _CLASS_HANDLERS.get(message)
        return make(class_name) if make else None
    return None


def _get_all(name: str) -> Handler:
    async def get_all(context: Context) -> Value:
        return context.pool.database.refs(name)

    return get_all


def _get_all_records(name: str) -> Handler:
    async def get_all_records(context: Context) -> Value:
        return {row.ref: row for row in context.pool.database.rows(name)}

    return get_all_records


def _get_all_records_where(name: str) -> Handler:
    async def get_all_records_where(context: Context, expression: str) -> Value:
        matches = parse_query(expression, CLASSES[name])
        return {row.ref: row for row in context.pool.database.rows(name) if matches(row.ref, row.fields)}

    return get_all_records_where


def _get_record(name: str) -> Handler:
    async def get_record(context: Context, self: str) -> Value:
        return context.pool.database.row(name, self)

    return get_record


def _get_by_uuid(name: str) -> Handler:
    async def get_by_uuid(context: Context, uuid: str) -> Value:
        return context.pool.database.find_by_uuid(name, uuid)

    return get_by_uuid


def _get_by_name_label(name: str) -> Handler:
    async def get_by_name_label(context: Context, label: str) -> Value:
        return [row.ref for row in context.pool.database.rows(name) if row.fields["name_label"] == label]

    return get_by_name_label


def _get(class_name: str, name: str) -> Handler:
    async def get(context: Context, self: str) -> Value:
        return context.pool.database.get(class_name, self, name)

    return get


def _write(context: Context, class_name: str, ref: str, name: str, value: Value) -> None:
    context.pool.database.set(class_name, ref, **{name: value})
    if class_name == "VM":
        refresh_allowed(context.pool, ref)  # a blocked operation leaves the allowed ones at once


def _set(class_name: str, name: str) -> Handler:
    async def set_field(context: Context, self: str, value: Value) -> Value:
        _write(context, class_name, self, name, value)
        return ""

    return set_field


def _add_to_map(class_name: str, name: str) -> Handler:
    async def add(context: Context, self: str, key: str, value: Value) -> Value:
        old = context.pool.database.get(class_name, self, name)
        if key in old:
            raise ApiError("MAP_DUPLICATE_KEY", class_name, name, self, key)
        _write(context, class_name, self, name, {**old, key: value})
        return ""

    return add


def _remove_from_map(class_name: str, name: str) -> Handler:
    async def remove(context: Context, self: str, key: str) -> Value:
        old = context.pool.database.get(class_name, self, name)
        rest = {other: value for other, value in old.items() if other != key}
        _write(context, class_name, self, name, rest)
        return ""

    return remove


def _add_to_set(class_name: str, name: str) -> Handler:
    async def add(context: Context, self: str, item: Value) -> Value:
        old = context.pool.database.get(class_name, self, name)
        _write(context, class_name, self, name, [*(other for other in old if other != item), item])
        return ""

    return add


def _remove_from_set(class_name: str, name: str) -> Handler:
    async def remove(context: Context, self: str, item: Value) -> Value:
        old = context.pool.database.get(class_name, self, name)
        _write(context, class_name, self, name, [other for other in old if other != item])
        return ""

    return remove


_FIELD_HANDLERS: Final[Mapping[str, Callable[[str, str], Handler]]] = {
    "get": _get,
    "set": _set,
    "add_to": _add_to_map,
    "remove_from": _remove_from_map,
    "add": _add_to_set,
    "remove": _remove_from_set,
}
_CLASS_HANDLERS: Final[Mapping[str, Callable[[str], Handler]]] = {
    "get_all": _get_all,
    "get_all_records": _get_all_records,
    "get_all_records_where": _get_all_records_where,
    "get_record": _get_record,
    "get_by_uuid": _get_by_uuid,
    "get_by_name_label": _get_by_name_label,
}
