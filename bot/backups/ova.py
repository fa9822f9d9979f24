"""`ova.xml`, the first member of an archive: what the guest is, and which disks must follow.

It is read as it comes. Of a hostile one, no more is kept than of an honest one: its length, its depth, the number of
its objects and of the values in one are bounded, long texts are cut, and declarations of entities are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.parsers import expat

from bot.domain.backup import ArchivedGuest, ArchivedNic, disk_label

LONGEST: Final = 16 << 20
"""Bytes of the longest `ova.xml` that is read. A guest with 255 disks has one of about 1 MiB."""

_DEEPEST: Final = 64
# Bytes without the end of any element or a piece of text: a tag that never ends would have to be kept whole.
_LONGEST_TAG: Final = 1 << 20
_MOST_OBJECTS: Final = 8192
_MOST_VALUES: Final = 50_000
_LONGEST_TEXT: Final = 1 << 16
_LONGEST_NAME: Final = 1024
_LARGEST_DISK: Final = 1 << 62
_TEXTS: Final = frozenset({"string", "int", "i4", "i8", "boolean", "double", "dateTime.iso8601"})
_FRAMES: Final = frozenset({"value", "member", "data", "nil"})
# What is needed of each class; everything else is dropped as soon as its object ends.
_KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "VM": (
        "uuid",
        "name_label",
        "is_a_template",
        "power_state",
        "memory_dynamic_min",
        "memory_static_max",
        "VCPUs_max",
        "domain_type",
        "HVM_boot_policy",
        "other_config",
        "is_control_domain",
    ),
    "VBD": ("VM", "VDI", "type", "userdevice"),
    "VDI": ("uuid", "name_label", "virtual_size", "SR"),
    "SR": ("uuid", "name_label", "content_type"),
    "VIF": ("VM", "device", "MAC", "network"),
    "network": ("uuid", "name_label"),
}


class BadOva(ValueError):
    """The text is no usable `ova.xml`; the sentence says why."""


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
        self._values = _Values()

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
            ),
            disks=tuple(_disks(objects)),
            xapi_major=_number(version, "xapi_major", 0),
            xapi_minor=_number(version, "xapi_minor", 0),
            product=" ".join(filter(None, (_text(version, "product_brand"), _text(version, "product_version")))),
            export_version=_number(version, "export_vsn", 0),
            sha256=self._digest.hexdigest(),
        )


_Object = Mapping[str, Any]
_Objects = dict[str, dict[str, _Object]]


def _disks(objects: _Objects) -> Iterator[OvaDisk]:
    """The disks that must follow, as the importing server derives them: all but those in drives or of ISO storage."""
    drives: dict[str, list[_Object]] = {}
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


def _nics(objects: _Objects) -> Iterator[ArchivedNic]:
    networks = objects.get("network", {})
    for nic in sorted(objects.get("VIF", {}).values(), key=lambda one: (_number(one, "device", 0), _text(one, "MAC"))):
        network = networks.get(_text(nic, "network"), {})
        yield ArchivedNic(_text(nic, "device"), _text(nic, "MAC"), _text(network, "uuid"), _text(network, "name_label"))


def _domain_type(guest: _Object) -> str:
    """As the importing server derives it where an older one did not say: a guest with a boot policy is HVM."""
    said = _text(guest, "domain_type")
    if said not in {"", "unspecified"}:
        return said
    return "hvm" if _text(guest, "HVM_boot_policy") else "pv"


def _text(one: _Object, key: str) -> str:
    value = one.get(key, "")
    return value[:_LONGEST_NAME] if isinstance(value, str) else ""


def _struct(one: _Object, key: str) -> _Object:
    value = one.get(key, {})
    return value if isinstance(value, dict) else {}


def _number(one: _Object, key: str, otherwise: int) -> int:
    text = _text(one, key).strip()
    digits = text.removeprefix("-")
    # At most 20 digits: the conversion of a million of them takes minutes.
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else otherwise


class _Values:
    """Values of XML-RPC, object by object: untagged or tagged, in whatever pieces the text comes."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse_declaration
        self._open: list[dict[str, Any] | list[Any]] = []
        self._names: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._closed: Any = None
        self._depth = 0
        self._quiet = 0
        self._values = 0
        self._count = 0
        self._version: _Object = {}
        self._objects: _Objects = {}

    def feed(self, part: memoryview) -> None:
        self._quiet += len(part)
        self._parse(part, last=False)
        if self._quiet > _LONGEST_TAG:
            raise BadOva("it has a tag without an end")

    def finish(self) -> tuple[_Objects, _Object]:
        self._parse(b"", last=True)
        return self._objects, self._version

    def _parse(self, part: memoryview | bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(part, last)
        except expat.ExpatError as error:
            raise BadOva(f"it is no XML: {expat.ErrorString(error.code)} in line {error.lineno}") from error

    def _refuse_declaration(self, *_: object) -> None:
        raise BadOva("it declares a document type, as no server does")

    def _start(self, tag: str, _attributes: object) -> None:
        self._quiet = 0
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadOva("its values are nested too deeply")
        self._text, self._length = [], 0
        if tag == "struct":
            self._open.append({})
            self._names.append("")
        elif tag == "array":
            self._open.append([])
            self._names.append("")
        elif tag == "value":
            self._closed = None
        elif tag == "appliance":
            raise BadOva("it belongs to an archive of a product older than 4.0, which no server of today imports")
        elif tag not in _TEXTS and tag not in _FRAMES and tag != "name":
            raise BadOva(f"it has an element {tag[:40]!r}, as no server writes it")

    def _characters(self, text: str) -> None:
        self._quiet = 0
        # Of a longer text nothing is needed.
        if self._length < _LONGEST_TEXT:
            self._text.append(text)
            self._length += len(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "name":
            if self._names:
                self._names[-1] = "".join(self._text)[:_LONGEST_NAME]
        elif tag in {"struct", "array"}:
            self._closed = self._open.pop()
            self._names.pop()
        elif tag == "value":
            self._put("".join(self._text) if self._closed is None else self._closed)
            self._closed = None
            self._text, self._length = [], 0

    def _put(self, value: Any) -> None:  # noqa: ANN401  text, list or struct, as XML-RPC nests them
        self._values += 1
        if self._values > _MOST_VALUES:
            raise BadOva("one of its objects is too large")
        if not self._open:
            return
        if len(self._open) == 2 and self._names[0] == "objects" and isinstance(self._open[1], list):
            self._keep(value)
            self._values = 0
            return
        parent = self._open[-1]
        if isinstance(parent, list):
            parent.append(value)
        else:
            if len(self._open) == 1 and self._names[0] == "version" and isinstance(value, dict):
                self._version = value
            parent[self._names[-1]] = value

    def _keep(self, value: object) -> None:
        self._count += 1
        if self._count > _MOST_OBJECTS:
            raise BadOva("it has too many objects")
        record = value if isinstance(value, dict) else {}
        kind, key, fields = record.get("class"), record.get("id"), record.get("snapshot")
        if not isinstance(kind, str) or not isinstance(key, str) or not isinstance(fields, dict):
            raise BadOva("one of its objects has no class, id and record")
        wanted = _KEPT.get(kind)
        if wanted is None:
            return
        known = self._objects.setdefault(kind, {})
        if key in known:
            raise BadOva(f"two of its objects are called {key[:40]!r}")
        known[key] = {name: fields[name] for name in wanted if name in fields}
