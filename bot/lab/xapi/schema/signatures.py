"""What every message of the model takes and gives, and who may send it: messages of the tables, and implied ones.

Whether the lab does what a message says is another question: `rules` answers that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.lab.xapi.schema.model import CLASSES, Field, FieldType, Message, ObjectClass

_STRING: Final = FieldType("string")
# Messages that work but are told to nobody.
HIDDEN: Final = frozenset({"session.get_all_records"})
# Keys of maps that have a weakest role of their own; a star stands for any rest.
_KEY_ROLES: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("VM", "other_config"): {"pci": "pool-admin", "folder": "vm-operator", "XenCenter.CustomFields.*": "vm-operator"},
    ("pool", "other_config"): {
        "folder": "vm-operator",
        "XenCenter.CustomFields.*": "vm-operator",
        "EMPTY_FOLDERS": "vm-operator",
    },
    ("host", "other_config"): {"folder": "vm-operator", "XenCenter.CustomFields.*": "vm-operator"},
    ("SR", "other_config"): {"folder": "vm-operator", "XenCenter.CustomFields.*": "vm-operator"},
    ("VDI", "other_config"): {"folder": "vm-operator", "XenCenter.CustomFields.*": "vm-operator"},
    ("network", "other_config"): {
        "folder": "vm-operator",
        "XenCenter.CustomFields.*": "vm-operator",
        "XenCenterCreateInProgress": "vm-operator",
    },
    ("task", "other_config"): {
        "applies_to": "vm-operator",
        "XenCenterUUID": "vm-operator",
        "XenCenterMeddlingActionTitle": "vm-operator",
    },
}


@dataclass(frozen=True, slots=True)
class Signature:
    """How a message is called.

    Attributes:
        name: `class.message`.
        params: The types of its parameters after the session.
        optional: How many of the last ones may be left out.
        result: None for void.
        role: The weakest role that may send it; `local` for the local superuser alone.
        for_certificates: Whether a client that showed a certificate may send it too.
        key_roles: Weakest roles for single keys of a map, for the calls that add or remove one.
        has_async: Whether it has an `Async.` form and a task of its own when called without.
        is_removed: Whether it is in the model only to say that it is gone.
        needs_session: False for what is done before logging in.
        implied_by: The field that implies it, or empty; with `verb` it says what it does.
        verb: `get`, `set`, `add_to`, `remove_from`, `add` or `remove` with a field; the message's name for an
            implicit one without; empty for a message of the class's own.
    """

    name: str
    params: tuple[FieldType, ...] = ()
    optional: int = 0
    result: FieldType | None = None
    role: str = "read-only"
    for_certificates: bool = False
    key_roles: Mapping[str, str] | None = None
    has_async: bool = False
    is_removed: bool = False
    needs_session: bool = True
    implied_by: str = ""
    verb: str = ""

    @property
    def class_name(self) -> str:
        """Returns the class it is sent to."""
        return self.name.partition(".")[0]

    @property
    def message(self) -> str:
        """Returns its name within the class."""
        return self.name.partition(".")[2]

    @property
    def required(self) -> int:
        """Returns how many parameters cannot be left out, the session not counted."""
        return len(self.params) - self.optional


def _list_class(kind: ObjectClass) -> Iterator[Signature]:
    for message in kind.messages.values():
        yield _read_message(kind, message)
    if "bare" in kind.words:
        return
    yield from _list_searches(kind)
    for field in kind.fields.values():
        yield _make(
            kind, f"get_{field.name}", (_ref(kind),), result=field.type, role=field.reader, verb="get", field=field
        )
        if field.writable:
            yield from _list_setters(kind, field)
    if kind.maker:
        record = FieldType("record", kind.name)
        has_async = "sync" not in kind.words
        for verb, params, result in (("create", (record,), _ref(kind)), ("destroy", (_ref(kind),), None)):
            yield _make(kind, verb, params, result=result, role=kind.maker, verb=verb, has_async=has_async)


def _read_message(kind: ObjectClass, message: Message) -> Signature:
    return Signature(
        f"{kind.name}.{message.name}",
        message.params,
        message.optional,
        message.result,
        message.role,
        for_certificates="cert" in message.words,
        has_async="sync" not in kind.words | message.words,
        is_removed="removed" in message.words,
        needs_session="nosession" not in message.words,
    )


def _list_searches(kind: ObjectClass) -> Iterator[Signature]:
    record, role = FieldType("record", kind.name), kind.reader
    records = FieldType("map", of=(_ref(kind), record))
    refs = FieldType("set", of=(_ref(kind),))
    yield _make(kind, "get_record", (_ref(kind),), result=record, role=role, verb="get_record")
    yield _make(kind, "get_by_uuid", (_STRING,), result=_ref(kind), role=role, verb="get_by_uuid")
    if "unlisted" not in kind.words:
        yield _make(kind, "get_all", (), result=refs, role=role, verb="get_all")
        yield _make(kind, "get_all_records_where", (_STRING,), result=records, role=role, verb="get_all_records_where")
        yield _make(kind, "get_all_records", (), result=records, role=role, verb="get_all_records")
    elif f"{kind.name}.get_all_records" in HIDDEN:
        yield _make(kind, "get_all_records", (), result=records, role="pool-admin", verb="get_all_records")
    if "name_label" in kind.fields and kind.name != "pool":
        yield _make(kind, "get_by_name_label", (_STRING,), result=refs, role=role, verb="get_by_name_label")


def _list_setters(kind: ObjectClass, field: Field) -> Iterator[Signature]:
    shapes: list[tuple[str, tuple[FieldType, ...]]] = [("set", (field.type,))]
    if field.type.kind == "map":
        shapes += [("add_to", field.type.of), ("remove_from", field.type.of[:1])]
    elif field.type.kind == "set":
        shapes += [("add", field.type.of), ("remove", field.type.of)]
    for verb, params in shapes:
        yield _make(kind, f"{verb}_{field.name}", (_ref(kind), *params), role=field.writer, verb=verb, field=field)


def _make(
    kind: ObjectClass,
    message: str,
    params: tuple[FieldType, ...],
    *,
    role: str,
    verb: str,
    result: FieldType | None = None,
    field: Field | None = None,
    has_async: bool = False,
) -> Signature:
    weakest, _, certificate = role.partition(" ")
    return Signature(
        f"{kind.name}.{message}",
        params,
        0,
        result,
        weakest,
        for_certificates=bool(certificate),
        key_roles=_KEY_ROLES.get((kind.name, field.name)) if field and verb in {"add_to", "remove_from"} else None,
        has_async=has_async,
        is_removed=field.is_removed if field else "removed" in kind.words,
        implied_by=field.name if field else "",
        verb=verb,
    )


def _ref(kind: ObjectClass) -> FieldType:
    return FieldType("ref", kind.name)


SIGNATURES: Final[Mapping[str, Signature]] = {
    signature.name: signature for kind in CLASSES.values() for signature in _list_class(kind)
}
