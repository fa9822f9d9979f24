"""The facts behind starting and stopping, read from the pool itself."""

from xen_lab import EXPERIMENT, PASSWORD, following, loaded, pool_settings

from bot.domain.inventory import PowerState
from bot.lab.xapi import Datacentre
from bot.xen import Pools

STOPS = ("clean_shutdown", "hard_shutdown", "start")


async def test_the_facts_of_a_stop_hold_xapis_verdict_on_each_way(pools: Pools) -> None:
    facts = await pools.power(pools.vm("winxp").uuid, STOPS)
    assert facts.vm == pools.vm("winxp"), "the feed and a direct read agree"
    assert facts.host == pools.host("xenserver1")
    assert facts.valid["clean_shutdown"].code == "VM_LACKS_FEATURE"
    assert facts.valid["hard_shutdown"].code == ""
    assert facts.valid["start"].code == "VM_BAD_POWER_STATE"
    assert facts.verdicts == {}
    assert not facts.own


async def test_the_facts_of_a_start_ask_about_every_host(lab: Datacentre, pools: Pools) -> None:
    closed = pools.host("xenserver3").uuid
    await lab.do({"do": "set", "class": "host", "uuid": closed, "field": "enabled", "value": False})
    facts = await pools.power(pools.vm("sleeper").uuid, ("resume",), placing=True)
    assert facts.vm.power_state is PowerState.SUSPENDED
    assert facts.host is None
    assert {one.name for one in facts.hosts} == {"xenserver1", "xenserver3"}
    assert facts.verdicts[closed].code == "HOST_DISABLED"
    assert facts.verdicts[closed].params == ("xenserver3",)


async def test_the_time_of_the_last_boot_is_part_of_a_look(pools: Pools) -> None:
    vm = pools.vm("centos54")
    seen = await pools.whereabouts(vm.pool, vm.uuid)
    assert seen.started_at == vm.started_at is not None


async def test_the_guest_the_bot_runs_in_is_known_and_named_by_the_check(lab: Datacentre, pools: Pools) -> None:
    own = pools.vm("centos54").uuid
    async with following(pool_settings(lab, *EXPERIMENT, name="experiment"), own=frozenset({own, "other"})) as inside:
        await loaded(inside)
        assert (await inside.power(own, STOPS)).own
        assert not (await inside.power(pools.vm("winxp").uuid, STOPS)).own
        texts = [finding.text for finding in await inside.check()]
    assert any("runs in the guest “centos54”" in text for text in texts)
    assert PASSWORD not in " ".join(texts)


async def test_a_guest_starts_by_itself_only_where_guest_and_pool_say_so(lab: Datacentre, pools: Pools) -> None:
    vm = pools.vm("centos54")
    for cls, uuid, starts in (("VM", vm.uuid, False), ("pool", vm.pool, True)):
        marks = {"do": "set", "class": cls, "uuid": uuid, "field": "other_config", "value": {"auto_poweron": "true"}}
        await lab.do(marks)
        assert (await pools.power(vm.uuid, ("clean_shutdown",))).auto_start is starts
