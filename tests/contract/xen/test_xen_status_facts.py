"""What status needs beside the inventory: alerts as they come, what a host can run, who answers the probe."""

from xen_lab import until

from bot.domain.calls import Call, Ref
from bot.lab.xapi import Datacentre
from bot.xen import Pools
from bot.xen.records import MessageRecord


async def test_a_message_that_is_more_than_information_is_an_alert(lab: Datacentre, pools: Pools) -> None:
    vm = pools.vm("centos54")
    pool = pools.pools()[0].pool
    assert pool is not None
    parent = await pools.open_task(pool.uuid, "test", "")
    await pools.begin(pool.uuid, Call("VM.clean_reboot", (Ref("VM", vm.uuid),)), parent=parent, job="1")
    messages = pools._pools[0].model.tables.of(MessageRecord)  # no port tells of messages that are no alerts
    await until(pools, lambda: any(one.name == "VM_REBOOTED" for one in messages.values()))
    assert pools.pools()[0].alerts == ()
    told = next(one for one in messages.values() if one.name == "VM_REBOOTED")
    await lab.do({"do": "set", "class": "message", "uuid": told.uuid, "field": "priority", "value": 2})
    await until(pools, lambda: pools.pools()[0].alerts)
    alert = pools.pools()[0].alerts[0]
    assert (alert.name, alert.priority, alert.about) == ("VM_REBOOTED", 2, vm.uuid)
    assert alert.at > 0


async def test_a_host_tells_whether_it_can_run_hvm_guests_and_what_its_control_domain_has(pools: Pools) -> None:
    host = pools.host("xenserver1")
    assert host.hvm_capable is True
    assert host.control_memory > 0
    assert not host.maintenance


async def test_a_host_marked_for_maintenance_by_another_tool_is_told(lab: Datacentre, pools: Pools) -> None:
    uuid = pools.host("xenserver3").uuid
    marks = {"MAINTENANCE_MODE": "true"}
    await lab.do({"do": "set", "class": "host", "uuid": uuid, "field": "other_config", "value": marks})
    await until(pools, lambda: pools.host("xenserver3").maintenance)


async def test_the_version_of_the_drivers_is_what_the_guest_says(pools: Pools) -> None:
    assert pools.vm("centos54").tools_version
    assert pools.vm("centos54").windows is False
    assert pools.vm("winxp").tools_version == ""
    assert pools.vm("winxp").windows is None, "it has no tools that could say so"
