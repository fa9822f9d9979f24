"""What a restore is judged by, read from a simulated pool."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.restores import Coming
from bot.errors import NotFound
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
