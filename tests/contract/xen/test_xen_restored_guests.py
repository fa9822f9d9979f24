"""What is done to a guest that was just imported: it wakes beside no twin, and nothing of others goes with it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings, until

from bot.domain.calls import Call, Options, Ref, Text
from bot.domain.plan import Step
from bot.domain.restores import Nic, Readiness
from bot.domain.texts import say
from bot.errors import Refused
from bot.lab.xapi import Datacentre
from bot.operations.restore_steps import IMPORT
from bot.operations.restore_work import RestoreWork
from bot.operations.work import Errand, Worker
from bot.xen import Pools
from bot.xen.faults import NULL_REF
from bot.xen.records import VmRecord
from bot.xen.restore_facts import known_holders

MAC = "02:00:00:00:00:77"
ARCHIVED = "xenbot backup 0123456789abcdef"


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


async def test_what_names_the_hardware_of_another_host_is_taken_away(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base = imported(lab), database(lab)
    guest, local = ref_of(lab, "VM", uuid=made), base.refs("SR")[0]
    base.set("VM", guest, other_config={"pci": "0/0000:04:00.0", "note": "kept"}, suspend_SR=local)
    assert "other_config:pci" in (await pools.restoring.restored(pool.uuid, made)).wakeful
    await pools.restoring.prepare(pool.uuid, made, Readiness("back", ()), "xenbot restore 1", frozenset())
    assert base.get("VM", guest, "other_config") == {"note": "kept"}
    assert base.get("VM", guest, "suspend_SR") == NULL_REF
    assert (await pools.restoring.restored(pool.uuid, made)).wakeful == ()


class Imported:
    """An import that has come through, into a pool of the lab, of an archive whose guest is called `ARCHIVED`."""

    def __init__(self, lab: Datacentre, pools: Pools, folder: Path) -> None:
        self.base, self.pools = database(lab), pools
        self.file = folder / "archive.xva"
        self.file.write_bytes(b"archive")
        self.task = self.base.create("task", name_label="import", status="pending")
        self.guest = self.network = self.noted = ""
        self.name = self.kept = ARCHIVED
        view = pools.pool("experiment").pool
        assert view is not None
        self.pool = view.uuid

    async def archived(self, _backup: str) -> Any:
        return SimpleNamespace(contents=SimpleNamespace(guest=SimpleNamespace(name=self.kept)))

    async def path(self, _backup: str) -> Path:
        return self.file

    async def send(self, *_: object, **__: object) -> None:
        base = self.base
        self.guest = base.create(
            "VM",
            name_label=self.name,
            power_state="Halted",
            affinity=NULL_REF,
            other_config={"auto_poweron": "true", "import_task": self.task},
        )
        self.network = base.create("network", name_label="of the archive")
        base.create("VIF", VM=self.guest, network=self.network, device="0", MAC=MAC)
        base.set("task", self.task, status="success", result=f"<value>{self.guest}</value>")

    def work(self) -> Worker:
        """The worker, of a bot that remembers nothing."""
        work = RestoreWork(self, self.pools, self, self.pools.restoring, _no_tags, retry_s=0.01)  # type: ignore[arg-type]  # as asked
        return work.workers()[IMPORT]

    def errand(self) -> Errand:
        sha256 = hashlib.sha256(b"archive").hexdigest()
        words = (Ref("backup", "b1"), Ref("archive", sha256), Ref("SR", "sr"), Text("xenbot restore 1"), Options({}))
        step = Step(IMPORT, say("Import"), Call(IMPORT, words, own=True))

        async def note(text: str) -> None:
            self.noted = text

        return Errand(
            1, "1", self.pool, step, self.task, {}, "U1", "", lambda _reached: None, lambda: None, self.noted, note
        )

    async def dies_before_marking(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The import comes through, and then the bot is gone."""

        async def gone(*_: object) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(self.pools.restoring, "arrived", gone)
            with pytest.raises(asyncio.CancelledError):
                await self.work().run(self.errand())
        assert self.guest in self.base.refs("VM")

    def left(self) -> list[str]:
        """What is there of it."""
        kinds = {"VM": self.guest, "network": self.network}
        return [kind for kind, ref in kinds.items() if ref in self.base.refs(kind)]


async def _no_tags() -> frozenset[str]:
    return frozenset()


async def test_a_guest_that_brought_snapshots_along_is_removed_with_them(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Imported(lab, pools, tmp_path)
    sent = it.send

    async def send(*_: object, **__: object) -> None:
        await sent()
        it.base.create("VM", name_label="old", is_a_snapshot=True, is_a_template=True, snapshot_of=it.guest)

    monkeypatch.setattr(it, "send", send)
    with pytest.raises(Refused, match="snapshots along"):
        await it.work().run(it.errand())
    await it.work().clear(it.errand())
    assert it.left() == []
    assert not [ref for ref, one in it.base.items("VM") if one["name_label"] == "old"]


async def test_a_network_that_an_import_made_goes_also_when_the_bot_died_before_it_was_marked(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Imported(lab, pools, tmp_path)
    await it.dies_before_marking(monkeypatch)
    await it.work().clear(it.errand())
    assert it.left() == []


async def test_an_import_whose_task_the_pool_has_forgotten_is_found_and_removed_before_another_begins(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Imported(lab, pools, tmp_path)
    # A template of the same name was there before, and somebody has copied the new guest under a name of their own.
    before = it.base.create("VM", name_label=ARCHIVED, power_state="Halted", other_config={"import_task": it.task})
    await it.dies_before_marking(monkeypatch)
    copy = it.base.create("VM", name_label="mine", power_state="Halted", other_config={"import_task": it.task})
    it.base.delete("task", it.task)
    await it.work().clear(it.errand())
    assert it.left() == []
    assert {before, copy} <= set(it.base.refs("VM"))


async def test_of_two_guests_that_may_be_what_was_imported_none_is_removed_and_both_are_named(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Imported(lab, pools, tmp_path)
    await it.dies_before_marking(monkeypatch)
    twin = it.base.create("VM", name_label=ARCHIVED, power_state="Halted", other_config={"import_task": it.task})
    it.base.delete("task", it.task)
    with pytest.raises(Refused) as refusal:
        await it.work().clear(it.errand())
    assert all(it.base.get("VM", ref, "uuid") in refusal.value.message for ref in (it.guest, twin))
    assert it.left() == ["VM", "network"]


async def test_a_guest_with_a_name_too_long_to_be_kept_whole_is_found_all_the_same(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Imported(lab, pools, tmp_path)
    it.name, it.kept = "long " * 80, ("long " * 80)[:256]
    await it.dies_before_marking(monkeypatch)
    it.base.delete("task", it.task)
    uuid = it.base.get("VM", it.guest, "uuid")
    await until(pools, lambda: any(one.uuid == uuid for one in pools._live(it.pool).model.tables.of(VmRecord).values()))
    await it.work().clear(it.errand())
    assert it.left() == []


@pytest.mark.parametrize("whose", ["host", "guest"])
async def test_a_network_that_somebody_makes_during_an_import_is_neither_renamed_nor_removed(
    lab: Datacentre, pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    it = Imported(lab, pools, tmp_path)
    await it.dies_before_marking(monkeypatch)
    if whose == "host":
        host = it.base.refs("host")[0]
        it.base.create("PIF", network=it.network, host=host, device="eth7", VLAN=7)
    else:
        it.base.create("VIF", VM=ref_of(lab, "VM", name_label="centos54"), network=it.network, device="6", MAC=MAC)
    await it.work().clear(it.errand())
    assert it.left() == ["network"]
    assert it.base.get("network", it.network, "name_label") == "of the archive"
