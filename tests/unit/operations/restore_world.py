"""A backup and a pool that may take it, by hand."""

from __future__ import annotations

from typing import Any

import migration_facts as world
import msgspec

from bot.domain.backup import ArchivedDisk, ArchivedGuest, ArchivedNic, Contents
from bot.domain.catalogue import Archived, Backup, Proof, Verification
from bot.domain.inventory import Network, Sr
from bot.domain.restores import RestoreFacts

GIB = 1 << 30
NOW = 1_000_000.0
LAN = Network("net-1", "lan", frozenset({"h-1", "h-3"}), internal=False)
DMZ = Network("net-2", "dmz", frozenset({"h-1"}), internal=False)
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
SR = Sr("sr-1", "nfs-vhd", "nfs", shared=True, size=100 * GIB, used=50 * GIB, hosts=frozenset({"h-1", "h-3"}))


def archived(*, nics: tuple[ArchivedNic, ...] | None = None, **backup: Any) -> Archived:
    cards = (ArchivedNic("0", MACS[0].upper(), "old-net", "lan"), ArchivedNic("1", MACS[1], "old-net-2", "dmz"))
    guest = ArchivedGuest(
        uuid="snapshot-1",
        name="xenbot backup of web 0123",
        template=True,
        power_state="Halted",
        memory_dynamic_min=GIB,
        memory_static_max=2 * GIB,
        vcpus=2,
        domain_type="hvm",
        mac_seed="seed",
        nics=cards if nics is None else nics,
    )
    disks = (
        ArchivedDisk("0", "root", "vdi-old", 8 * GIB, 2 * GIB),
        ArchivedDisk("3", "data", "vdi-old-2", 4 * GIB, GIB),
    )
    contents = Contents(guest, disks, 24, 16, "XenServer 8", "none", "XXH64", 3 * GIB, 3 * GIB, 9000, 4000, "0" * 64)
    made = Backup(
        id="20261126-010203-abcd1234",
        guest="vm-1",
        name="web",
        pool="p-1",
        pool_name="experiment",
        at=NOW - 3600,
        size=3 * GIB,
        sha256="a" * 64,
        job=7,
        who="U1",
        verified=Verification(NOW - 3600, Proof.STREAM, "xenbot"),
    )
    return Archived(msgspec.structs.replace(made, **backup), contents)


def facts(**changes: Any) -> RestoreFacts:
    hosts = (world.host(1), world.host(3))
    made = RestoreFacts(
        pool=world.POOL,
        hosts=hosts,
        host=None,
        sr=SR,
        networks=(LAN, DMZ),
        xapi={host.uuid: (24, 16) for host in hosts},
        needed=GIB,
        names=(),
        macs={},
        read_at=NOW,
    )
    return msgspec.structs.replace(made, **changes)
