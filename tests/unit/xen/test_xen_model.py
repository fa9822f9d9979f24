import asyncio
import time

from bot.domain.inventory import PowerState, Tools
from bot.xen.model import Change, Model
from bot.xen.records import (
    HostMetricsRecord,
    HostRecord,
    PbdRecord,
    PoolRecord,
    Record,
    SrRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VmGuestMetricsRecord,
    VmRecord,
)
from bot.xen.tables import Tables

GIB = 1 << 30


def world(guests: int = 1) -> Tables:
    tables = Tables()
    tables.put("P", PoolRecord(uuid="pool", master="H1"))
    for number in (1, 2):
        tables.put(f"H{number}", HostRecord(uuid=f"h{number}", name_label=f"host{number}", metrics=f"M{number}"))
        tables.put(f"M{number}", HostMetricsRecord(live=True, memory_total=64 * GIB))
        tables.put(f"B{number}", PbdRecord(host=f"H{number}", sr="S", currently_attached=True))
    tables.put("S", SrRecord(uuid="sr", name_label="nfs", pbds=("B1", "B2"), physical_size=10))
    for number in range(guests):
        tables.put(f"V{number}", guest(number))
        tables.put(f"D{number}", VbdRecord(vm=f"V{number}", vdi=f"I{number}", userdevice="0", type="Disk"))
        tables.put(f"I{number}", VdiRecord(uuid=f"i{number}", sr="S", vbds=(f"D{number}",), virtual_size=5))
    return tables


def guest(number: int, *, on: str = "H1", name: str = "", **fields: object) -> VmRecord:
    return VmRecord(
        uuid=f"v{number}",
        name_label=name or f"vm{number}",
        power_state="Running",
        resident_on=on,
        memory_dynamic_min=GIB,
        memory_overhead=GIB,
        memory_static_max=GIB,
        vcpus_max=1,
        vbds=(f"D{number}",),
        guest_metrics=f"G{number}",
        **fields,  # type: ignore[arg-type]  # only fields of the record are given
    )


async def loaded(tables: Tables) -> Model:
    model = Model("experiment")
    await model.replace(tables)
    return model


async def change(model: Model, *changes: tuple[str, Record | type[Record]]) -> None:
    await model.apply(
        Change(what, ref, None) if isinstance(what, type) else Change(type(what), ref, what) for ref, what in changes
    )
    await model.publish()


async def test_an_inventory_holds_values_without_references() -> None:
    inventory = (await loaded(world())).inventory
    (vm,) = inventory.vms
    assert inventory.pool is not None
    assert (inventory.pool.uuid, inventory.pool.name, inventory.pool.coordinator) == ("pool", "experiment", "h1")
    assert (vm.host, vm.power_state, vm.tools, vm.pool) == ("h1", PowerState.RUNNING, Tools.NONE, "pool")
    assert vm.disks[0].sr is not None
    assert vm.disks[0].sr.hosts == {"h1", "h2"}
    assert [(host.name, host.guests, host.coordinator) for host in inventory.hosts] == [
        ("host1", 1, True),
        ("host2", 0, False),
    ]


async def test_free_memory_follows_a_guest_from_host_to_host() -> None:
    model = await loaded(world())

    def free() -> list[int]:
        return [host.memory_free // GIB for host in model.inventory.hosts]

    assert free() == [62, 64]
    await change(model, ("V0", guest(0, scheduled_to_be_resident_on="H2")))
    assert free() == [62, 62]
    await change(model, ("V0", guest(0, on="H2")))
    assert free() == [64, 62]
    await change(model, ("V0", VmRecord))
    assert free() == [64, 64]
    assert model.inventory.vms == ()


async def test_a_change_of_anything_a_guest_is_made_of_shows_in_the_guest() -> None:
    model = await loaded(world(2))
    await change(model, ("G0", VmGuestMetricsRecord(pv_drivers_version={"major": "9"}, networks={"0/ip": "192.0.2.1"})))
    await change(model, ("I0", VdiRecord(uuid="i0", name_label="root", sr="S", vbds=("D0",), virtual_size=7)))
    await change(model, ("B2", PbdRecord(host="H2", sr="S", currently_attached=False)))
    await change(model, ("V0", guest(0, name="renamed", current_operations={"T": "pool_migrate"})))
    await change(model, ("T", TaskRecord(name_label="Async.VM.pool_migrate")))
    vm, other = model.inventory.vms
    assert (vm.tools, vm.addresses, vm.name) == (Tools.PRESENT, ("192.0.2.1",), "renamed")
    assert vm.disks[0].vdi_name == "root"
    assert vm.operations == {"pool_migrate": "Async.VM.pool_migrate"}
    for each in (vm, other):
        assert each.disks[0].sr is not None
        assert each.disks[0].sr.hosts == {"h1"}


async def test_templates_snapshots_and_control_domains_are_no_guests_but_take_memory() -> None:
    tables = world(0)
    tables.put("X", guest(1, is_control_domain=True))
    tables.put("Y", guest(2, is_a_template=True))
    tables.put("Z", guest(3, is_a_snapshot=True, is_a_template=True))
    inventory = (await loaded(tables)).inventory
    assert inventory.vms == ()
    assert inventory.hosts[0].guests == 0
    assert inventory.hosts[0].memory_free == 58 * GIB


async def test_a_delete_of_something_never_seen_changes_nothing() -> None:
    model = await loaded(world())
    before = model.inventory
    await change(model, ("unseen", TaskRecord), ("unseen", VbdRecord))
    assert model.inventory == before


async def test_readers_keep_the_old_inventory_until_the_new_one_is_whole() -> None:
    model = await loaded(world(1))
    reading = asyncio.create_task(model.replace(world(2000)))
    seen = set()
    while not reading.done():
        seen.add(len(model.inventory.vms))
        await asyncio.sleep(0)
    seen.add(len(model.inventory.vms))
    assert seen == {1, 2000}


async def test_five_thousand_guests_are_built_in_slices() -> None:
    model = Model("experiment")
    tables = world(5000)
    turns = 0
    building = asyncio.create_task(model.replace(tables))
    began = time.perf_counter()
    while not building.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(model.inventory.vms) == 5000
    assert turns > 100, f"the loop got only {turns} turns in {time.perf_counter() - began:.3f} s"


async def test_a_silent_host_is_marked_and_unmarked() -> None:
    tables = world()
    tables.put("H2", HostRecord(uuid="h2", name_label="host2", address="10.0.0.2", metrics="M2"))
    model = await loaded(tables)
    await model.silence({"10.0.0.2": 1000.0})
    assert [host.silent_since for host in model.inventory.hosts] == [None, 1000.0]
    await model.silence({})
    assert [host.silent_since for host in model.inventory.hosts] == [None, None]


async def test_waiters_hear_of_a_task_and_of_a_new_reading() -> None:
    model = await loaded(world())
    first = model.task_bell("T").heard()
    await change(model, ("T", TaskRecord(status="success")))
    assert first.done()
    second = model.task_bell("T").heard()
    await model.replace(world())
    assert second.done()
