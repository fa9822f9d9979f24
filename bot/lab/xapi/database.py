"""The records of one pool: references, generations, and links kept on both ends.

Rules write through `Database`; events read what changed since a generation; the wire caches what it encoded
per record and generation.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.lab.xapi.clock import Signal
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.values import NULL_REF, Value, new_ref, new_uuid

# A reference on the left keeps the list on the right: the API shows both ends of a link.
LINKS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("task", "subtask_of"): ("task", "subtasks"),
    ("VM", "resident_on"): ("host", "resident_VMs"),
    ("VM", "snapshot_of"): ("VM", "snapshots"),
    ("VM", "parent"): ("VM", "children"),
    ("VM", "appliance"): ("VM_appliance", "VMs"),
    ("VM", "snapshot_schedule"): ("VMSS", "VMs"),
    ("VM", "protection_policy"): ("VMPP", "VMs"),
    ("VBD", "VM"): ("VM", "VBDs"),
    ("VBD", "VDI"): ("VDI", "VBDs"),
    ("VIF", "VM"): ("VM", "VIFs"),
    ("VIF", "network"): ("network", "VIFs"),
    ("VTPM", "VM"): ("VM", "VTPMs"),
    ("console", "VM"): ("VM", "consoles"),
    ("crashdump", "VM"): ("VM", "crash_dumps"),
    ("crashdump", "VDI"): ("VDI", "crash_dumps"),
    ("PIF", "network"): ("network", "PIFs"),
    ("PIF", "host"): ("host", "PIFs"),
    ("PIF", "bond_slave_of"): ("Bond", "slaves"),
    ("Bond", "master"): ("PIF", "bond_master_of"),
    ("VLAN", "tagged_PIF"): ("PIF", "VLAN_slave_of"),
    ("tunnel", "access_PIF"): ("PIF", "tunnel_access_PIF_of"),
    ("tunnel", "transport_PIF"): ("PIF", "tunnel_transport_PIF_of"),
    ("network_sriov", "physical_PIF"): ("PIF", "sriov_physical_PIF_of"),
    ("network_sriov", "logical_PIF"): ("PIF", "sriov_logical_PIF_of"),
    ("VDI", "SR"): ("SR", "VDIs"),
    ("VDI", "snapshot_of"): ("VDI", "snapshots"),
    ("VDI", "metadata_of_pool"): ("pool", "metadata_VDIs"),
    ("SR", "introduced_by"): ("DR_task", "introduced_SRs"),
    ("PBD", "host"): ("host", "PBDs"),
    ("PBD", "SR"): ("SR", "PBDs"),
    ("host_cpu", "host"): ("host", "host_CPUs"),
    ("host_crashdump", "host"): ("host", "crashdumps"),
    ("host_patch", "host"): ("host", "patches"),
    ("host_patch", "pool_patch"): ("pool_patch", "host_patches"),
    ("Certificate", "host"): ("host", "certificates"),
    ("Feature", "host"): ("host", "features"),
    ("PCI", "host"): ("host", "PCIs"),
    ("PGPU", "host"): ("host", "PGPUs"),
    ("PGPU", "GPU_group"): ("GPU_group", "PGPUs"),
    ("PUSB", "host"): ("host", "PUSBs"),
    ("PUSB", "USB_group"): ("USB_group", "PUSBs"),
    ("PVS_cache_storage", "site"): ("PVS_site", "cache_storage"),
    ("PVS_proxy", "site"): ("PVS_site", "proxies"),
    ("PVS_server", "site"): ("PVS_site", "servers"),
    ("Cluster_host", "cluster"): ("Cluster", "cluster_hosts"),
}
_LINKED: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(field_name for owner, field_name in LINKS if owner == name) for name in CLASSES
}
_DELETED_KEPT: Final = 20_000


class Row:
    """One record with the generations of its making and last change, and what the wires encoded of it."""

    # No dataclass: the JSON encoder would write one as an object by itself, past the cache.
    __slots__ = ("created", "encoded", "fields", "modified", "ref")

    def __init__(self, ref: str, fields: dict[str, Value], created: int) -> None:
        self.ref = ref
        self.fields = fields
        self.created = created
        self.modified = created
        self.encoded: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Deleted:
    """A record that is gone."""

    class_name: str
    ref: str
    created: int
    deleted: int


class Database:
    """All records of one pool.

    Every change raises the generation by one and fires `changed`. Messages have a generation of their own
    beside it, as in the tokens of `event.from`.

    Attributes:
        forgotten: The generation of the last deletion that is no longer remembered.
    """

    def __init__(self) -> None:
        self._tables: dict[str, OrderedDict[str, Row]] = {name: OrderedDict() for name in CLASSES}
        self._uuids: dict[str, dict[str, str]] = {name: {} for name in CLASSES}
        self._deleted: deque[Deleted] = deque()
        self.forgotten = 0
        self.generation = 0
        self.message_generation = 0
        self.notices = 0
        self.changed = Signal()

    def create(self, class_name: str, /, *, ref: str | None = None, **values: Value) -> str:
        """Makes a record from the defaults of its class and `values`; returns its reference."""
        ref = ref or new_ref()
        fields = CLASSES[class_name].make_record()
        if unknown := values.keys() - fields.keys():
            raise ValueError(f"{class_name} has no field {', '.join(sorted(unknown))}.")
        fields.update(values)
        fields["uuid"] = fields["uuid"] or new_uuid()
        generation = self._advance(class_name)
        self._tables[class_name][ref] = Row(ref, fields, generation)
        self._uuids[class_name][fields["uuid"]] = ref
        for name in _LINKED[class_name]:
            self._link(class_name, ref, name, NULL_REF, fields[name])
        self.changed.fire()
        return ref

    def delete(self, class_name: str, ref: str) -> None:
        """Removes a record and its place in the lists of others."""
        row = self._find_row(class_name, ref)
        for name in _LINKED[class_name]:
            self._link(class_name, ref, name, row.fields[name], NULL_REF)
        del self._tables[class_name][ref]
        self._uuids[class_name].pop(row.fields["uuid"], None)
        generation = self._advance(class_name)
        self._deleted.append(Deleted(class_name, ref, row.created, generation))
        if len(self._deleted) > _DELETED_KEPT:
            self.forgotten = self._deleted.popleft().deleted
        self.changed.fire()

    def get(self, class_name: str, ref: str, name: str) -> Value:
        """Returns a field's value, which must not be changed in place.

        Raises:
            ApiError: `HANDLE_INVALID` for a dangling reference.
        """
        return self._find_row(class_name, ref).fields[name]

    def record(self, class_name: str, ref: str) -> dict[str, Value]:
        """Returns the live record, which must not be changed in place; fails as `get` does."""
        return self._find_row(class_name, ref).fields

    def row(self, class_name: str, ref: str) -> Row:
        """Returns the row of a record; fails as `get` does."""
        return self._find_row(class_name, ref)

    def set(self, class_name: str, ref: str, /, **values: Value) -> None:
        """Writes fields, each as a change of its own; equal values change nothing; fails as `get` does."""
        row = self._find_row(class_name, ref)
        changed = False
        for name, value in values.items():
            old = row.fields[name]
            if old == value and type(old) is type(value):
                continue
            row.fields[name] = value
            if name == "uuid":
                self._uuids[class_name].pop(old, None)
                self._uuids[class_name][value] = ref
            self._touch(class_name, row)
            self._link(class_name, ref, name, old, value)
            changed = True
        if changed:
            self.changed.fire()

    def touch(self, class_name: str, ref: str) -> None:
        """Makes a null change, which watchers see as a modification."""
        self._touch(class_name, self._find_row(class_name, ref))
        self.changed.fire()

    def notify(self) -> None:
        """Wakes watchers though no record has changed: a toolstack came or went, a fault took hold."""
        self.notices += 1
        self.changed.fire()

    def has(self, class_name: str, ref: str) -> bool:
        """Tells whether the reference is of a live record."""
        return ref in self._tables[class_name]

    def refs(self, class_name: str) -> list[str]:
        """Returns the references of all records of a class."""
        return list(self._tables[class_name])

    def rows(self, class_name: str) -> list[Row]:
        """Returns all rows of a class."""
        return list(self._tables[class_name].values())

    def items(self, class_name: str) -> Iterator[tuple[str, dict[str, Value]]]:
        """Yields reference and record of all records of a class, as they are now."""
        for row in self.rows(class_name):
            yield row.ref, row.fields

    def count(self, class_name: str) -> int:
        """Returns the number of records of a class."""
        return len(self._tables[class_name])

    def find_by_uuid(self, class_name: str, uuid: str) -> str:
        """Returns the reference of a UUID.

        Raises:
            ApiError: `UUID_INVALID` when no record has it.
        """
        ref = self._uuids[class_name].get(uuid)
        if ref is None:
            raise ApiError("UUID_INVALID", class_name, uuid)
        return ref

    def rows_since(self, class_name: str, generation: int) -> list[Row]:
        """Returns the rows changed after `generation`, oldest change first, without looking at the others."""
        found = []
        for row in reversed(self._tables[class_name].values()):
            if row.modified <= generation:
                break
            found.append(row)
        found.reverse()
        return found

    def deleted_since(self, generation: int) -> list[Deleted]:
        """Returns what was deleted after `generation`, oldest first."""
        found = []
        for gone in reversed(self._deleted):
            if gone.deleted <= generation:
                break
            found.append(gone)
        found.reverse()
        return found

    def _find_row(self, class_name: str, ref: str) -> Row:
        row = self._tables[class_name].get(ref)
        if row is None:
            raise ApiError("HANDLE_INVALID", class_name, ref)
        return row

    def _advance(self, class_name: str) -> int:
        self.generation += 1
        if class_name == "message":
            self.message_generation = self.generation
        return self.generation

    def _touch(self, class_name: str, row: Row) -> None:
        row.modified = self._advance(class_name)
        row.encoded.clear()
        self._tables[class_name].move_to_end(row.ref)

    def _link(self, class_name: str, ref: str, name: str, old: Value, new: Value) -> None:
        link = LINKS.get((class_name, name))
        if link is None or old == new:
            return
        other_class, list_name = link
        for other, belongs in ((old, False), (new, True)):
            row = self._tables[other_class].get(other)
            if row is None:
                continue
            listed: list[str] = row.fields[list_name]
            row.fields[list_name] = [*listed, ref] if belongs else [item for item in listed if item != ref]
            self._touch(other_class, row)
