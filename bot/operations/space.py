"""Room on a storage repository, and what a disk that comes takes up of it."""

from __future__ import annotations

from bot.domain.disk_moves import Image
from bot.domain.inventory import Disk, Sr

# Types that hold CDs or whole devices, never the disks of guests.
_NO_DISKS = {"iso", "udev"}
#: Types that set the whole size of a disk aside, however little is in it.
THICK = {"lvm", "lvmoiscsi", "lvmohba", "lvmofcoe"}
#: A storage migration goes about as fast as gigabit Ethernet.
COPY_BYTES_PER_S = 100_000_000


def holds_disks(sr: Sr) -> bool:
    """Whether disks of guests can be there at all."""
    return sr.type not in _NO_DISKS


def free_on(sr: Sr) -> int | None:
    """Bytes that are left, None where the server does not know."""
    return max(0, sr.size - max(sr.used, 0)) if sr.size > 0 else None


def least(disk: Disk, image: Image, target: Sr) -> int:
    """Bytes that the disk with its snapshots certainly takes up on the target.

    What is in a disk of a thick SR cannot be told from outside, so nothing of it is certain on a thin one.
    """
    if target.type in THICK:
        return max(disk.size, 0) + image.snapshots_used
    if disk.sr is not None and disk.sr.type in THICK:
        return 0
    return max(image.used, 0) + image.snapshots_used


def most(disk: Disk, image: Image) -> int:
    """Bytes that the disk with its snapshots may grow to."""
    return max(disk.size, 0) * (1 + image.snapshots)


def copied(disk: Disk, image: Image) -> int:
    """Bytes that are to be copied, as far as that can be told: the whole disk where it stands on older layers."""
    if image.used < 0 or image.layered:
        return max(disk.size, 0) + image.snapshots_used
    return min(image.used, max(disk.size, 0))
