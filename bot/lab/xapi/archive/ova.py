"""Writes `ova.xml`: the records of a guest and of all that belongs to it, with references of the archive's own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import EPOCH, NULL_REF, Value
from bot.lab.xapi.wire.xml_values import encode_value

EXPORT_VERSION: Final = 2
_MODERN: Final = (1, 170)  # of 2019
_ORDER: Final = ("host", "VM", "VM_metrics", "VM_guest_metrics", "VBD", "VIF", "network", "VDI", "SR")
_IDLE: Final[dict[str, Value]] = {"allowed_operations": [], "current_operations": {}}
_FRESH_GUEST: Final[dict[str, Value]] = {
    **_IDLE,
    "scheduled_to_be_resident_on": NULL_REF,
    "domid": -1,
    "consoles": [],
    "crash_dumps": [],
    "blobs": {},
    "VUSBs": [],
    "VGPUs": [],
    "VTPMs": [],
    "attached_PCIs": [],
    "protection_policy": NULL_REF,
    "snapshot_schedule": NULL_REF,
}
_NO_SNAPSHOT: Final[dict[str, Value]] = {
    "is_a_snapshot": False,
    "snapshot_of": NULL_REF,
    "snapshots": [],
    "snapshot_time": EPOCH,
    "parent": NULL_REF,
    "transportable_snapshot_id": "",
}
_UNPLUGGED: Final[dict[str, Value]] = {**_IDLE, "currently_attached": False, "metrics": NULL_REF}
# What is told of a host; everything else of it is left blank.
_OF_HOST: Final = ("uuid", "name_label", "name_description", "hostname", "address", "software_version")


@dataclass
class Inventory:
    """What goes into an archive, by class, with the reference that each object has in it.

    Args:
        database: The records of the pool.
        numbers: Gives the next number of a reference; a real server never begins anew while it runs.
    """

    database: Database
    numbers: Iterator[int] = field(default_factory=count)
    ids: dict[str, str] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _ORDER})

    def add_guest(self, vm: str, *, keeps_state: bool = False, excluded: Iterable[str] = ()) -> None:
        """Adds a guest with its interfaces, disks, measurements and hosts, in the order that a real server finds them.

        Args:
            vm: The guest.
            keeps_state: Whether a sleeping guest stays asleep, with the image of its memory.
            excluded: Kinds of devices to leave out: vif, vbd.
        """
        database = self.database
        record = database.record("VM", vm)
        self._add("VM", vm)
        for vif in [] if "vif" in excluded else record["VIFs"]:
            self._add("VIF", vif)
            self._add("network", database.get("VIF", vif, "network"))
        for vbd in [] if "vbd" in excluded else record["VBDs"]:
            self._add("VBD", vbd)
            self._add_disk(database.get("VBD", vbd, "VDI"))
        if keeps_state:
            self._add_disk(record["suspend_VDI"])
        self._add("VM_metrics", record["metrics"])
        self._add("VM_guest_metrics", record["guest_metrics"])
        for host in (record["resident_on"], record["affinity"]):
            self._add("host", host)

    def _add_disk(self, vdi: str) -> None:
        if self.database.has("VDI", vdi):
            self._add("VDI", vdi)
            self._add("SR", self.database.get("VDI", vdi, "SR"))

    def _add(self, class_name: str, ref: str) -> None:
        # The null reference gets one of the archive as well when something is looked up there, as on a real server.
        if ref in self.ids:
            return
        self.ids[ref] = f"Ref:{next(self.numbers)}"
        if self.database.has(class_name, ref):
            self.found[class_name].append(ref)

    def list_streamed(self, *, keeps_state: bool = False) -> list[tuple[str, str]]:
        """Returns the disks whose data follow, as pairs of the archive's reference and the VDI, in the archive's order.

        The order is that of the text of the references; drives and ISO images are no disks.
        """
        database = self.database
        disks = {
            database.get("VBD", vbd, "VDI") for vbd in self.found["VBD"] if database.get("VBD", vbd, "type") != "CD"
        }
        if keeps_state:
            disks |= {database.get("VM", vm, "suspend_VDI") for vm in self.found["VM"]}
        wanted = disks & set(self.found["VDI"])
        return sorted(
            (self.ids[vdi], vdi)
            for vdi in wanted
            if database.get("SR", database.get("VDI", vdi, "SR"), "content_type") != "iso"
        )

    def write(self, software: Mapping[str, str], *, keeps_state: bool = False, with_snapshots: bool = False) -> bytes:
        """Returns the file.

        Args:
            software: `software_version` of the host that writes.
            keeps_state: As for `add_guest`.
            with_snapshots: Whether snapshots stay snapshots, as in archives of records alone.
        """
        objects = [
            {"class": name, "id": self.ids[ref], "snapshot": self._describe(name, ref, keeps_state, with_snapshots)}
            for name in _ORDER
            for ref in self.found[name]
        ]
        return encode_value({"version": _describe_version(software), "objects": objects}).encode()

    def _describe(self, name: str, ref: str, keeps_state: bool, with_snapshots: bool) -> dict[str, Value]:  # noqa: FBT001  called from one place
        record = {**self.database.record(name, ref)}
        match name:
            case "VM":
                return self._describe_guest(record, keeps_state, with_snapshots)
            case "VBD":
                vdi = self._look_up_own(record["VDI"])
                return record | _UNPLUGGED | {"VM": self._look_up(record["VM"]), "VDI": vdi}
            case "VIF":
                return record | _UNPLUGGED | {key: self._look_up(record[key]) for key in ("VM", "network")}
            case "VDI":
                return (
                    record
                    | _IDLE
                    | {
                        "SR": self._look_up(record["SR"]),
                        "VBDs": self._filter(record["VBDs"]),
                        "crash_dumps": [],
                        "parent": NULL_REF,
                        "metadata_of_pool": NULL_REF,
                    }
                )
            case "SR":
                return record | _IDLE | {"VDIs": self._filter(record["VDIs"]), "PBDs": [], "blobs": {}}
            case "network":
                return record | _IDLE | {"VIFs": self._filter(record["VIFs"]), "PIFs": [], "blobs": {}}
            case "host":
                blank = {key: type(value)() for key, value in record.items() if isinstance(value, list | dict)}
                refs = {key: NULL_REF for key, value in record.items() if str(value).startswith("OpaqueRef:")}
                return record | blank | refs | {key: record[key] for key in _OF_HOST}
        return record

    def _describe_guest(self, record: dict[str, Value], keeps_state: bool, with_snapshots: bool) -> dict[str, Value]:  # noqa: FBT001  as `_describe`
        kept = record["suspend_VDI"] if keeps_state else NULL_REF
        snapshot: dict[str, Value] = dict(_NO_SNAPSHOT)
        if with_snapshots:
            snapshot = {
                **{key: record[key] for key in _NO_SNAPSHOT},
                "snapshot_of": self._look_up_own(record["snapshot_of"]),
                "snapshots": self._filter(record["snapshots"]),
                "parent": self._look_up_own(record["parent"]),
            }
        return {
            **record,
            **_FRESH_GUEST,
            **snapshot,
            "power_state": record["power_state"] if keeps_state else "Halted",
            "suspend_VDI": self._look_up_own(kept),
            "resident_on": self._look_up(record["resident_on"]),
            "affinity": self._look_up(record["affinity"]),
            "VIFs": self._filter(record["VIFs"]),
            "VBDs": self._filter(record["VBDs"]),
            "metrics": self._look_up(record["metrics"]),
            "guest_metrics": self._look_up(record["guest_metrics"]),
        }

    def _look_up(self, ref: str) -> str:
        return self.ids.get(ref, NULL_REF)

    def _look_up_own(self, ref: str) -> str:
        """Returns what an object is called in the archive; the null reference stays what it is."""
        return NULL_REF if ref == NULL_REF else self._look_up(ref)

    def _filter(self, refs: list[str]) -> list[str]:
        return [self.ids[ref] for ref in refs if ref in self.ids]


def find_version(software: Mapping[str, str]) -> tuple[int, int]:
    """Returns major and minor of the toolstack, as archives tell them and importers compare them."""
    major, _, minor = software.get("xapi", "1.0").partition(".")
    return int(major), int(minor or 0)


def _find_build(software: Mapping[str, str]) -> tuple[int, int]:
    """Returns the first two numbers of the toolstack's build, by which features came."""
    parts = (*software.get("xapi_build", "0").split("."), "0")
    return int(parts[0]), int(parts[1])


def is_modern(software: Mapping[str, str]) -> bool:
    """Tells whether a server has zstd and XXH64; older ones take no notice of the one and know SHA-1 alone."""
    return _find_build(software) >= _MODERN


def _describe_version(software: Mapping[str, str]) -> dict[str, Value]:
    major, minor = find_version(software)
    return {
        "hostname": "localhost",
        "date": software.get("date", ""),
        "product_version": software.get("product_version", ""),
        "product_brand": software.get("product_brand", ""),
        "build_number": software.get("build_number", ""),
        "xapi_major": major,
        "xapi_minor": minor,
        "export_vsn": EXPORT_VERSION,
    }
