"""Reads the field lists into types: what a record holds, what a setter accepts.

Everything else asks `CLASSES`; the text it is read from is in the modules beside this one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema import core, guest, host, known, network, storage
from bot.lab.xapi.values import EPOCH, NULL_REF, Date, Value

_ENUMS: Final = {
    "on_softreboot_behavior": ("soft_reboot", "destroy", "restart", "preserve"),
    "on_normal_exit": ("destroy", "restart"),
    "on_crash_behaviour": (
        "destroy",
        "coredump_and_destroy",
        "restart",
        "coredump_and_restart",
        "preserve",
        "rename_restart",
    ),
    "host_display": ("enabled", "disable_on_reboot", "disabled", "enable_on_reboot"),
    "vbd_type": ("CD", "Disk", "Floppy"),
    "vbd_mode": ("RO", "RW"),
    "task_status_type": ("pending", "success", "failure", "cancelling", "cancelled"),
    "cls": ("VM", "Host", "SR", "Pool", "VMPP", "VMSS", "PVS_proxy", "VDI", "Certificate"),
}

_EMPTY: Final[Mapping[str, Value]] = {
    "string": "",
    "enum": "",
    "int": 0,
    "float": 0.0,
    "bool": False,
    "datetime": EPOCH,
    "ref": NULL_REF,
}


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type of the data model.

    Attributes:
        kind: string, int, float, bool, datetime, record, enum, ref, set or map.
        name: The enum's or the referred class's name.
        of: The element type of a set, key and value type of a map.
    """

    kind: str
    name: str = ""
    of: tuple["FieldType", ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a class; `writable` fields have `set_`, `add_to_` and the like."""

    name: str
    type: FieldType
    writable: bool
    default: str

    def make_default(self) -> Value:
        """Returns a fresh default value."""
        if not self.default:
            return empty_value(self.type)
        if self.type.kind == "map":
            return dict(pair.split("=", 1) for pair in self.default.split())
        if self.type.kind == "bool":
            return self.default == "true"
        if self.type.kind in {"int", "float"}:
            return int(self.default) if self.type.kind == "int" else float(self.default)
        return self.default


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A class with a table: its name as the API spells it and its fields in the order of the record."""

    name: str
    fields: dict[str, Field]


def parse_type(text: str) -> FieldType:
    """Reads a type written in prefix form, for example `map string set ref VM`."""
    words = iter(text.split())
    return _parse_words(words)


def _parse_words(words: Iterator[str]) -> FieldType:
    kind = next(words)
    if kind in {"ref", "enum"}:
        return FieldType(kind, next(words))
    if kind == "set":
        return FieldType(kind, of=(_parse_words(words),))
    if kind == "map":
        return FieldType(kind, of=(_parse_words(words), _parse_words(words)))
    return FieldType(kind)


def _parse_class(name: str, text: str) -> ObjectClass:
    fields = {}
    for line in text.strip().splitlines():
        declared, _, default = line.partition(" = ")
        field_name, _, described = declared.partition(": ")
        words = described.split()
        writable = words[-1] == "rw"
        if words[-1] in {"rw", "ctor"}:
            words.pop()
        fields[field_name] = Field(field_name, parse_type(" ".join(words)), writable, default)
    return ObjectClass(name, fields)


# In the order of the data model: events of one batch come in this order of classes.
CLASSES: Final[Mapping[str, ObjectClass]] = {
    name: _parse_class(name, text)
    for name, text in (
        ("session", core.SESSION),
        ("task", core.TASK),
        ("pool", core.POOL),
        ("VM", guest.VM),
        ("VM_metrics", guest.VM_METRICS),
        ("VM_guest_metrics", guest.VM_GUEST_METRICS),
        ("host", host.HOST),
        ("host_metrics", host.HOST_METRICS),
        ("network", network.NETWORK),
        ("VIF", network.VIF),
        ("PIF", network.PIF),
        ("PIF_metrics", network.PIF_METRICS),
        ("SR", storage.SR),
        ("VDI", storage.VDI),
        ("VBD", storage.VBD),
        ("PBD", storage.PBD),
        ("message", core.MESSAGE),
    )
}


def _read_known() -> frozenset[str]:
    names: set[str] = set()
    for line in known.MESSAGES.replace("\n    ", " ").strip().splitlines():
        class_name, _, messages = line.partition(": ")
        names.update(f"{class_name}.{message}" for message in messages.split())
    for line in known.FIELDS_ELSEWHERE.replace("\n    ", " ").strip().splitlines():
        class_name, _, fields = line.partition(": ")
        for word in fields.split():
            field = word.removeprefix("*")
            verbs = ["get_"]
            if word.startswith("*"):
                verbs += ["set_", "add_to_", "remove_from_", "add_", "remove_"]
            names.update(f"{class_name}.{verb}{field}" for verb in verbs)
        implicit = "get_all get_all_records get_all_records_where get_record get_by_uuid get_by_name_label"
        names.update(f"{class_name}.{message}" for message in implicit.split())
    return frozenset(names)


# Names that API 2.21 has, served here or not.
KNOWN_CALLS: Final = _read_known()


def empty_value(kind: FieldType) -> Value:
    """Returns the empty value of a type: zero, no text, the null reference, the epoch."""
    if kind.kind in _EMPTY:
        return _EMPTY[kind.kind]
    if kind.kind == "set":
        return []
    return {} if kind.kind in {"map", "record"} else ""


def read_value(kind: FieldType, value: Value) -> Value:
    """Turns what a client sent into a typed value.

    Raises:
        ApiError: `INTERNAL_ERROR` for another type, `INVALID_VALUE` for an enum's or date's bad text; both as a
            real server answers.
    """
    if kind.kind == "set":
        if not isinstance(value, list):
            raise _wrong_type("Enum", value)
        return [read_value(kind.of[0], item) for item in value]
    if kind.kind == "map":
        if not isinstance(value, dict):
            raise _wrong_type("Dict", value)
        key_type, value_type = kind.of
        return {read_value(key_type, key): read_value(value_type, item) for key, item in value.items()}
    if kind.kind == "record":
        return value
    return _read_scalar(kind, value)


def _read_scalar(kind: FieldType, value: Value) -> Value:
    if kind.kind == "bool":
        if not isinstance(value, bool):
            raise _wrong_type("bool", value)
        return value
    if kind.kind in {"int", "float"}:
        return _read_number(kind.kind, value)
    if isinstance(value, Date) and kind.kind == "string":
        return str(value)
    if kind.kind == "datetime":
        return value if isinstance(value, Date) else _read_date(value)
    if not isinstance(value, str):
        raise _wrong_type("string", value)
    if kind.kind == "enum" and kind.name in _ENUMS and value not in _ENUMS[kind.name]:
        raise ApiError("INVALID_VALUE", kind.name, value)
    return value


def _read_date(value: Value) -> Date:
    if not isinstance(value, str):
        raise _wrong_type("string", value)
    compact = value.replace("-", "")
    has_shape = len(compact) == 18 and compact[8] == "T" and compact.endswith("Z")
    if not has_shape or not compact[:8].isdigit():
        raise ApiError("INVALID_VALUE", "datetime", value)
    return Date(compact)


def _read_number(kind: str, value: Value) -> int | float:
    # Integers come as text over XML-RPC; a float may come as an integer or as text.
    if not isinstance(value, bool):
        try:
            if kind == "float" and isinstance(value, int | float | str):
                return float(value)
            if kind == "int" and isinstance(value, int | str):
                return int(value)
        except ValueError:
            raise ApiError("INTERNAL_ERROR", f'Failure("{kind}_of_string")') from None
    raise _wrong_type(kind, value)


def _wrong_type(expected: str, value: Value) -> ApiError:
    if isinstance(value, bool):
        seen = f"Bool({str(value).lower()})"
    elif isinstance(value, int):
        seen = f"I({value})"
    elif isinstance(value, float):
        seen = f"F({value})"
    elif isinstance(value, str):
        seen = f"S({value})"
    else:
        seen = "Enum(...)" if isinstance(value, list) else "Dict(...)"
    return ApiError("INTERNAL_ERROR", f"Failure(\"Expected {expected}, got '{seen}'\")")
