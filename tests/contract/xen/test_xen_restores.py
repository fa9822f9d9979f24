"""What a restore is judged by, read from a simulated pool."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.restores import Coming, Nic, Readiness
from bot.errors import NotFound, Refused
from bot.lab.xapi import Datacentre
from bot.xen import Pools
from bot.xen.records import VifRecord


def coming(**changes: Any) -> Coming:
    made = Coming("gone", "web9", (), 512 << 20, 512 << 20, 1, "hvm")
    return msgspec.structs.replace(made, **changes)


def mac(pools: Pools, name: str) -> str:
    vm = pools.vm(name)
    live = pools._live(vm.pool)
    return next(
        one.mac for one in live.model.tables.of(VifRecord).values() if one.vm == live.model.tables.ref("VM", vm.uuid)
    )


async def test_the_default_storage_and_every_host_that_sees_it_are_read(pools: Pools) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    facts = await pools.restore(coming(), pool.uuid, "", "")
    assert facts.sr is not None
    assert (facts.sr.name, facts.host) == ("nfs-vhd", None)
    assert facts.sr.hosts == {host.uuid for host in facts.hosts}
    assert {facts.xapi[host.uuid] for host in facts.hosts} == {(24, 16)}
    assert {network.name for network in facts.networks} >= {"Pool-wide network associated with eth0"}
    assert (facts.names, facts.macs) == ((), {})
    assert facts.needed > 512 << 20


async def test_living_guests_of_that_name_uuid_or_address_are_found_in_every_pool(lab: Datacentre) -> None:
    both = [pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2")]
    async with following(*both) as pools:
        await loaded(pools)
        here, there = (view.pool for view in pools.pools())
        assert here is not None
        assert there is not None
        living, own = pools.vm("centos54"), mac(pools, "centos54")
        wanted = coming(uuid=living.uuid, name="ＴＷＩＮ", macs=(own, 'zz" or field', "02:00:00:00:00:09"))
        for pool in (here.uuid, there.uuid):
            facts = await pools.restore(wanted, pool, "", "")
            assert sorted(one.name for one in facts.names) == ["centos54", "twin", "twin"]
            assert {address: [one.name for one in holders] for address, holders in facts.macs.items()} == {
                own: ["centos54"]
            }
            assert facts.macs[own][0].running


async def test_a_host_or_storage_of_another_pool_is_not_found_in_this_one(pools: Pools) -> None:
    pool = pools.pool("experiment").pool
    assert pool is not None
    with pytest.raises(NotFound, match="no host"):
        await pools.restore(coming(), pool.uuid, "no-such-host", "")
    with pytest.raises(NotFound, match="no SR"):
        await pools.restore(coming(), pool.uuid, "", "no-such-sr")


async def copied(pools: Pools, name: str) -> tuple[str, str]:
    """A halted copy of a guest, as an import would leave it: its pool and its UUID."""
    pool = pools.vm(name).pool
    sessions = pools._live(pool).sessions
    source = await sessions.read("VM.get_by_uuid", pools.vm(name).uuid)
    ref = await sessions.read("VM.clone", await sessions.read("VM.snapshot", source, "seen"), "imported")
    await sessions.read("VM.set_is_a_template", ref, False)
    await sessions.read("VM.add_to_other_config", ref, "auto_poweron", "true")
    return pool, str(await sessions.read("VM.get_uuid", ref))


async def test_what_was_imported_is_a_template_until_it_is_ready_and_nothing_wakes_it_then(pools: Pools) -> None:
    pool, vm = await copied(pools, "centos54")
    restoring = pools.restoring
    mark = "xenbot restore 0123456789abcdef"
    await restoring.mark(pool, vm, mark, await restoring.before(pool, "imported"))
    assert await restoring.marked(pool, mark) == (vm,)
    assert "it is a template" in (await restoring.restored(pool, vm)).wakeful
    (card,) = (await restoring.restored(pool, vm)).nics
    wish = Readiness("back", (Nic(card.device, card.network, "02:00:00:00:00:77"),), pools.host("xenserver3").uuid)
    for _ in range(2):
        await restoring.prepare(pool, vm, wish, mark, frozenset())
        now = await restoring.restored(pool, vm)
        assert (now.name, now.wakeful, now.affinity, now.nics) == ("back", (), wish.host, wish.nics)
    taken = Nic(card.device, card.network, mac(pools, "winxp"))
    with pytest.raises(Refused, match="runs with"):
        await restoring.prepare(pool, vm, Readiness("back", (taken,)), mark, frozenset())


async def test_a_guest_is_removed_with_its_own_disks_and_no_other(pools: Pools) -> None:
    pool, vm = await copied(pools, "centos54")
    restoring = pools.restoring
    living = await restoring.restored(pool, pools.vm("centos54").uuid)
    own = (await restoring.restored(pool, vm)).disks
    left = await restoring.remove(pool, vm, (*own.values(), *living.disks.values()), "", running=False)
    assert len(left) == len(living.disks), "a disk that another guest has is left, and said to be"
    assert (await restoring.restored(pool, living.uuid)).disks == living.disks
    with pytest.raises(NotFound):
        await restoring.restored(pool, vm)
    assert await restoring.remove(pool, vm, tuple(own.values()), "", running=False) == (), "gone is gone"
    with pytest.raises(Refused, match="started"):
        await restoring.remove(pool, living.uuid, (), "", running=False)
