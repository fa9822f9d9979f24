"""What is done to a guest that was just imported: it wakes beside no twin, and nothing of others goes with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.plan import Call, Options, Ref, Step, Text
from bot.domain.restores import Nic, Readiness
from bot.domain.texts import say
from bot.errors import Refused
from bot.lab.xapi import Datacentre
from bot.operations.restore_steps import IMPORT
from bot.operations.restore_work import RestoreWork
from bot.operations.work import Errand
from bot.xen import Pools
from bot.xen.faults import NULL_REF
from bot.xen.restore_facts import known_holders

MAC = "02:00:00:00:00:77"


def database(lab: Datacentre) -> Any:
    return next(pool.database for pool in lab._pools for one in pool.machines.values() if one.name == "xenserver1")


def imported(lab: Datacentre) -> str:
    """A halted guest, as an import leaves it; gives its UUID."""
    ref = database(lab).create("VM", name_label="xenbot restore 1", power_state="Halted", affinity=NULL_REF)
    return str(database(lab).get("VM", ref, "uuid"))


def ref_of(lab: Datacentre, kind: str, **fields: Any) -> str:
    found = [
        ref for ref, record in database(lab).items(kind) if all(record[name] == value for name, value in fields.items())
    ]
    return str(found[0])


async def test_an_address_that_was_kept_and_runs_elsewhere_by_now_stops_a_restore_that_goes_on(
    lab: Datacentre, pools: Pools
) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base = imported(lab), database(lab)
    guest, network = ref_of(lab, "VM", uuid=made), base.refs("network")[0]
    wished = Readiness("back", (Nic("0", base.get("network", network, "uuid"), MAC),))
    await pools.restoring.prepare(pool.uuid, made, wished, "xenbot restore 1", frozenset())
    # The bot dies; somebody starts the guest that the backup is of; the step is done again.
    living = ref_of(lab, "VM", name_label="centos54")
    base.create("VIF", VM=living, network=network, device="7", MAC=MAC)
    with pytest.raises(Refused, match=f"runs with {MAC}"):
        await pools.restoring.prepare(pool.uuid, made, wished, "xenbot restore 1", frozenset())
    assert base.get("VM", guest, "power_state") == "Halted"


async def test_an_address_that_runs_in_another_pool_by_now_stops_a_restore(lab: Datacentre) -> None:
    both = [pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2")]
    async with following(*both) as pools:
        await loaded(pools)
        here, there = pools.pool("experiment"), pools.pool("xenserver2")
        assert here.pool is not None
        twin = next(vm for vm in there.vms if vm.host is not None)
        mac = next(mac for mac, holder in known_holders(pools._live(twin.pool)) if holder.uuid == twin.uuid)
        network = database(lab).get("network", database(lab).refs("network")[0], "uuid")
        wished = Readiness("back", (Nic("0", network, mac),))
        with pytest.raises(Refused, match=f"runs with {mac}"):
            await pools.restoring.prepare(here.pool.uuid, imported(lab), wished, "xenbot restore 1", frozenset())


async def test_the_image_in_a_library_that_an_imported_guest_has_as_its_disk_stays_when_the_guest_goes(
    lab: Datacentre, pools: Pools
) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base = imported(lab), database(lab)
    guest = ref_of(lab, "VM", uuid=made)
    library = base.create("SR", name_label="images", content_type="iso", type="nfs")
    image = base.create("VDI", SR=library, name_label="installer.iso", virtual_size=1 << 20, managed=True)
    own = base.create(
        "VDI", SR=ref_of(lab, "SR", name_label="nfs-vhd"), name_label="its own", virtual_size=1 << 20, managed=True
    )
    for place, disk in (("0", own), ("1", image)):
        base.create("VBD", VM=guest, VDI=disk, type="Disk", userdevice=place)
    await pools.restoring.discard(pool.uuid, made, "xenbot restore 1")
    assert guest not in base.refs("VM")
    assert own not in base.refs("VDI")
    assert image in base.refs("VDI")


async def test_a_tag_by_which_a_schedule_finds_its_guests_goes_however_it_is_written(
    lab: Datacentre, pools: Pools
) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base = imported(lab), database(lab)
    guest = ref_of(lab, "VM", uuid=made)
    base.set("VM", guest, tags=["Nightly", "accounting"])
    await pools.restoring.prepare(pool.uuid, made, Readiness("back", ()), "xenbot restore 1", frozenset({"nightly"}))
    assert base.get("VM", guest, "tags") == ["accounting"]


async def test_a_guest_that_brought_snapshots_along_is_removed_with_them(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    base, archive = database(lab), tmp_path / "archive.xva"
    guest = ref_of(lab, "VM", uuid=imported(lab))
    network = base.create("network", name_label="made by the import")
    card = base.create("VIF", VM=guest, network=network, device="0", MAC=MAC)
    kept = base.create("VM", name_label="old", is_a_snapshot=True, is_a_template=True, snapshot_of=guest)
    archive.write_bytes(b"archive")
    task = base.create("task", name_label="import", status="success", result=f"<value>{guest}</value>")

    class Sent:
        """An import that has come through, of an archive in the library."""

        async def send(self, *_: object, **__: object) -> None:
            base.set("VM", guest, other_config={"auto_poweron": "true"})

        async def path(self, _backup: str) -> Path:
            return archive

    async def tags() -> frozenset[str]:
        return frozenset()

    work = RestoreWork(Sent(), pools, Sent(), pools.restoring, tags, retry_s=0.01)  # type: ignore[arg-type]  # as asked
    worker = work.workers()[IMPORT]
    sha256 = hashlib.sha256(b"archive").hexdigest()
    words = (Ref("backup", "b1"), Ref("archive", sha256), Ref("SR", "sr"), Text("xenbot restore 1"), Options({}))
    step = Step(IMPORT, say("Import"), Call(IMPORT, words, own=True))
    errand = Errand(1, "1", pool.uuid, step, task, {}, "U1", "", lambda _reached: None, lambda: None)
    known = await pools.restoring.networks(pool.uuid) - {base.get("network", network, "uuid")}

    async def networks(_pool: str) -> frozenset[str]:
        """What there was before the import."""
        return known

    monkeypatch.setattr(pools.restoring, "networks", networks)
    with pytest.raises(Refused, match="snapshots along"):
        await worker.run(errand)
    await worker.clear(errand)
    assert not {guest, kept} & set(base.refs("VM"))
    assert card not in base.refs("VIF")
    assert network not in base.refs("network")
