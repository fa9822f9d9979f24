"""A guest and its disks moved in one step: what that is judged by, what is sent, and what comes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from xen_lab import arm, guest, settled

from bot.domain.calls import Reception
from bot.domain.plan import Check, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.errors import OutcomeUnknown, XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations import migrate_storage
from bot.operations.base import Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.xen import Pools


def local(pools: Pools, host: str) -> str:
    """The UUID of a host's local storage."""
    there = frozenset({pools.host(host).uuid})
    (found,) = [sr for view in pools.pools() for sr in view.srs if sr.hosts == there and sr.name == "Local storage"]
    return found.uuid


async def planned(pools: Pools, name: str = "web-local", sr: str = "", host: str = "xenserver3") -> Plan:
    goals = {"": sr or local(pools, host)}
    return await migrate_storage.plan(pools.vm(name).uuid, pools.host(host).uuid, goals, pools, ApprovalSettings())


def said(check: Check) -> str:
    return f"{check.key} {plain(check.fact)} | {plain(check.fix) if check.fix else ''}"


def stops(plan: Plan) -> list[str]:
    return [check.key.partition(":")[0] for check in plan.blocked]


async def put(lab: Datacentre, cls: str, uuid: str, field: str, value: Any) -> None:
    await lab.do({"do": "set", "class": cls, "uuid": uuid, "field": field, "value": value})


async def sent(pools: Pools, plan: Plan, parent: str) -> str:
    return await pools.begin(plan.pool, plan.steps[0].call, parent=parent, job="1")


async def ended(pools: Pools, plan: Plan) -> TaskView:
    """The task of the plan's only step, sent as the engine sends it, once it is over."""
    parent = await pools.open_task(plan.pool, "xenbot job 1", "")
    task = await sent(pools, plan, parent)
    view: TaskView | None = None
    async with asyncio.timeout(60):
        while view is None or view.status is TaskStatus.PENDING:
            view = await pools.wait(plan.pool, task, seen=view, at_most_s=1.0)
    for handle in (task, parent):
        await pools.close_task(plan.pool, handle)
    return view


async def test_guest_and_disk_go_in_one_step_and_are_found_where_they_went(lab: Datacentre, pools: Pools) -> None:
    plan = await planned(pools)
    assert [said(one) for one in plan.blocked] == []
    (step,) = plan.steps
    before = await migrate_storage.OPERATION.look(plan, step, pools)
    assert before.seen is Seen.NOT_DONE
    assert plain(before.headline) == "web-local still runs on xenserver1; disk 0 is on Local storage of xenserver1"
    assert (await ended(pools, plan)).status is TaskStatus.SUCCESS
    after = await migrate_storage.OPERATION.look(plan, step, pools)
    assert (after.seen, plain(after.headline)) == (
        Seen.DONE,
        "web-local now runs on xenserver3; disk 0 is on Local storage of xenserver3",
    )
    assert "Looked at: the old disks are gone" in [plain(line) for line in after.evidence]


async def test_a_halted_guests_disks_move_alone_and_it_stays_halted(lab: Datacentre, pools: Pools) -> None:
    await lab.do({"do": "stop_guest", "guest": "web-local", "how": "shutdown"})
    await settled(lab, lambda _: guest(lab, "web-local")["power_state"] == "Halted")
    plan = await planned(pools)
    assert [said(one) for one in plan.blocked] == []
    assert (await ended(pools, plan)).status is TaskStatus.SUCCESS
    after = await migrate_storage.OPERATION.look(plan, plan.steps[0], pools)
    assert (after.seen, plain(after.headline)) == (
        Seen.DONE,
        "web-local is off as before; disk 0 is on Local storage of xenserver3",
    )
    assert migrate_storage.OPERATION.reverse is not None
    back = await migrate_storage.OPERATION.reverse(plan, pools, ApprovalSettings())
    assert [said(one) for one in back.blocked] == []
    assert "disk 0 → Local storage of xenserver1" in plain(back.title)


@pytest.mark.parametrize(
    ("cls", "field", "value", "key", "code"),
    [
        ("VDI", "cbt_enabled", True, "disk", "VDI_CBT_ENABLED"),
        ("VDI", "on_boot", "reset", "disk", "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION"),
        ("VM", "blocked_operations", {"migrate_send": "until six"}, "blocked", "OPERATION_BLOCKED"),
        ("VM", "platform", {"nomigrate": "true"}, "immobile", "VM_IS_IMMOBILE"),
        ("host", "enabled", False, "enabled", "HOST_DISABLED"),
        ("PIF", "IP", "", "xapi", "INTERFACE_HAS_NO_IP"),
    ],
)
async def test_what_stops_it_is_told_by_us_and_refused_by_xapi(
    lab: Datacentre, pools: Pools, cls: str, field: str, value: object, key: str, code: str
) -> None:
    plan = await planned(pools)
    subject = {
        "VDI": next(disk.vdi for disk in pools.vm("web-local").disks if not disk.cd),
        "VM": pools.vm("web-local").uuid,
        "host": pools.host("xenserver3").uuid,
        "PIF": await management(pools, "xenserver3"),
    }
    await put(lab, cls, subject[cls], field, value)
    refused = await planned(pools)
    assert key in stops(refused)
    assert code in " ".join(said(one) for one in refused.blocked) or key == "disk"
    assert await refusal(pools, plan) == code
    assert guest(lab, "web-local")["host"] == pools.host("xenserver1").uuid


async def refusal(pools: Pools, plan: Plan) -> str:
    """The code with which XAPI refuses, at once or by the task."""
    try:
        return (await ended(pools, plan)).error[0]
    except XapiFailure as failure:
        return failure.code


async def management(pools: Pools, host: str) -> str:
    """The UUID of a host's management interface."""
    sessions = pools._pools[0].sessions
    ref = await sessions.read("host.get_by_uuid", pools.host(host).uuid)
    return str(await sessions.read("PIF.get_uuid", await sessions.read("host.get_management_interface", ref)))


async def test_an_sr_that_the_target_does_not_see_is_refused(pools: Pools) -> None:
    plan = await planned(pools, "centos54", local(pools, "xenserver1"))
    assert "target-seen" in stops(plan)
    assert "is not plugged on xenserver3, where centos54 is to be" in " ".join(said(one) for one in plan.blocked)


async def test_disks_that_stay_behind_must_be_seen_by_the_target(pools: Pools) -> None:
    goals = {"7": local(pools, "xenserver3")}
    vm, host = pools.vm("web-local").uuid, pools.host("xenserver3").uuid
    plan = await migrate_storage.plan(vm, host, goals, pools, ApprovalSettings())
    assert {"disks", "storage"} <= set(stops(plan))


async def test_with_nothing_to_copy_it_is_a_plain_migration(pools: Pools) -> None:
    plan = await planned(pools, "centos54", pools.sr("nfs-vhd").uuid)
    assert (plan.operation, plan.blocked) == ("migrate", ())


async def test_the_secret_of_the_receiving_host_is_asked_for_anew_and_ended_when_nobody_needs_it(
    lab: Datacentre, pools: Pools, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = await planned(pools)
    assert any(isinstance(one, Reception) for one in plan.steps[0].call.args)
    secrets: list[str] = []
    await arm(lab, "Async.VM.migrate_send", "drop", "before")
    parent = await pools.open_task(plan.pool, "xenbot job 1", "")
    with pytest.raises(OutcomeUnknown) as lost:
        await sent(pools, plan, parent)
    await lab.do({"do": "pause_tasks", "at": 0.3})
    task = await sent(pools, plan, parent)
    secrets = receiving(lab)
    assert len(set(secrets)) == 2
    await settled(lab, lambda _: guest(lab, "web-local")["operation"] == "migrate_send")
    view = await pools.task(plan.pool, task)
    facts = await pools.sending(pools.vm("web-local").uuid, pools.host("xenserver3").uuid, {})
    written = capfd.readouterr()
    shown = [str(lost.value), repr(view), repr(facts), repr(plan), written.out, written.err]
    shown.append(msgspec.json.encode(plan).decode())
    assert not [secret for secret in secrets for text in shown if secret in text]
    await lab.do({"do": "release_tasks"})
    async with asyncio.timeout(60):
        while view is None or view.status is TaskStatus.PENDING:
            view = await pools.wait(plan.pool, task, seen=view, at_most_s=1.0)
    for handle in (task, parent):
        await pools.close_task(plan.pool, handle)
    await settled(lab, lambda _: not receiving(lab))


def receiving(lab: Datacentre) -> list[str]:
    """The references of the sessions that hosts opened for senders; no call of the lab tells them."""
    opened = [one for pool in lab._pools for one in pool.sessions._open.values()]
    return [one.ref for one in opened if one.originator == "migrate_receive"]
