"""Reads `ova.xml` of any server or tool into records, and tells which disks must follow it."""

import re
import xmlrpc.client
from dataclasses import dataclass
from typing import Final
from xml.parsers.expat import ExpatError

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.schema.reading import read_value
from bot.lab.xapi.values import NULL_REF, Value
from bot.lab.xapi.wire.request import BadRequestError
from bot.lab.xapi.wire.xmlrpc import simplify

_DECLARATION: Final = re.compile(rb"^\s*<\?xml[^>]*\?>")


@dataclass(frozen=True)
class Description:
    """What an archive says of itself.

    Attributes:
        version: Major and minor of the toolstack that wrote it.
        export_version: 0 for archives without companions, 2 for modern ones.
        objects: Records by class and by reference in the archive.
    """

    version: tuple[int, int]
    export_version: int
    objects: dict[str, dict[str, dict[str, Value]]]

    def records(self, class_name: str) -> dict[str, dict[str, Value]]:
        """Returns the records of a class by reference."""
        return self.objects.get(class_name, {})

    def find(self, class_name: str, ref: str) -> dict[str, Value]:
        """Returns a record.

        Raises:
            ApiError: `IMPORT_ERROR_FAILED_TO_FIND_OBJECT [reference]`.
        """
        record = self.records(class_name).get(ref)
        if record is None:
            raise ApiError("IMPORT_ERROR_FAILED_TO_FIND_OBJECT", ref)
        return record

    def list_disks(self) -> list[tuple[str, int]]:
        """Returns reference and size of the disks whose data must follow, in the order in which they must.

        These are all but ISO images and what is in a drive. The order is that of the text of the references.
        """
        drives = {vbd["VDI"] for vbd in self.records("VBD").values() if vbd["type"] == "CD"}
        return sorted(
            (ref, vdi["virtual_size"])
            for ref, vdi in self.records("VDI").items()
            if ref not in drives and not self.is_iso(vdi)
        )

    def is_iso(self, vdi: dict[str, Value]) -> bool:
        """Tells whether a disk lies in a library of ISO images."""
        storage = self.records("SR").get(vdi["SR"])
        return storage is not None and storage["content_type"] == "iso"


def read_description(ova: bytes) -> Description:
    """Reads the file.

    Raises:
        ApiError: `IMPORT_ERROR` when it cannot be understood, or misses a field that no record can be made without.
    """
    body = b"<methodResponse><params><param>" + _DECLARATION.sub(b"", ova) + b"</param></params></methodResponse>"
    try:
        (value,), _ = xmlrpc.client.loads(body)
        described = simplify(value)
        version = described["version"]
        objects: dict[str, dict[str, dict[str, Value]]] = {}
        for one in described["objects"]:
            if one["class"] in CLASSES:
                objects.setdefault(one["class"], {})[one["id"]] = _read_record(one["class"], one["snapshot"])
        return Description(
            (int(version["xapi_major"]), int(version["xapi_minor"])), int(version.get("export_vsn", 0)), objects
        )
    except (ExpatError, xmlrpc.client.Error, BadRequestError, ValueError, TypeError, LookupError) as error:
        raise ApiError("IMPORT_ERROR", f"INTERNAL_ERROR: [ {error} ]") from error


def _read_record(class_name: str, raw: dict[str, Value]) -> dict[str, Value]:
    """Returns a record with typed values; what is missing has its default, what nobody knows is left out."""
    record = {}
    for field in CLASSES[class_name].fields.values():
        if field.name in raw:
            try:
                record[field.name] = read_value(field.type, raw[field.name])
            except ApiError as error:
                raise ValueError("; ".join(error.params)) from error
        elif field.required:
            raise ValueError(f'Failure("{class_name} has no {field.name}")')
        else:
            record[field.name] = field.make_default()
    if class_name == "VM" and "parent" not in raw:  # from before the limits were four
        for limit in ("static_min", "dynamic_min", "dynamic_max"):
            record[f"memory_{limit}"] = record["memory_static_max"]
    return record


def is_null(ref: str) -> bool:
    """Tells whether a reference in an archive leads nowhere on purpose."""
    return ref in {NULL_REF, "", "NULL"}
