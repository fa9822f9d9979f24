"""A small pool in memory: its hosts, guests and storage, and jobs and backups of them."""

from __future__ import annotations

from typing import Any

import msgspec
from job_records import job_of
from small_objects import a_guest, a_host

from bot.domain.catalogue import Backup, Proof, Verification
from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import Disk, FeedState, Host, Pool, PoolView, PowerState, Sr, Tools, Vm
from bot.domain.job import JobState
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.operations import migrate

GIB = 1 << 30
NOW = 100_000.0
NFS = Sr("sr-1", "nfs-vhd", "nfs", shared=True, size=GIB, used=0, hosts=frozenset({"h-1", "h-3"}))
POOL = Pool("p-1", "experiment", "experiment", "h-1", ha_enabled=False, upgrading=False, default_sr=None)


def host(number: int, **changes: Any) -> Host:
    made = a_host(
        number,
        memory_free=38 * GIB,
        cpu_model="Xeon",
        cpu_count=8,
        features_hvm="1",
        features_pv="1",
    )
    return msgspec.structs.replace(made, **changes)


def guest(uuid: str, name: str, **changes: Any) -> Vm:
    made = a_guest(
        uuid,
        name,
        memory_dynamic_min=GIB,
        memory_dynamic_max=GIB,
        memory_static_max=GIB,
        memory_needed=GIB,
        memory_actual=GIB,
        vcpus=2,
        vcpus_max=2,
        hvm=True,
        domain_type="hvm",
        boot_features="1",
        disks=(Disk("0", cd=False, vdi="v", vdi_name="root", size=20 * GIB, sr=NFS),),
        networks=(),
        addresses=("192.0.2.77",),
        started_at=NOW - 7200,
    )
    return msgspec.structs.replace(made, **changes)


VMS = (
    guest("vm-1", "centos54"),
    guest("vm-2", "日本語サーバー"),
    guest("vm-3", "<!channel> & *bold*"),
    guest("vm-4", "winxp", tools=Tools.NONE, can_suspend=False, addresses=()),
    guest("vm-5", "sleeper", power_state=PowerState.SUSPENDED, host=None),
    guest("vm-6", "twin"),
    guest("vm-7", "twin", host="h-3"),
    guest("vm-8", "way to go"),
    guest("vm-9", "big — blue"),
)
SAN = Sr("sr-2", "san", "lvmoiscsi", shared=True, size=90 * GIB, used=0, hosts=frozenset({"h-1", "h-3"}))
VIEW = PoolView("experiment", FeedState.LIVE, 2.0, "", POOL, (host(1), host(3)), VMS, (NFS, SAN))


def record(number: int, state: JobState, **changes: Any) -> JobRecord:
    facts = MigrationFacts(POOL, VMS[0], host(1), host(3), POOL, VIEW.hosts, XapiVerdict(""), {}, NOW, XapiVerdict(""))
    plan = migrate.decide(facts, ApprovalSettings())
    made = job_of(plan, state, number=number, created_at=NOW - 60, updated_at=NOW, expires_at=NOW + 600)
    return msgspec.structs.replace(made, **changes)


DAY = 86400.0
WELL = Verification(NOW - DAY, Proof.STREAM, "xenbot")


def backup(number: int, **changes: Any) -> Backup:
    made = Backup(
        id=f"20261126-{number:06}",
        guest="vm-1",
        name="centos54",
        pool="p-1",
        pool_name="experiment",
        at=NOW - 10 * DAY + number,
        size=2 << 30,
        sha256="a" * 64,
        job=37,
        who="U1",
        verified=WELL,
        kept_until=NOW + DAY,
    )
    return msgspec.structs.replace(made, **changes)
