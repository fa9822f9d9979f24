"""What a backup holds, as its archive says. Names are of whoever made the guest: text to be shown as text."""

from __future__ import annotations

from typing import Final

import msgspec

#: Names in archives are kept up to so many characters.
LONGEST_NAME: Final = 256


class ArchivedDisk(msgspec.Struct, frozen=True, gc=False):
    """One disk in an archive, in the order in which the archive holds them.

    `device` is the position at the guest (userdevice; "" for an image of suspended memory), `size` its length as the
    guest sees it and `stored` how much of it the archive holds (the rest is zeros), both in bytes. `sr` and `sr_name`
    are the storage it lay on.
    """

    device: str
    name: str
    uuid: str
    size: int
    stored: int
    sr: str = ""
    sr_name: str = ""

    @property
    def label(self) -> str:
        """What people call it: the position and the name."""
        return disk_label(self.device, self.name)


class ArchivedNic(msgspec.Struct, frozen=True, gc=False):
    """One network interface in an archive: position, MAC, and the network by UUID and name."""

    device: str
    mac: str
    network: str
    network_name: str


class ArchivedGuest(msgspec.Struct, frozen=True):
    """The guest of an archive. An exported snapshot is marked as template and has the UUID of the snapshot.

    Memory in bytes; `mac_seed` is what XAPI derives MACs from ("" when it has none), `domain_type` "hvm", "pv" or
    another kind as XAPI names them. `pci` names the devices of its host that were passed through ("" for none), as its
    settings have them; `vgpus` counts its virtual GPUs. `snapshot` tells that it was exported from a snapshot, whose
    name it has then; `of` is the name of the guest that was taken of, "" where the archive does not say.
    """

    uuid: str
    name: str
    template: bool
    power_state: str
    memory_dynamic_min: int
    memory_static_max: int
    vcpus: int
    domain_type: str
    mac_seed: str
    nics: tuple[ArchivedNic, ...] = ()
    pci: str = ""
    vgpus: int = 0
    snapshot: bool = False
    of: str = ""


class Contents(msgspec.Struct, frozen=True):
    """What a whole archive was found to hold.

    Attributes:
        guest: The guest.
        disks: Its disks.
        xapi_major: With `xapi_minor`, the version of XAPI that wrote it: an older host refuses to import it.
        xapi_minor: See `xapi_major`.
        product: The product's version, as the archive says.
        compression: How it is packed: "none", "gzip" or "zstd".
        checks: What protects each block: "XXH64" or "SHA-1"; "" when there is no block.
        size: Bytes of the archive as received.
        unpacked: Bytes of the archive when unpacked.
        members: How many members it has.
        blocks: How many blocks of disks it stores, blocks without content included.
        ova_sha256: SHA-256 of its description of the guest, which nothing in the archive itself protects.
    """

    guest: ArchivedGuest
    disks: tuple[ArchivedDisk, ...]
    xapi_major: int
    xapi_minor: int
    product: str
    compression: str
    checks: str
    size: int
    unpacked: int
    members: int
    blocks: int
    ova_sha256: str


def disk_label(device: str, name: str) -> str:
    """Returns a disk as people call it."""
    position = f"disk {device}" if device else "the image of its memory"
    return f"{position} (“{name}”)" if name else position
