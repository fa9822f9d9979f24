"""Space in storage repositories: what disks take there, what is left, and the refusal of a full one.

All changes of a disk's existence and size go through here, so that the sums of its repository stay right. A
repository may hold more than its disks: `physical_utilisation` is changed by differences, never counted anew.
"""

from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.values import NULL_REF, Value, new_uuid

EMPTY_DISK: Final = 8 * 1024**2  # what a disk without data takes: headers and the table of blocks
_THICK: Final = frozenset({"lvm", "lvmoiscsi", "lvmohba", "lvmofcoe", "lvmofc"})
LIBRARIES: Final = frozenset({"iso", "udev"})  # images and devices: no size, nothing is made there


def is_thick(database: Database, storage: str) -> bool:
    """Tells whether disks there take their whole size from the start, as on LVM."""
    return database.get("SR", storage, "type") in _THICK


def is_library(database: Database, storage: str) -> bool:
    """Tells whether a repository holds ISO images or devices: nothing can be made there."""
    return database.get("SR", storage, "type") in LIBRARIES


def find_free(database: Database, storage: str) -> int:
    """Returns the bytes that are left."""
    record = database.record("SR", storage)
    free: int = record["physical_size"] - record["physical_utilisation"]
    return max(0, free)


def check_space(database: Database, storage: str, size: int) -> None:
    """Refuses what does not fit.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_44` with three parameters, the text in the middle, as a real server sends it.
    """
    if size > find_free(database, storage):
        raise no_space()


def no_space() -> ApiError:
    """Returns the error of a full repository."""
    return driver_failure(44, "There is insufficient space")


def compute_initial(database: Database, storage: str, size: int) -> int:
    """Returns what an empty disk of a size takes at first, in bytes."""
    return size if is_thick(database, storage) else min(size, EMPTY_DISK)


def add_disk(database: Database, storage: str, *, virtual_size: int, used: int, **values: Value) -> str:
    """Makes the record of a disk in a repository and counts it there.

    Args:
        database: The records of the pool.
        storage: The repository.
        virtual_size: What the guest sees, in bytes.
        used: What the disk takes, in bytes.
        values: Other fields of the record.
    """
    uuid = values.pop("uuid", "") or new_uuid()
    managed = values.pop("managed", True)
    values = {"type": "user", "location": uuid, **values}
    vdi = database.create(
        "VDI",
        uuid=uuid,
        SR=storage,
        virtual_size=virtual_size,
        physical_utilisation=used,
        managed=managed,
        **values,
    )
    _count(database, storage, allocated=virtual_size if managed else 0, used=used)
    return vdi


def remove_disk(database: Database, vdi: str) -> None:
    """Removes the record of a disk and what it took; its VBDs go with it, drives become empty."""
    record = database.record("VDI", vdi)
    allocated = record["virtual_size"] if record["managed"] else 0
    _count(database, record["SR"], allocated=-allocated, used=-record["physical_utilisation"])
    for vbd in record["VBDs"]:
        if database.get("VBD", vbd, "type") == "CD":
            database.set("VBD", vbd, VDI=NULL_REF, empty=True)
        else:
            database.delete("VBD", vbd)
    database.delete("VDI", vdi)


def set_used(database: Database, vdi: str, used: int) -> None:
    """Changes what a disk takes, in bytes."""
    record = database.record("VDI", vdi)
    _count(database, record["SR"], allocated=0, used=used - record["physical_utilisation"])
    database.set("VDI", vdi, physical_utilisation=used)


def set_size(database: Database, vdi: str, size: int) -> None:
    """Changes what the guest sees of a disk, in bytes; on LVM the disk takes as much."""
    record = database.record("VDI", vdi)
    _count(database, record["SR"], allocated=size - record["virtual_size"], used=0)
    database.set("VDI", vdi, virtual_size=size)
    if is_thick(database, record["SR"]):
        set_used(database, vdi, size)


def write_data(database: Database, vdi: str, size: int) -> int:
    """Lets a guest write new data to its disk; returns how many bytes found room.

    A thin disk grows by it up to its size, as far as the repository has space; a thick one does not grow.
    """
    record = database.record("VDI", vdi)
    if is_thick(database, record["SR"]):
        return size
    room = max(0, record["virtual_size"] - record["physical_utilisation"])
    written: int = min(size, room, find_free(database, record["SR"]))
    set_used(database, vdi, record["physical_utilisation"] + written)
    return written


def grow_written(database: Database, vdi: str, written: int) -> None:
    """Lets a disk take what the server itself writes to it; a thick one has taken all from the start.

    Raises:
        ApiError: `VDI_IO_ERROR` when the disk is gone, or its repository is full: the device says no more than that.
    """
    if not database.has("VDI", vdi):
        raise ApiError("VDI_IO_ERROR", "Device I/O errors")
    record = database.record("VDI", vdi)
    if written == 0 or is_thick(database, record["SR"]):
        return
    if written > find_free(database, record["SR"]):
        raise ApiError("VDI_IO_ERROR", "Device I/O errors")
    set_used(database, vdi, min(record["virtual_size"], record["physical_utilisation"] + written))


def _count(database: Database, storage: str, *, allocated: int, used: int) -> None:
    if storage == NULL_REF or not database.has("SR", storage):
        return
    record = database.record("SR", storage)
    database.set(
        "SR",
        storage,
        virtual_allocation=record["virtual_allocation"] + allocated,
        physical_utilisation=record["physical_utilisation"] + used,
    )
