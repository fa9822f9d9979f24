import pytest
from xen_lab import EXPERIMENT, arm, calls, following, loaded, migrate, pool_settings, settled, until

from bot.domain.inventory import PowerState, Tools
from bot.errors import CannotTell, NotFound, Unreachable
from bot.lab.xapi import Datacentre
from bot.xen import Pools


async def test_the_facts_of_a_good_migration(pools: Pools) -> None:
    vm, target = pools.vm("centos54"), pools.host("xenserver3")
    facts = await pools.migration(vm.uuid, target.uuid)
    assert facts.vm == vm, "the feed and a direct read agree"
    assert (facts.target, facts.target_pool) == (target, facts.pool)
    assert facts.source == pools.host("xenserver1")
    assert facts.pool_hosts
    assert facts.xapi is not None
    assert facts.xapi.code == ""
    assert facts.busy_hosts == {}


@pytest.mark.parametrize(
    ("name", "code"),
    [("web-local", "VM_REQUIRES_SR"), ("db1", "HOST_NOT_ENOUGH_FREE_MEMORY")],
)
async def test_xapis_own_verdict_has_names_in_it(pools: Pools, name: str, code: str) -> None:
    facts = await pools.migration(pools.vm(name).uuid, pools.host("xenserver3").uuid)
    assert facts.xapi is not None
    assert facts.xapi.code == code
    assert not any("OpaqueRef" in param for param in facts.xapi.params)
    if code == "VM_REQUIRES_SR":
        assert facts.xapi.params == ("web-local", "Local storage")
    else:
        assert facts.xapi.params == (str(facts.vm.memory_needed), str(facts.target.memory_free))


async def test_a_host_of_another_pool_is_read_from_its_own_pool(lab: Datacentre) -> None:
    both = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2"))
    async with following(*both) as pools:
        await loaded(pools)
        facts = await pools.migration(pools.vm("centos54").uuid, pools.host("xenserver2").uuid)
        assert facts.xapi is None
        assert facts.target.cpu_vendor == "AuthenticAMD"
        assert (facts.pool.name, facts.target_pool.name) == ("experiment", "xenserver2")
        assert facts.target.pool == facts.target_pool.uuid != facts.pool.uuid
        assert {host.name for host in facts.pool_hosts} == set(EXPERIMENT)


async def test_facts_are_read_directly_and_not_from_a_feed_that_lags(lab: Datacentre, pools: Pools) -> None:
    vm = pools.vm("centos54")
    await arm(lab, "event.from", "hold", "after", times=5, name="feed")
    await lab.do({"do": "set", "class": "VM", "uuid": vm.uuid, "field": "tags", "value": ["critical"]})
    facts = await pools.migration(vm.uuid, pools.host("xenserver3").uuid)
    assert facts.vm.tags == {"critical"}
    assert pools.vm("centos54").tags == frozenset()
    await lab.do({"do": "release", "name": "feed"})
    await until(pools, lambda: pools.vm("centos54").tags == {"critical"})


async def test_a_migration_in_progress_shows_on_guest_and_hosts(lab: Datacentre, pools: Pools) -> None:
    vm, target = pools.vm("centos54"), pools.host("xenserver3")
    pool = pools.pools()[0].pool
    assert pool is not None
    parent = await pools.open_task(pool.uuid, "xenbot job", "")
    await lab.do({"do": "pause_tasks", "at": 0.3})
    await pools.begin(pool.uuid, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    await settled(lab, lambda state: any(guest["progress"] for guest in state["guests"]))
    facts = await pools.migration(vm.uuid, target.uuid)
    assert facts.vm.operations == {"pool_migrate": "Async.VM.pool_migrate"}
    assert facts.vm.scheduled_host == target.uuid
    assert facts.busy_hosts[target.uuid] == ("vm_migrate",)
    where = await pools.whereabouts(pool.uuid, vm.uuid)
    assert (where.operations, where.scheduled_host) == (("pool_migrate",), target.uuid)
    await until(pools, lambda: pools.vm("centos54").operations == facts.vm.operations)
    await lab.do({"do": "release_tasks"})


async def test_whereabouts_tell_state_tools_and_addresses(pools: Pools) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    where = await pools.whereabouts(pool.uuid, pools.vm("centos54").uuid)
    assert (where.power_state, where.tools, where.operations) == (PowerState.RUNNING, Tools.PRESENT, ())
    assert where.addresses
    assert where.addresses == pools.vm("centos54").addresses
    asleep = await pools.whereabouts(pool.uuid, pools.vm("sleeper").uuid)
    assert (asleep.power_state, asleep.host) == (PowerState.SUSPENDED, None)


async def test_what_is_not_there_is_not_found(pools: Pools) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    for ask in (
        pools.migration("no-such-uuid", pools.host("xenserver3").uuid),
        pools.migration(pools.vm("centos54").uuid, "no-such-uuid"),
        pools.whereabouts(pool.uuid, "no-such-uuid"),
    ):
        with pytest.raises(NotFound):
            await ask


async def test_a_pool_that_has_not_been_read_gives_no_facts(lab: Datacentre) -> None:
    await lab.do({"do": "kill_host", "host": "xenserver2"})
    both = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2"))
    async with following(*both) as pools:
        await until(pools, pools.ready)
        with pytest.raises(CannotTell, match="xenserver2"):
            await pools.migration(pools.vm("centos54").uuid, "of-a-host-there")


async def test_a_read_whose_answer_was_lost_is_repeated(lab: Datacentre, pools: Pools) -> None:
    await arm(lab, "VM.assert_can_boot_here", "drop", "after")
    facts = await pools.migration(pools.vm("centos54").uuid, pools.host("xenserver3").uuid)
    assert facts.xapi is not None
    assert facts.xapi.code == ""


async def test_reads_outlive_expired_sessions_and_a_new_coordinator(lab: Datacentre, pools: Pools) -> None:
    vm, host = pools.vm("centos54").uuid, pools.host("xenserver3").uuid
    await pools.migration(vm, host)
    await lab.do({"do": "expire_sessions"})
    await pools.migration(vm, host)
    await lab.do({"do": "move_coordinator", "host": "xenserver3"})
    await until(pools, lambda: pools.host("xenserver3").coordinator)
    facts = await pools.migration(vm, host)
    assert facts.target.coordinator


async def test_with_no_host_alive_nothing_can_be_asked(lab: Datacentre, pools: Pools) -> None:
    vm, host = pools.vm("centos54").uuid, pools.host("xenserver3").uuid
    for name in EXPERIMENT:
        await lab.do({"do": "kill_host", "host": name})
    with pytest.raises(Unreachable) as caught:
        await pools.migration(vm, host)
    for name in EXPERIMENT:
        assert lab.hosts[name].address in str(caught.value)
    assert calls(lab, "Async.VM.pool_migrate") == []


async def test_a_host_to_be_emptied_is_read_once_with_all_its_guests(lab: Datacentre, pools: Pools) -> None:
    source, target = pools.host("xenserver1"), pools.host("xenserver3")
    read = await pools.leaving(source.uuid)
    assert read.host == source
    assert read.others == (target,)
    running = {vm.uuid: vm for vm in pools.pool("experiment").vms if vm.host == source.uuid}
    assert {one.vm.uuid: one.vm for one in read.guests} == running, "the feed and a direct read agree"
    assert all(one.movable is not None and one.target == source for one in read.guests)
    vm = pools.vm("web-local").uuid
    good, bad = await pools.verdicts([(pools.vm("centos54").uuid, target.uuid), (vm, target.uuid)])
    assert (good.code, bad.code) == ("", "VM_REQUIRES_SR")


async def test_who_runs_on_a_host_is_read_directly(lab: Datacentre, pools: Pools) -> None:
    host = pools.host("xenserver3")
    now = await pools.residents(host.pool, host.uuid)
    assert now.enabled
    assert list(now.guests.values()) == ["twin"]
    await lab.do({"do": "set", "class": "host", "uuid": host.uuid, "field": "enabled", "value": False})
    assert not (await pools.residents(host.pool, host.uuid)).enabled
    with pytest.raises(NotFound):
        await pools.residents(host.pool, "00000000-0000-0000-0000-000000000000")
