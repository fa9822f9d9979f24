import gc
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from xen_lab import EXPERIMENT, PASSWORD, arm, following, guest, loaded, pool_settings, settled, until

from bot.domain.inventory import FeedState
from bot.errors import NotFound
from bot.lab.xapi import Datacentre
from bot.xen import Pools
from bot.xen.model import Change
from bot.xen.records import VmRecord


async def test_a_rename_by_somebody_else_is_followed(lab: Datacentre, pools: Pools) -> None:
    uuid = pools.vm("centos54").uuid
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "name_label", "value": "renamed"})
    await until(pools, lambda: pools.vm(uuid).name == "renamed")
    with pytest.raises(NotFound):
        pools.vm("centos54")


async def test_a_migration_by_somebody_else_is_followed(lab: Datacentre, pools: Pools) -> None:
    vm, target = pools.vm("centos54"), pools.host("xenserver3")
    await lab.do({"do": "set", "class": "VM", "uuid": vm.uuid, "field": "resident_on", "value": target.uuid})
    await until(pools, lambda: pools.vm(vm.uuid).host == target.uuid)
    assert pools.host("xenserver3").guests == target.guests + 1
    assert pools.host("xenserver3").memory_free < target.memory_free


async def test_an_expired_session_is_replaced_without_a_word(lab: Datacentre, pools: Pools) -> None:
    states = set()
    await lab.do({"do": "expire_sessions"})
    uuid = pools.vm("centos54").uuid
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "name_label", "value": "renamed"})

    def renamed() -> bool:
        states.add(pools.pools()[0].state)
        return pools.vm(uuid).name == "renamed"

    await until(pools, renamed)
    assert states == {FeedState.LIVE}


async def test_a_new_coordinator_is_found_and_the_pool_read_again(lab: Datacentre, pools: Pools) -> None:
    await lab.do({"do": "move_coordinator", "host": "xenserver3"})
    await until(pools, lambda: pools.host("xenserver3").coordinator)
    assert not pools.host("xenserver1").coordinator
    await until(pools, lambda: pools.pools()[0].state is FeedState.LIVE)


async def test_a_dead_coordinator_is_told_and_its_return_too(lab: Datacentre, pools: Pools) -> None:
    pool = pools.vm("centos54").pool
    assert pools.silent_s("a pool that nobody has seen") == float("inf")
    await lab.do({"do": "kill_host", "host": "xenserver1"})
    await until(pools, lambda: pools.pools()[0].state is FeedState.LOST)
    view, silent_s = pools.pools()[0], pools.silent_s(pool)
    assert view.reason
    await until(pools, lambda: pools.silent_s(pool) > silent_s)
    silent_s = pools.silent_s(pool)
    assert len(view.vms) == 9, "what was known stays known, as lost"
    await lab.do({"do": "start_host", "host": "xenserver1"})
    await until(pools, lambda: pools.pools()[0].state is FeedState.LIVE)
    assert pools.silent_s(pool) < silent_s


@pytest.mark.parametrize("code", ["EVENTS_LOST", "EVENT_FROM_TOKEN_PARSE_FAILURE"])
async def test_lost_events_make_it_read_everything_again(lab: Datacentre, pools: Pools, code: str) -> None:
    uuid = pools.vm("centos54").uuid
    await arm(lab, "event.from", "fail", "after", error=[code, "token"])
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "name_label", "value": "renamed"})
    await until(pools, lambda: pools.vm(uuid).name == "renamed")
    assert pools.pools()[0].state is FeedState.LIVE


async def test_a_silent_host_is_seen_before_xapi_notices(lab: Datacentre) -> None:
    settings = pool_settings(lab, *EXPERIMENT, name="experiment")
    async with following(settings, probe_every_s=0.05) as pools:
        await loaded(pools)
        await lab.do({"do": "kill_host", "host": "xenserver3"})
        await until(pools, lambda: pools.host("xenserver3").silent_since is not None)
        assert pools.host("xenserver3").live, "XAPI still says live"
        assert pools.host("xenserver1").silent_since is None
        await lab.do({"do": "start_host", "host": "xenserver3"})
        await until(pools, lambda: pools.host("xenserver3").silent_since is None)


async def test_a_member_leads_to_the_listed_coordinator(lab: Datacentre) -> None:
    async with following(pool_settings(lab, "xenserver3", "xenserver1", name="experiment")) as pools:
        await loaded(pools)
        assert pools.host("xenserver1").coordinator


async def test_a_large_pool_is_read_in_many_turns_of_the_loop(certificates: Path) -> None:
    large = Datacentre(world="large:4x1500", port=0, speed=1, password=PASSWORD, certificates=certificates)
    await large.start()
    try:
        async with following(pool_settings(large, *large.hosts, name="large")) as pools:
            await loaded(pools)
            assert len(pools.pools()[0].vms) == 1500
            assert len(pools.pools()[0].hosts) == 4
    finally:
        await large.stop()


async def test_a_guest_that_stops_is_followed(lab: Datacentre, pools: Pools) -> None:
    uuid = pools.vm("winxp").uuid
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "power_state", "value": "Halted"})
    await until(pools, lambda: pools.vm("winxp").power_state == "Halted")
    await settled(lab, lambda _: guest(lab, "winxp")["power_state"] == "Halted")
    assert pools.vm("winxp").host is None


async def test_a_missed_event_is_noticed_by_the_count_and_mended(lab: Datacentre, pools: Pools) -> None:
    uuid = pools.vm("centos54").uuid
    model = pools._pools[0].model
    ref = model.tables.ref("VM", uuid)
    assert ref is not None
    await model.apply([Change(VmRecord, ref, None)])
    await model.publish()
    with pytest.raises(NotFound):
        pools.vm("centos54")
    other = pools.vm("db1").uuid
    await lab.do({"do": "set", "class": "VM", "uuid": other, "field": "name_label", "value": "renamed"})
    await until(pools, lambda: any(vm.uuid == uuid for vm in pools.pools()[0].vms))


async def test_a_toolstack_that_restarts_loses_no_fact(lab: Datacentre, pools: Pools) -> None:
    """Connections break, then are refused, then answered with HOST_STILL_BOOTING, then nobody is logged in."""
    uuid = pools.vm("centos54").uuid
    await lab.do({"do": "restart_toolstack", "host": "xenserver1"})
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "name_label", "value": "renamed"})
    await until(pools, lambda: pools.vm(uuid).name == "renamed")
    await until(pools, lambda: pools.pools()[0].state is FeedState.LIVE)


async def test_a_pool_that_goes_and_returns_is_logged_once_each(lab: Datacentre, pools: Pools) -> None:
    with capture_logs() as logs:
        await lab.do({"do": "kill_host", "host": "xenserver1"})
        await until(pools, lambda: pools.pools()[0].state is FeedState.LOST)
        await pools.changed()
        await lab.do({"do": "start_host", "host": "xenserver1"})
        await until(pools, lambda: pools.pools()[0].state is FeedState.LIVE)
    assert [log["event"] for log in logs if log["event"] in {"pool_lost", "pool_live"}] == ["pool_lost", "pool_live"]


async def test_the_collector_has_nothing_to_do_with_an_inventory(pools: Pools) -> None:
    view = pools.pool("experiment")
    values = [*view.hosts, *view.vms, *(disk for vm in view.vms for disk in vm.disks)]
    assert values
    assert not [value for value in values if gc.is_tracked(value)]
