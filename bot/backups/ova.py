"""`ova.xml`, the first member of an archive: what the guest is, and which disks must follow.

It is read as it comes, and of a hostile one no more is kept than of an honest one (see `ova_values`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.backups.ova_values import BadOva, Object, Objects, Values
from bot.domain.backup import LONGEST_NAME, ArchivedGuest, ArchivedNic, disk_label

LONGEST: Final = 16 << 20
# Quotes within values are escaped, so that no name or description can hold this.
_NAME_LABEL: Final = re.compile(r"\('name_label' '((?:[^'\\]|\\.)*)'\)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
"""Bytes of the longest `ova.xml` that is read. A guest with 255 disks has one of about 1 MiB."""

_LARGEST_DISK: Final = 1 << 62


@dataclass
class OvaDisk:
    """A disk whose blocks must follow: `id` is the folder its blocks are named by, `size` in bytes."""

    id: str
    device: str
    name: str
    uuid: str
    size: int
    sr: str
    sr_name: str

    @property
    def label(self) -> str:
        """What people call it: the position and the name."""
        return disk_label(self.device, self.name)


@dataclass(frozen=True)
class Ova:
    """What an `ova.xml` says. `disks` are in the order in which their blocks must come."""

    guest: ArchivedGuest
    disks: tuple[OvaDisk, ...]
    xapi_major: int
    xapi_minor: int
    product: str
    export_version: int
    sha256: str


class OvaReader:
    """Takes the text as it comes, then tells what it says."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._values = Values()

    def feed(self, part: memoryview) -> None:
        """Takes the next bytes. Raises BadOva."""
        self._digest.update(part)
        self._values.feed(part)

    def finish(self) -> Ova:
        """Returns what it says. Raises BadOva when that is not the description of a guest with its disks."""
        objects, version = self._values.finish()
        guests = {key: one for key, one in objects.get("VM", {}).items() if _text(one, "is_control_domain") != "1"}
        if not guests:
            raise BadOva("it describes no guest")
        guest = next(iter(guests.values()))
        # A guest that was restored from a snapshot may keep what is told of that, but is no template.
        snapshot = _text(guest, "is_a_template") == "1" and bool(_struct(guest, "snapshot_info"))
        return Ova(
            guest=ArchivedGuest(
                uuid=_text(guest, "uuid"),
                name=_text(guest, "name_label"),
                template=_text(guest, "is_a_template") == "1",
                power_state=_text(guest, "power_state"),
                memory_dynamic_min=_number(guest, "memory_dynamic_min", 0),
                memory_static_max=_number(guest, "memory_static_max", 0),
                vcpus=_number(guest, "VCPUs_max", 0),
                domain_type=_domain_type(guest),
                mac_seed=_text(_struct(guest, "other_config"), "mac_seed"),
                nics=tuple(_nics(objects)),
                pci=_text(_struct(guest, "other_config"), "pci"),
                vgpus=len(objects.get("VGPU", {})),
                snapshot=snapshot,
                of=_name_of_guest(guest) if snapshot else "",
            ),
            disks=tuple(_disks(objects)),
            xapi_major=_number(version, "xapi_major", 0),
            xapi_minor=_number(version, "xapi_minor", 0),
            product=" ".join(filter(None, (_text(version, "product_brand"), _text(version, "product_version")))),
            export_version=_number(version, "export_vsn", 0),
            sha256=self._digest.hexdigest(),
        )


def _disks(objects: Objects) -> Iterator[OvaDisk]:
    """The disks that must follow, as the importing server derives them: all but those in drives or of ISO storage."""
    drives: dict[str, list[Object]] = {}
    for drive in objects.get("VBD", {}).values():
        drives.setdefault(_text(drive, "VDI"), []).append(drive)
    storage = objects.get("SR", {})
    # The order is that of the names as strings: Ref:10 comes before Ref:7.
    for key, disk in sorted(objects.get("VDI", {}).items()):
        uses = drives.get(key, [])
        sr = storage.get(_text(disk, "SR"), {})
        if _text(sr, "content_type") == "iso" or (uses and all(_text(use, "type") == "CD" for use in uses)):
            continue
        size = _number(disk, "virtual_size", -1)
        if not 0 <= size <= _LARGEST_DISK or size % 512:
            raise BadOva(f"a disk in it has no usable size ({_text(disk, 'virtual_size')[:40]!r})")
        yield OvaDisk(
            id=key,
            device=next((_text(use, "userdevice") for use in uses if _text(use, "type") != "CD"), ""),
            name=_text(disk, "name_label"),
            uuid=_text(disk, "uuid"),
            size=size,
            sr=_text(sr, "uuid"),
            sr_name=_text(sr, "name_label"),
        )


def _nics(objects: Objects) -> Iterator[ArchivedNic]:
    networks = objects.get("network", {})
    for nic in sorted(objects.get("VIF", {}).values(), key=lambda one: (_number(one, "device", 0), _text(one, "MAC"))):
        network = networks.get(_text(nic, "network"), {})
        yield ArchivedNic(_text(nic, "device"), _text(nic, "MAC"), _text(network, "uuid"), _text(network, "name_label"))


def _name_of_guest(snapshot: Object) -> str:
    """The name of the guest, from the record of it that a real server keeps with a snapshot, printed as text."""
    record = snapshot.get("snapshot_metadata", "")
    found = _NAME_LABEL.search(record) if isinstance(record, str) else None
    return _ESCAPED.sub(r"\1", found[1])[:LONGEST_NAME] if found is not None else ""


def _domain_type(guest: Object) -> str:
    """As the importing server derives it where an older one did not say: a guest with a boot policy is HVM."""
    said = _text(guest, "domain_type")
    if said not in {"", "unspecified"}:
        return said
    return "hvm" if _text(guest, "HVM_boot_policy") else "pv"


def _text(one: Object, key: str) -> str:
    value = one.get(key, "")
    return value[:LONGEST_NAME] if isinstance(value, str) else ""


def _struct(one: Object, key: str) -> Object:
    value = one.get(key, {})
    return value if isinstance(value, dict) else {}


def _number(one: Object, key: str, otherwise: int) -> int:
    text = _text(one, key).strip()
    digits = text.removeprefix("-")
    # At most 20 digits: the conversion of a million of them takes minutes.
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else otherwise
