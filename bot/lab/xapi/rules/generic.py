"""The calls that every class has: getters, setters, searches, made from the data model."""

from collections.abc import Awaitable, Callable
from typing import Final

from bot.lab.xapi.calls import Call, Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.query import parse_query
from bot.lab.xapi.schema.model import CLASSES, Field, FieldType, ObjectClass
from bot.lab.xapi.values import Value

_STRING: Final = FieldType("string")
_SETTER_ROLES: Final = {
    "VM": "vm-admin",
    "VBD": "vm-admin",
    "VIF": "vm-admin",
    "VDI": "vm-admin",
    "task": "read-only",
}
# Fields whose setters exist beside the field as messages of their own, without side effects.
PLAIN_SETTERS: Final = {
    "SR": ("name_label", "name_description"),
    "VDI": ("name_label", "name_description", "sharable", "read_only"),
    "VM": ("suspend_SR", "order", "start_delay", "shutdown_delay", "HVM_boot_policy", "actions_after_crash"),
    "network": ("default_locking_mode",),
}

Handler = Callable[..., Awaitable[Value]]


def make_calls() -> list[Call]:
    """Returns the implicit calls of all classes with a table."""
    calls: list[Call] = []
    for kind in CLASSES.values():
        calls += _make_searches(kind)
        calls += [_make_getter(kind.name, field) for field in kind.fields.values()]
        for field in kind.fields.values():
            if field.writable:
                calls += _make_setters(kind.name, field)
        calls += [
            Call(
                f"{kind.name}.set_{name}",
                (FieldType("ref", kind.name), kind.fields[name].type),
                _set(kind.name, name),
                _SETTER_ROLES.get(kind.name, "pool-operator"),
            )
            for name in PLAIN_SETTERS.get(kind.name, ())
        ]
    return calls


def _make_searches(kind: ObjectClass) -> list[Call]:
    name, ref = kind.name, FieldType("ref", kind.name)

    async def get_all(context: Context) -> Value:
        return context.pool.database.refs(name)

    async def get_all_records(context: Context) -> Value:
        return {row.ref: row for row in context.pool.database.rows(name)}

    async def get_all_records_where(context: Context, expression: str) -> Value:
        matches = parse_query(expression, kind)
        return {row.ref: row for row in context.pool.database.rows(name) if matches(row.fields)}

    async def get_record(context: Context, self: str) -> Value:
        return context.pool.database.row(name, self)

    async def get_by_uuid(context: Context, uuid: str) -> Value:
        return context.pool.database.find_by_uuid(name, uuid)

    async def get_by_name_label(context: Context, label: str) -> Value:
        return [row.ref for row in context.pool.database.rows(name) if row.fields["name_label"] == label]

    calls = [
        Call(f"{name}.get_record", (ref,), get_record, "read-only"),
        Call(f"{name}.get_by_uuid", (_STRING,), get_by_uuid, "read-only"),
    ]
    if name != "session":  # sessions of others are nobody's business
        calls += [
            Call(f"{name}.get_all", (), get_all, "read-only"),
            Call(f"{name}.get_all_records", (), get_all_records, "read-only"),
            Call(f"{name}.get_all_records_where", (_STRING,), get_all_records_where, "read-only"),
        ]
    if "name_label" in kind.fields and name != "pool":
        calls.append(Call(f"{name}.get_by_name_label", (_STRING,), get_by_name_label, "read-only"))
    return calls


def _make_getter(class_name: str, field: Field) -> Call:
    async def get(context: Context, self: str) -> Value:
        return context.pool.database.get(class_name, self, field.name)

    return Call(f"{class_name}.get_{field.name}", (FieldType("ref", class_name),), get, "read-only")


def _make_setters(class_name: str, field: Field) -> list[Call]:
    ref, role = FieldType("ref", class_name), _SETTER_ROLES.get(class_name, "pool-operator")
    calls = [Call(f"{class_name}.set_{field.name}", (ref, field.type), _set(class_name, field.name), role)]
    if field.type.kind == "map":
        calls += [
            Call(
                f"{class_name}.add_to_{field.name}",
                (ref, *field.type.of),
                _add_to_map(class_name, field.name),
                role,
            ),
            Call(
                f"{class_name}.remove_from_{field.name}",
                (ref, field.type.of[0]),
                _remove_from_map(class_name, field.name),
                role,
            ),
        ]
    elif field.type.kind == "set":
        calls += [
            Call(
                f"{class_name}.add_{field.name}",
                (ref, *field.type.of),
                _change_set(class_name, field.name, adds=True),
                role,
            ),
            Call(
                f"{class_name}.remove_{field.name}",
                (ref, *field.type.of),
                _change_set(class_name, field.name, adds=False),
                role,
            ),
        ]
    return calls


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


def _change_set(class_name: str, name: str, *, adds: bool) -> Handler:
    async def change(context: Context, self: str, item: Value) -> Value:
        old = context.pool.database.get(class_name, self, name)
        rest = [other for other in old if other != item]
        _write(context, class_name, self, name, [*rest, item] if adds else rest)
        return ""

    return change
