"""Makes the records of imported guests: hosts are found, disks and guests are made, networks found or made."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from bot.lab.xapi.archive.ova_reader import Description, is_null
from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.disk_work import KEPT, create_disk
from bot.lab.xapi.rules.guest_copies import delete_guest
from bot.lab.xapi.rules.guest_records import show
from bot.lab.xapi.rules.licence import is_licensed
from bot.lab.xapi.rules.memory import compute_vm_overhead
from bot.lab.xapi.rules.network_calls import find_bridge
from bot.lab.xapi.rules.storage_chains import drop_leaf
from bot.lab.xapi.rules.vif_calls import make_mac
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.values import EPOCH, NULL_REF, Value, new_uuid

_NETWORK_KEPT: Final = ("name_label", "name_description", "MTU", "other_config", "tags")
# What belongs to the moment of the export, or to objects that an archive does not bring along.
_NOT_TAKEN: Final = frozenset({"uuid", "allowed_operations", "current_operations", "domid", "is_control_domain"})


@dataclass
class Import:
    """Makes the objects of an archive, in the order in which a real server does.

    Args:
        context: Of the request.
        description: The archive.
        storage: Where all disks go.
        keeps_identity: Whether guests and interfaces keep UUIDs and addresses (`restore=true`).
        undo: Gets what undoes each object.
        disks: None to make the disks; for records without data the UUIDs that disks have here, by those that they had,
            where they differ.
        is_forced: Whether a disk that is not here is left out.
        known: What an archive's reference is called here.
    """

    context: Context
    description: Description
    storage: str
    keeps_identity: bool
    undo: ExitStack
    disks: dict[str, str] | None = None
    is_forced: bool = False
    known: dict[str, str] = field(default_factory=dict)
    guests: list[str] = field(default_factory=list)

    async def create(self) -> None:
        """Makes everything; disks have their full size before any data come.

        Raises:
            ApiError: `SR_BACKEND_FAILURE_44` without space, `IMPORT_ERROR_FAILED_TO_FIND_OBJECT` for a reference that
                leads nowhere.
        """
        self._find_hosts()
        if self.disks is not None:
            self.find_disks()
        else:
            for ref, record in self._described("VDI"):
                await self._make_disk(ref, record)
        for class_name in ("VM_guest_metrics", "VM_metrics"):
            for ref, record in self._described(class_name):
                self._keep(class_name, ref, self._create(class_name, _describe_moment(record)))
        for ref, record in self._described("VM"):
            self._make_guest(ref, record)
        if self.disks is not None:
            self._tie_snapshots()
        self._make_devices()
        for vm in self.guests:
            show(self.context.pool, vm)

    def _make_devices(self) -> None:
        for ref, record in self._described("network"):
            self._find_network(ref, record)
        for ref, record in self._described("VBD"):
            self._make_drive(ref, record)
        for ref, record in self._described("VIF"):
            self._make_interface(ref, record)

    def _find_hosts(self) -> None:
        by_uuid = {record["uuid"]: ref for ref, record in self._items("host")}
        for ref, record in self._described("host"):
            if record["uuid"] in by_uuid:
                self.known[ref] = by_uuid[record["uuid"]]

    def find_disks(self) -> None:
        """Finds the disks of records that came without data, by UUID.

        Raises:
            ApiError: `IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND` when one is not here, unless by force.
        """
        streamed = {name for name, _ in self.description.list_disks()}
        by_uuid = {record["uuid"]: ref for ref, record in self._items("VDI")}
        for ref, record in self.description.records("VDI").items():
            uuid = (self.disks or {}).get(record["uuid"], record["uuid"])
            if ref not in streamed:
                self._find_image(ref, record)
            elif uuid in by_uuid:
                self.known[ref] = by_uuid[uuid]
            elif not self.is_forced:
                raise ApiError("IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND")

    async def _make_disk(self, ref: str, record: dict[str, Value]) -> None:
        if ref not in {name for name, _ in self.description.list_disks()}:
            self._find_image(ref, record)
            return
        values = {name: record[name] for name in KEPT}
        values["other_config"] = {key: value for key, value in record["other_config"].items() if key != "content_id"}
        made = await create_disk(self.context, self.storage, virtual_size=record["virtual_size"], **values)
        self.known[ref] = made
        self.undo.callback(self._drop_disk, made)

    def _find_image(self, ref: str, record: dict[str, Value]) -> None:
        """Finds the medium of a drive by its place in a library here; one that is not there is ejected."""
        for vdi, other in self._items("VDI"):
            if other["location"] == record["location"] and self._get("SR", other["SR"], "content_type") == "iso":
                self.known[ref] = vdi

    def _drop_disk(self, vdi: str) -> None:
        pool = self.context.pool
        if pool.database.has("VDI", vdi):
            drop_leaf(pool, vdi)

    def _make_guest(self, ref: str, record: dict[str, Value]) -> None:
        pool = self.context.pool
        other_config = {key: value for key, value in record["other_config"].items() if key != "default_template"}
        other_config["import_task"] = self.context.task
        if not self.keeps_identity:
            other_config["mac_seed"] = new_uuid()
        sleeps = record["power_state"] == "Suspended"
        image = self._look_up("VDI", record["suspend_VDI"]) if sleeps else NULL_REF
        if sleeps and image == NULL_REF:
            raise ApiError("IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND")
        kind = record["domain_type"]
        vm = self._create(
            "VM",
            {
                **_take("VM", record),
                **({"uuid": record["uuid"]} if self.keeps_identity else {}),
                "other_config": other_config,
                "power_state": "Suspended" if sleeps else "Halted",
                "suspend_VDI": image,
                "affinity": self.known.get(record["affinity"], NULL_REF),
                "metrics": self.known.get(record["metrics"], NULL_REF),
                "guest_metrics": self.known.get(record["guest_metrics"], NULL_REF),
                "is_default_template": False,
                "is_a_snapshot": record["is_a_snapshot"] and self.disks is not None,
                "snapshot_time": record["snapshot_time"] if self.disks is not None else EPOCH,
                "ha_always_run": False,
                "domid": -1,
                "memory_target": 0,
                "version": record["version"] + 1 if self.keeps_identity else 0,
                "generation_id": _make_generation(),
                "domain_type": ("hvm" if record["HVM_boot_policy"] else "pv") if kind == "unspecified" else kind,
                "current_operations": {self.context.task: "import"},
            },
        )
        pool.database.set("VM", vm, memory_overhead=compute_vm_overhead(pool.database, vm))
        self.known[ref] = vm
        self.guests.append(vm)
        self.undo.callback(self._drop_guest, vm)

    def _tie_snapshots(self) -> None:
        """Lets the snapshots of an archive be those of the guest that came with them."""
        for ref, record in self.description.records("VM").items():
            origin, parent = (self.known.get(record[name], NULL_REF) for name in ("snapshot_of", "parent"))
            self.context.pool.database.set("VM", self.known[ref], snapshot_of=origin, parent=parent)

    def _drop_guest(self, vm: str) -> None:
        if self.context.pool.database.has("VM", vm):
            delete_guest(self.context.pool, vm)

    def _find_network(self, ref: str, record: dict[str, Value]) -> None:
        """Finds a network by its name, then by its bridge; makes one when there is neither."""
        for name in ("name_label", "bridge"):
            for network, other in self._items("network"):
                if other[name] == record[name] and ref not in self.known:
                    self.known[ref] = network
        if ref not in self.known:
            values = {name: record[name] for name in _NETWORK_KEPT}
            bridge = find_bridge(self.context.pool.database)
            self._keep("network", ref, self._create("network", {**values, "bridge": bridge, "managed": True}))

    def _make_drive(self, ref: str, record: dict[str, Value]) -> None:
        vdi = NULL_REF if record["empty"] else self._look_up("VDI", record["VDI"])
        if vdi == NULL_REF and record["type"] != "CD":
            return  # a disk that did not come along
        fields = _take("VBD", record) | {"currently_attached": False, "empty": vdi == NULL_REF}
        self.known[ref] = self._create("VBD", {**fields, "VM": self._find("VM", record["VM"]), "VDI": vdi})

    def _make_interface(self, ref: str, record: dict[str, Value]) -> None:
        vm = self._find("VM", record["VM"])
        fields = _take("VIF", record) | {"currently_attached": False}
        if self.keeps_identity:
            fields |= {"uuid": record["uuid"]}
        else:
            seed = self._get("VM", vm, "other_config")["mac_seed"]
            fields |= {"MAC": make_mac(seed, record["device"]), "MAC_autogenerated": True}
        if not is_licensed(self.context.pool, "VIF_locking"):
            fields |= {"locking_mode": "network_default", "ipv4_allowed": [], "ipv6_allowed": []}
        network = self._find("network", record["network"])
        self.known[ref] = self._create("VIF", {**fields, "VM": vm, "network": network})

    def _find(self, class_name: str, ref: str) -> str:
        self.description.find(class_name, ref)
        return self.known[ref]

    def _look_up(self, class_name: str, ref: str) -> str:
        """Returns what a reference is called here, the null reference for an object that was left out."""
        if is_null(ref):
            return NULL_REF
        self.description.find(class_name, ref)
        return self.known.get(ref, NULL_REF)

    def _keep(self, class_name: str, ref: str, made: str) -> None:
        self.known[ref] = made
        self.undo.callback(self._drop, class_name, made)

    def _drop(self, class_name: str, ref: str) -> None:
        if self.context.pool.database.has(class_name, ref):
            self.context.pool.database.delete(class_name, ref)

    def _create(self, class_name: str, values: dict[str, Value]) -> str:
        return self.context.pool.database.create(class_name, **values)

    def _get(self, class_name: str, ref: str, name: str) -> Value:
        return self.context.pool.database.get(class_name, ref, name)

    def _described(self, class_name: str) -> list[tuple[str, dict[str, Value]]]:
        return list(self.description.records(class_name).items())

    def _items(self, class_name: str) -> list[tuple[str, dict[str, Value]]]:
        return list(self.context.pool.database.items(class_name))


def _take(class_name: str, record: dict[str, Value]) -> dict[str, Value]:
    """Returns the fields that a new record takes over: nothing that names other objects, nothing of the moment."""
    fields = CLASSES[class_name].fields
    return {
        name: value for name, value in record.items() if name not in _NOT_TAKEN and not _names_object(fields[name].type)
    }


def _describe_moment(record: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in record.items() if name != "uuid"}


def _names_object(kind: FieldType) -> bool:
    return kind.kind == "ref" or any(_names_object(part) for part in kind.of)


def _make_generation() -> str:
    number = int(new_uuid().replace("-", ""), 16)
    return f"{number >> 65}:{number & (2**63 - 1)}"
