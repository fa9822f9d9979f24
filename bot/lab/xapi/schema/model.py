"""Reads the tables of the data model: what a record holds, what a call takes, who may do it.

A table is text, one line per field in the order of the record, then one line per message of its own:

    (write vm-admin, make vm-admin)
    name_label: string rw
    affinity: ref host rw vm-power-admin
    memory_target: int ctor = 0
    migrate_send(ref VM, map string string, map ref VDI string?) -> ref VM: vm-power-admin cert

The first line tells what departs from the usual: `write ROLE` sets fields (pool-operator), `read ROLE` looks
(read-only), `make ROLE` creates and destroys (nobody, unless a message of its own does); `unlisted` has no
`get_all`, `bare` has neither table nor implicit messages, `sync` has no `Async.` forms, `removed` is there only to
say that it is gone.
A field is `rw` where a client may set it, `ctor` where only the constructor does, `must` where the constructor
cannot do without it, `removed` where its messages only say that it is gone; a role beside it may set it instead of
the class's, `read:ROLE` may read it; after `=` comes a default that is not the empty value of the type.
A message has its parameters without the session (`?` may be left out), its result unless void, the weakest role
(`local` is nobody but the local superuser), `cert` where clients with a certificate may too, `sync` without an
`Async.` form, `removed`, and `nosession` for what is done before logging in.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from bot.lab.xapi.schema import (
    access,
    core,
    devices,
    enums,
    guest,
    guest_parts,
    host,
    host_parts,
    network,
    services,
    storage,
)
from bot.lab.xapi.values import EPOCH, NULL_REF, Value

_ORDER: Final = """
session auth subject role task event pool pool_patch pool_update VM VM_metrics VM_guest_metrics VMPP VMSS
VM_appliance DR_task host host_crashdump host_patch host_metrics host_cpu network VIF VIF_metrics PIF PIF_metrics
Bond VLAN SM SR sr_stat probe_result LVHD VDI VBD VBD_metrics PBD crashdump VTPM console user data_source blob
message secret tunnel network_sriov PCI PGPU GPU_group VGPU VGPU_type PVS_site PVS_server PVS_proxy
PVS_cache_storage Feature SDN_controller vdi_nbd_server_info PUSB USB_group VUSB Cluster Cluster_host Certificate
Repository Observer
"""
_MESSAGE_LINE: Final = re.compile(r"(?P<name>\w+)\((?P<params>.*?)\)(?: -> (?P<result>[^:]+))?: (?P<words>.+)")
_EMPTY: Final[Mapping[str, Value]] = {
    "string": "",
    "enum": "",
    "int": 0,
    "float": 0.0,
    "bool": False,
    "datetime": EPOCH,
    "ref": NULL_REF,
}
# Enumeration, then its values.
ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(values.split())
    for name, values in (line.split(": ", 1) for line in enums.ENUMS.replace("\n    ", " ").strip().splitlines())
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
    """One field of a class.

    Attributes:
        writable: Whether there are `set_`, `add_to_` and the like.
        made_with: Whether the constructor takes it.
        required: Whether the constructor cannot do without it.
        is_removed: Whether its messages only say that it is gone.
        reader: The weakest role that may read it.
        writer: The weakest role that may set it.
    """

    name: str
    type: FieldType
    writable: bool
    default: str
    made_with: bool = False
    required: bool = False
    is_removed: bool = False
    reader: str = "read-only"
    writer: str = "pool-operator"

    def make_default(self) -> Value:
        """Returns a fresh default value."""
        if not self.default:
            return empty_value(self.type)
        if self.type.kind == "map":
            return dict(pair.split("=", 1) for pair in self.default.split())
        if self.type.kind == "set":
            return [int(item) if self.type.of[0].kind == "int" else item for item in self.default.split()]
        if self.type.kind == "bool":
            return self.default == "true"
        if self.type.kind in {"int", "float"}:
            return int(self.default) if self.type.kind == "int" else float(self.default)
        return self.default


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a class that no field implies.

    Attributes:
        params: The types of its parameters after the session.
        optional: How many of the last ones may be left out.
        result: None for void.
        role: The weakest role that may send it; `local` for the local superuser alone.
        words: What else its line says.
    """

    name: str
    params: tuple[FieldType, ...]
    optional: int
    result: FieldType | None
    role: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A class: its name as the API spells it and its fields in the order of the record.

    Attributes:
        messages: Those of its own, by name.
        reader: The weakest role that may list and search.
        maker: The weakest role that may use the implicit constructor and destructor; empty where there is none.
        words: What else its first line says.
    """

    name: str
    fields: dict[str, Field]
    messages: dict[str, Message]
    reader: str
    maker: str
    words: frozenset[str]

    def make_record(self) -> dict[str, Value]:
        """Returns a fresh record with the defaults of all fields, in their order."""
        fixed, made = _read_defaults(self.name)
        record = dict(fixed)
        for field in made:
            record[field.name] = field.make_default()
        return record


@cache
def _read_defaults(name: str) -> tuple[dict[str, Value], list[Field]]:
    """Returns the defaults of a class, and the fields whose default must be made anew for each record."""
    fields = CLASSES[name].fields
    return (
        {field.name: field.make_default() for field in fields.values()},
        [field for field in fields.values() if field.type.kind in {"set", "map", "record"}],
    )


def parse_type(text: str) -> FieldType:
    """Reads a type written in prefix form, for example `map string set ref VM`."""
    words = iter(text.split())
    return _parse_words(words)


def _parse_words(words: Iterator[str]) -> FieldType:
    kind = next(words)
    if kind in {"ref", "enum"}:
        return FieldType(kind, next(words))
    if kind == "record":
        return FieldType(kind, next(words, ""))
    if kind == "set":
        return FieldType(kind, of=(_parse_words(words),))
    if kind == "map":
        return FieldType(kind, of=(_parse_words(words), _parse_words(words)))
    return FieldType(kind)


def _parse_class(name: str, text: str) -> ObjectClass:
    lines = text.replace("\n    ", " ").strip().splitlines()
    traits = {}
    if lines and lines[0].startswith("("):
        traits = {word: role for word, _, role in (part.partition(" ") for part in lines.pop(0)[1:-1].split(", "))}
    reader, writer = traits.get("read", "read-only"), traits.get("write", "pool-operator")
    fields, messages = {}, {}
    for line in lines:
        if found := _MESSAGE_LINE.fullmatch(line):
            messages[found["name"]] = _parse_message(found)
        else:
            field = _parse_field(line, reader, writer)
            fields[field.name] = field
    return ObjectClass(name, fields, messages, reader, traits.get("make", ""), frozenset(traits))


def _parse_field(line: str, reader: str, writer: str) -> Field:
    declared, _, default = line.partition(" = ")
    name, _, described = declared.partition(": ")
    words = iter(described.split())
    kind = _parse_words(words)
    rest = set(words)
    readers = [word.removeprefix("read:") for word in rest if word.startswith("read:")]
    writers = [word for word in rest if "-" in word and not word.startswith("read:")]
    if "cert" in rest:
        writers = [f"{writers[0]} cert"]
    return Field(
        name,
        kind,
        writable="rw" in rest,
        default=default,
        made_with=bool(rest & {"rw", "ctor"}),
        required="must" in rest,
        is_removed="removed" in rest,
        reader=readers[0] if readers else reader,
        writer=writers[0] if writers else writer,
    )


def _parse_message(found: re.Match[str]) -> Message:
    params = found["params"].split(", ") if found["params"] else []
    role, *words = found["words"].split()
    return Message(
        found["name"],
        tuple(parse_type(param.removesuffix("?")) for param in params),
        sum(param.endswith("?") for param in params),
        parse_type(found["result"]) if found["result"] else None,
        role,
        frozenset(words),
    )


_TABLES: Final = {
    name: text
    for module in (access, core, devices, guest, guest_parts, host, host_parts, network, services, storage)
    for name, text in module.TABLES.items()
}
# In the order of the data model: events of one batch come in this order of classes.
CLASSES: Final[Mapping[str, ObjectClass]] = {name: _parse_class(name, _TABLES[name]) for name in _ORDER.split()}


def empty_value(kind: FieldType) -> Value:
    """Returns the empty value of a type: zero, no text, the null reference, the epoch."""
    if kind.kind in _EMPTY:
        return _EMPTY[kind.kind]
    if kind.kind == "set":
        return []
    return {} if kind.kind in {"map", "record"} else ""
