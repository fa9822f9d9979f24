"""Starting, stopping and rebooting guests through Slack's door, the hard way as a request of its own."""

from __future__ import annotations

from typing import Any

from story_lab import StoryLab, strings


async def confirmed(lab: StoryLab, words: str, *title: str) -> dict[str, Any]:
    """The card of a command, after its requester has confirmed it."""
    await lab.xen(words)
    card = await lab.sees(*title, "Confirm", private=False)
    await lab.press(card, "Confirm")
    return card


async def disable_hosts(lab: StoryLab, *names: str) -> None:
    for host in (await lab.state())["hosts"]:
        if host["name"] in names:
            fields = {"class": "host", "uuid": host["uuid"], "field": "enabled", "value": False}
            await lab.lab("datacentre", do="set", **fields)


async def test_a_guest_is_shut_down_and_started_again_and_both_are_looked_at(lab: StoryLab) -> None:
    await confirmed(lab, "stop centos54 reason kernel update", "Shut down centos54", "kernel update", "medium")
    await lab.sees("centos54 is off", "Looked at: halted")
    assert (await lab.guest("centos54"))["power_state"] == "Halted"
    await lab.xen("stop centos54")
    await lab.sees("Nothing has to be done: centos54 is halted already", private=True)
    await confirmed(lab, "start centos54", "Start centos54", "It can run on xenserver1, xenserver3")
    await lab.sees("centos54 runs on xenserver")
    assert (await lab.guest("centos54"))["power_state"] == "Running"


async def test_a_guest_of_a_silent_host_is_stopped_only_with_a_warning_and_what_starts_it_again_is_told(
    lab: StoryLab,
) -> None:
    state = await lab.state()
    there = next(host["uuid"] for host in state["hosts"] if host["name"] == "xenserver3")
    guest = next(one for one in state["guests"] if one["host"] == there)
    pool = next(one for one in state["pools"] if one["name"] == "experiment")
    for cls, uuid in (("VM", guest["uuid"]), ("pool", pool["uuid"])):
        value = {"auto_poweron": "true"}
        await lab.lab(
            "datacentre", **{"do": "set", "class": cls, "uuid": uuid, "field": "other_config", "value": value}
        )
    await lab.lab("datacentre", do="kill_host", host="xenserver3")

    async def silent() -> bool:
        await lab.xen("status experiment")
        return any("xenserver3 is silent for" in strings(one) for one in await lab.screen())

    await lab.until(silent, "the silent host")
    await lab.xen(f"stop {guest['uuid']}")
    card = await lab.sees("Shut down", "has been silent since", "Confirm", private=False)
    told = strings(card)
    assert "the call may hang" in told
    assert "XAPI starts it again whenever the pool comes up" in told


async def test_a_reboot_counts_only_when_the_guest_has_booted_anew(lab: StoryLab) -> None:
    await confirmed(lab, "reboot centos54", "Reboot centos54", "starts again on the same host")
    await lab.sees("centos54 has rebooted")
    await lab.xen("status centos54")
    await lab.sees("centos54 is running on xenserver1", "Reboot centos54", "done", private=True)


async def test_a_guest_that_cannot_be_asked_is_stopped_the_hard_way_after_an_approval(lab: StoryLab) -> None:
    await lab.xen("stop winxp")
    refusal = await lab.sees("winxp cannot be shut down", "cannot be asked", "no PV drivers", private=True)
    await lab.press(refusal, "Plan: cut its power")
    card = await lab.sees("Cut the power of winxp", "like pulling the plug", "high risk", "Confirm", private=False)
    await lab.press(card, "Confirm")
    card = await lab.sees("Approval needed: Cut the power of winxp", "Approve")
    await lab.press(card, "Approve", who="approver")
    await lab.sees("winxp is off", private=False)
    assert (await lab.guest("winxp"))["power_state"] == "Halted"


async def test_a_suspended_guest_is_resumed(lab: StoryLab) -> None:
    await confirmed(lab, "start sleeper", "Resume sleeper")
    await lab.sees("sleeper runs on xenserver")


async def test_a_guest_that_fits_nowhere_is_told_why_host_by_host(lab: StoryLab) -> None:
    await confirmed(lab, "stop centos54", "Shut down centos54")
    await lab.sees("centos54 is off", private=False)
    await disable_hosts(lab, "xenserver1", "xenserver3")
    words = ("centos54 cannot be started", "xenserver1 is disabled", "xenserver3 is disabled")
    await lab.asks("start centos54", *words, private=True)


async def test_a_guest_that_does_not_obey_is_left_running_and_the_hard_way_is_offered(lab: StoryLab) -> None:
    fault = {
        "method": "Async.VM.clean_shutdown",
        "action": "fail",
        "when": "during",
        "error": ["VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT", "OpaqueRef:x"],
    }
    await lab.lab("datacentre", do="arm", fault=fault)
    await confirmed(lab, "stop centos54", "Shut down centos54")
    card = await lab.sees("did not answer the request to shut down", "centos54 is still running", private=False)
    await lab.press(card, "Plan: cut its power", who="operator2")
    await lab.sees("Cut the power of centos54", "Confirm", private=False)
    assert (await lab.guest("centos54"))["power_state"] == "Running"
