"""What is written on a guest that is set aside, and whose copy runs elsewhere; each call may come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_xen_restored_guests import database, imported, ref_of
from xen_lab import EXPERIMENT, arm, following, loaded, pool_settings, until

from bot.errors import Refused

if TYPE_CHECKING:
    from bot.lab.xapi import Datacentre
    from bot.lab.xapi.database import Database
    from bot.xen import Pools


async def test_a_guest_is_set_aside_under_its_own_name_and_gets_everything_back(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base, restoring = imported(lab), database(lab), pools.restoring
    ref = ref_of(lab, "VM", uuid=made)
    base.set("VM", ref, other_config={"auto_poweron": "true", "folder": "/kept"})
    base.set("VM", ref, ha_restart_priority="restart")
    before = await restoring.restored(pool.uuid, made)
    assert (before.kept_off, before.remembered) == (False, {})
    for _ in range(2):
        await restoring.set_aside(pool.uuid, made, before.name)
    aside = await restoring.restored(pool.uuid, made)
    assert (aside.name, aside.kept_off) == (before.name, True)
    assert aside.remembered == {"auto_poweron": "true", "ha": "restart"}
    for _ in range(2):
        await restoring.bring_back(pool.uuid, made, before.name)
    assert await restoring.restored(pool.uuid, made) == before
    assert base.get("VM", ref, "other_config") == {"auto_poweron": "true", "folder": "/kept"}
    base.set("VM", ref, power_state="Running")
    with pytest.raises(Refused, match="Running"):
        await restoring.set_aside(pool.uuid, made, before.name)


async def test_the_note_of_a_comparison_tags_and_automatic_power_on_are_written_once(
    lab: Datacentre, pools: Pools
) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, restoring = imported(lab), pools.restoring
    for note in ("b1 4000", "b1 4000", "b2 7"):
        await restoring.note_compared(pool.uuid, made, note)
    for _ in range(2):
        await restoring.start_with_host(pool.uuid, made, "true")
        await restoring.add_tags(pool.uuid, made, frozenset({"nightly", "夜"}))
    now = await restoring.restored(pool.uuid, made)
    assert (now.compared, now.tags, now.kept_off) == ("b2 7", ("nightly", "夜"), False)


async def test_a_guest_is_set_aside_and_brought_back_although_answers_are_lost(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base, restoring = imported(lab), database(lab), pools.restoring
    ref = ref_of(lab, "VM", uuid=made)
    base.set("VM", ref, other_config={"auto_poweron": "true"})
    base.set("VM", ref, ha_restart_priority="restart")
    before = await restoring.restored(pool.uuid, made)
    await arm(lab, "VM.add_to_other_config", "drop", "after", times=1)
    await restoring.set_aside(pool.uuid, made, before.name)
    assert (await restoring.restored(pool.uuid, made)).remembered == {"auto_poweron": "true", "ha": "restart"}
    await arm(lab, "VM.add_to_other_config", "drop", "after", times=1)
    await restoring.bring_back(pool.uuid, made, before.name)
    assert await restoring.restored(pool.uuid, made) == before


async def test_tags_that_were_taken_come_back_with_all_else_also_after_a_crash_in_between(
    lab: Datacentre, pools: Pools
) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    made, base, restoring = imported(lab), database(lab), pools.restoring
    ref = ref_of(lab, "VM", uuid=made)
    base.set("VM", ref, tags=["nightly", "web", 'a "b"\n夜'])
    before = await restoring.restored(pool.uuid, made)
    await restoring.set_aside(pool.uuid, made, "later")
    gone = frozenset({"nightly", 'a "b"\n夜', "never there"})
    await restoring.take_tags(pool.uuid, made, gone)
    # As a crash after the first of them leaves it.
    base.set("VM", ref, tags=["nightly", "web"])
    for _ in range(2):
        await restoring.take_tags(pool.uuid, made, gone)
    assert (await restoring.restored(pool.uuid, made)).tags == ("web",)
    for _ in range(2):
        await restoring.bring_back(pool.uuid, made, before.name)
    assert await restoring.restored(pool.uuid, made) == before
    assert base.get("VM", ref, "other_config") == {}


def alike(lab: Datacentre) -> tuple[str, Database, str]:
    """centos54, and a running guest of xenserver2 that gets all its addresses: UUID, records there, reference."""
    base = database(lab)
    guest = ref_of(lab, "VM", name_label="centos54")
    macs = [base.get("VIF", vif, "MAC") for vif in base.get("VM", guest, "VIFs")]
    abroad = next(pool.database for pool in lab._pools for one in pool.machines.values() if one.name == "xenserver2")
    other = next(
        ref for ref, vm in abroad.items("VM") if vm["power_state"] == "Running" and not vm["is_control_domain"]
    )
    network = abroad.refs("network")[0]
    for place, mac in enumerate(macs):
        abroad.create("VIF", VM=other, network=network, device=str(place + 5), MAC=mac.upper())
    return str(base.get("VM", guest, "uuid")), abroad, other


async def test_a_guest_of_another_pool_that_runs_with_all_its_addresses_is_told_before_a_start(lab: Datacentre) -> None:
    both = [pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2")]
    uuid, abroad, other = alike(lab)
    async with following(*both) as pools:
        await loaded(pools)
        found = await pools.power(uuid, ("start",), placing=True)
        assert list(found.twins) == [abroad.get("VM", other, "uuid")]
        assert found.twins[abroad.get("VM", other, "uuid")][1] == "xenserver2"
        assert (await pools.power(uuid, ("start",))).twins == {}


async def test_one_that_was_off_when_its_pool_fell_silent_is_told_before_a_start_too(lab: Datacentre) -> None:
    both = [pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2")]
    uuid, abroad, other = alike(lab)
    abroad.set("VM", other, power_state="Halted", resident_on="OpaqueRef:NULL")
    async with following(*both) as pools:
        await loaded(pools)
        found = await pools.power(uuid, ("start",), placing=True)
        assert (found.twins, found.asleep) == ({}, {}), "its pool says that it is off"
        await lab.do({"do": "kill_host", "host": "xenserver2"})
        await until(pools, lambda: pools.pool("xenserver2").state == "lost")
        found = await pools.power(uuid, ("start",), placing=True)
        assert found.twins == {}
        assert {one: where for one, (_, where) in found.asleep.items()} == {
            abroad.get("VM", other, "uuid"): "xenserver2"
        }


async def test_a_pool_that_was_never_read_is_named_before_a_start(lab: Datacentre) -> None:
    both = [pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2")]
    await lab.do({"do": "kill_host", "host": "xenserver2"})
    uuid = str(database(lab).get("VM", ref_of(lab, "VM", name_label="centos54"), "uuid"))
    async with following(*both) as pools:
        await until(pools, lambda: pools.pool("experiment").state == "live")
        assert (await pools.power(uuid, ("start",), placing=True)).unseen == ("xenserver2",)
        assert (await pools.power(uuid, ("start",))).unseen == ()
