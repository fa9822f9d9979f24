import pytest
from xen_lab import following, loaded, pool_settings, until

from bot.domain.inventory import FeedState, PowerState, Tools
from bot.errors import Ambiguous, NotFound
from bot.lab.xapi import Datacentre
from bot.xen import Pools


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("centos54", "centos54"),
        ("cent", "centos54"),
        ("日本語サーバー", "日本語サーバー"),
        ("日本語ｻｰﾊﾞｰ", "日本語サーバー"),
        ("<!channel> & *bold*", "<!channel> & *bold*"),
        ("&lt;!channel&gt; &amp; *bold*", "<!channel> & *bold*"),
        ("WINXP", "winxp"),
    ],
)
async def test_a_guest_is_found_as_people_type_it(pools: Pools, typed: str, name: str) -> None:
    assert pools.vm(typed).name == name


async def test_a_guest_and_a_host_are_found_by_uuid_and_its_beginning(pools: Pools) -> None:
    vm, host = pools.vm("centos54"), pools.host("xenserver3")
    assert pools.vm(vm.uuid) == vm
    assert pools.vm(vm.uuid[:13]) == vm
    assert pools.host(host.uuid[:13].upper()) == host
    assert pools.host(host.address) == host


async def test_twins_are_ambiguous_and_told_apart_by_their_hosts(pools: Pools) -> None:
    with pytest.raises(Ambiguous) as caught:
        pools.vm("twin")
    assert sorted(candidate.where for candidate in caught.value.candidates) == [
        "on xenserver1, pool experiment",
        "on xenserver3, pool experiment",
    ]


async def test_a_wrong_name_gets_the_nearest(pools: Pools) -> None:
    with pytest.raises(NotFound) as caught:
        pools.vm("centos55")
    assert caught.value.nearest[0] == "centos54"
    # What only begins like one name is that name: nothing else can be meant.
    assert pools.vm("centos5").name == "centos54"


async def test_the_inventory_says_what_the_world_is(lab: Datacentre, pools: Pools) -> None:
    (view,) = pools.pools()
    assert (view.state, view.reason, view.name) == (FeedState.LIVE, "", "experiment")
    assert view.pool is not None
    assert view.pool.coordinator == pools.host("xenserver1").uuid
    assert [host.name for host in view.hosts] == ["xenserver1", "xenserver3"]
    assert pools.host("xenserver1").coordinator
    assert pools.ready()
    vm, winxp, sleeper = pools.vm("centos54"), pools.vm("winxp"), pools.vm("sleeper")
    assert (vm.power_state, vm.host, vm.tools) == (PowerState.RUNNING, view.pool.coordinator, Tools.PRESENT)
    assert vm.disks[0].sr is not None
    assert vm.disks[0].sr.name == "nfs-vhd"
    assert len(vm.disks[0].sr.hosts) == 2
    assert (winxp.tools, winxp.can_suspend) == (Tools.NONE, False)
    assert (sleeper.power_state, sleeper.host) == (PowerState.SUSPENDED, None)
    assert {each["name"] for each in lab.state()["guests"] if each["pool"] == view.pool.uuid} == {
        each.name for each in view.vms
    }


async def test_the_memory_a_host_has_free_is_what_xapi_says(pools: Pools) -> None:
    for name in ("xenserver1", "xenserver3"):
        facts = await pools.migration(pools.vm("centos54").uuid, pools.host(name).uuid)
        assert pools.host(name).memory_free == facts.target.memory_free


async def test_one_dead_pool_hides_no_other(lab: Datacentre) -> None:
    await lab.do({"do": "kill_host", "host": "xenserver2"})
    both = (pool_settings(lab, "xenserver2"), pool_settings(lab, "xenserver4"))
    async with following(*both) as pools:
        await until(pools, pools.ready)
        await until(pools, lambda: "refused" in pools.pools()[0].reason)
        dead, alive = pools.pools()
        assert (dead.state, dead.pool, alive.state) == (FeedState.LOADING, None, FeedState.LIVE)
        assert pools.host("xenserver4").name == "xenserver4"
        with pytest.raises(NotFound):
            pools.pool(" ")
        with pytest.raises(NotFound) as caught:
            pools.vm("test1")
        assert "xenserver2" in caught.value.fix


async def test_names_are_looked_up_over_all_pools(lab: Datacentre) -> None:
    settings = (pool_settings(lab, "xenserver1", "xenserver3", name="experiment"), pool_settings(lab, "xenserver2"))
    async with following(*settings) as pools:
        await loaded(pools)
        assert pools.vm("test1").host == pools.host("xenserver2").uuid
        assert pools.pool("experiment").pool is not None
        assert pools.pool("xenserver2").hosts[0].name == "xenserver2"
        with pytest.raises(NotFound):
            pools.pool("nowhere")
