"""The values of an `ova.xml`, object by object: XML-RPC, untagged or tagged, in whatever pieces the text comes.

Of a hostile one no more is kept than of an honest one: its depth, the number of its objects and of the values in one
are bounded, long texts are cut, tags without an end and declarations of entities are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat

from bot.domain.backup import LONGEST_NAME

# With this and the length of names, what is kept of an archive fits into a manifest.
_MOST_OF_A_KIND: Final = 1024

_DEEPEST: Final = 64
# Bytes without the end of any element or a piece of text: a tag that never ends would have to be kept whole.
_LONGEST_TAG: Final = 1 << 20
_MOST_OBJECTS: Final = 8192
_MOST_VALUES: Final = 50_000
_LONGEST_TEXT: Final = 1 << 16
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
        "snapshot_info",
        "snapshot_metadata",
    ),
    "VBD": ("VM", "VDI", "type", "userdevice"),
    "VDI": ("uuid", "name_label", "virtual_size", "SR"),
    "SR": ("uuid", "name_label", "content_type"),
    "VIF": ("VM", "device", "MAC", "network"),
    "VGPU": ("VM",),
    "network": ("uuid", "name_label"),
}


Object = Mapping[str, Any]
"""The fields of one object, or of a struct in it."""

Objects = dict[str, dict[str, Object]]
"""Objects by class and id."""


class BadOva(ValueError):
    """The text is no usable `ova.xml`; the sentence says why."""


class Values:
    """Takes the text as it comes, and keeps what is needed of each object."""

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
        self._version: Object = {}
        self._objects: Objects = {}

    def feed(self, part: memoryview) -> None:
        """Takes the next bytes. Raises BadOva."""
        self._quiet += len(part)
        self._parse(part, last=False)
        if self._quiet > _LONGEST_TAG:
            raise BadOva("it has a tag without an end")

    def finish(self) -> tuple[Objects, Object]:
        """Returns the objects, and the struct that tells the version. Raises BadOva."""
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
                self._names[-1] = "".join(self._text)[:LONGEST_NAME]
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
        if len(known) >= _MOST_OF_A_KIND:
            raise BadOva(f"it has more than {_MOST_OF_A_KIND:,} objects of one class")
        if key in known:
            raise BadOva(f"two of its objects are called {key[:40]!r}")
        known[key] = {name: fields[name] for name in wanted if name in fields}
