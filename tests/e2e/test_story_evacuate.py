"""A host is emptied for maintenance: what goes, what stays, and what is true when it ends half-way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, story_lab, strings

GUESTS = ("web1", "web2", "web3", "web4", "web5")
WORLD = """
[cpus.intel]
vendor = "GenuineIntel"
model_name = "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz"
features_hvm = "1fcbfbff-f7fa3223-2d93fbff-00000523"
features_pv = "1fc9cbf5-f6f83203-2991cbf5-00000123"

[versions.xenserver-8]
product_brand = "XenServer"
product_version = "8.4.0"
product_version_text = "8"
platform_version = "3.4.0"
xapi_build = "24.16.0"
build_number = "cloud-24160"
api_minor = 21
date = "2024-07-18"

[[pools]]
name = "production"
coordinator = "beta"

[[storage]]
name = "nfs"
pool = "production"
type = "nfs"
size_gib = 2048
device_config = { server = "nfsserver", serverpath = "/exports/vms" }
default = true
"""


def _world() -> str:
    hosts = [
        f'[[hosts]]\nname = "{name}"\nnumber = {number}\npool = "production"\ncpu = "intel"\nversion = "xenserver-8"\n'
        for number, name in enumerate(("alpha", "beta", "gamma"), start=1)
    ]
    guests = [
        f'[[guests]]\nname = "{name}"\nhost = "alpha"\nmemory_mib = {256 * number}\naddress = {10 + number}\n'
        'disks = [{ storage = "nfs", size_gib = 8 }]\n'
        for number, name in enumerate(GUESTS, start=1)
    ]
    return "\n".join([WORLD, *hosts, *guests])


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[StoryLab]:
    """Three hosts, five guests on the first, all of them fit to go."""
    world = tmp_path / "three.toml"
    world.write_text(_world())
    async with story_lab(tmp_path, "--speed", "8", "--world", str(world)) as lab:
        yield lab


async def begun(lab: StoryLab, text: str = "evacuate alpha") -> dict[str, Any]:
    await lab.xen(text)
    card = await lab.sees("Evacuate", "Confirm", private=False)
    await lab.press(card, "Confirm")
    return card


async def at(lab: StoryLab) -> dict[str, str | None]:
    return {name: (await lab.guest(name))["host"] for name in GUESTS}


async def several(lab: StoryLab) -> None:
    """Until more than one migration is on its way."""

    async def moving() -> bool:
        return sum(one["operation"] is not None for one in (await lab.state())["guests"]) > 1

    await lab.until(moving, "several migrations on their way")


async def enabled(lab: StoryLab, name: str) -> bool:
    return next(host["enabled"] for host in (await lab.state())["hosts"] if host["name"] == name)


async def test_a_host_is_disabled_emptied_and_looked_at(three: StoryLab) -> None:
    await three.xen("evacuate alpha")
    card = await three.sees("Evacuate alpha", "5 guests move", "Confirm", private=False)
    told = strings(card)
    assert "web5" in told
    assert "alpha takes no guests from then on" in told
    await three.press(card, "Confirm")
    await three.sees("alpha is disabled and empty", private=False)
    assert "alpha" not in (await at(three)).values()
    assert not await enabled(three, "alpha")
    assert await three.migrations() == len(GUESTS)
    # Spread over both others: the roomiest takes the next.
    assert set((await at(three)).values()) == {"beta", "gamma"}


async def test_a_migration_that_fails_ends_it_partly_and_continue_moves_the_rest(three: StoryLab) -> None:
    fault = {"method": "Async.VM.pool_migrate", "when": "before", "action": "fail", "times": 1}
    await three.lab("datacentre", do="arm", fault=fault)
    await begun(three)
    card = await three.sees("alpha is DISABLED", "of 5 moved", "Not done", "Continue", private=False)
    assert not await enabled(three, "alpha")
    # How many others were let begin before the failure was certain is a matter of time; what is told of them is not.
    left = list((await at(three)).values()).count("alpha")
    assert 1 <= left < len(GUESTS)
    assert f"alpha is DISABLED, {len(GUESTS) - left} of 5 moved" in strings(card)
    await three.press(card, "Continue")
    moves = "1 guest moves" if left == 1 else f"{left} guests move"
    again = await three.sees(f"Evacuate alpha: {moves}", "already", "Confirm", private=False)
    await three.press(again, "Confirm")
    await three.sees("alpha is disabled and empty", private=False)
    assert "alpha" not in (await at(three)).values()
    assert await three.migrations() == len(GUESTS)


async def test_after_a_half_way_end_the_host_can_be_enabled_by_a_request_of_its_own(three: StoryLab) -> None:
    fault = {"method": "Async.VM.pool_migrate", "when": "before", "action": "fail", "times": 1}
    await three.lab("datacentre", do="arm", fault=fault)
    await begun(three)
    card = await three.sees("alpha is DISABLED", "Enable", private=False)
    await three.press(card, "Enable")
    ask = await three.sees("Enable alpha", "Confirm", private=False)
    assert not await enabled(three, "alpha")
    await three.press(ask, "Confirm")
    await three.sees("alpha is enabled", private=False)
    assert await enabled(three, "alpha")


async def test_a_refused_disable_has_changed_nothing(three: StoryLab) -> None:
    fault = {"method": "Async.host.disable", "when": "before", "action": "fail", "times": 1}
    await three.lab("datacentre", do="arm", fault=fault)
    await begun(three)
    await three.sees("Failed", "alpha is enabled", "Ask again", private=False)
    assert await three.migrations() == 0


async def test_a_guest_that_goes_down_beside_others_that_move_is_on_the_card_at_once(three: StoryLab) -> None:
    await three.lab("datacentre", do="pause_tasks", at=0.4)
    await begun(three)
    await several(three)
    going = [one for one in (await three.state())["guests"] if one["operation"] is not None]
    name, uuid = going[0]["name"], going[0]["uuid"]
    change = {"class": "VM", "uuid": uuid, "field": "actions_after_crash", "value": "destroy"}
    await three.lab("datacentre", do="set", **change)
    await three.lab("datacentre", do="crash_guest", guest=name)
    await three.sees("Evacuating alpha", f"GUEST IS DOWN: {name} is halted", "Under way", private=False)
    others = {one["name"]: one["operation"] for one in (await three.state())["guests"] if one["name"] != name}
    assert any(others.values())


async def test_kill_9_in_the_middle_repeats_and_loses_nothing(three: StoryLab) -> None:
    await three.lab("datacentre", do="pause_tasks", at=0.4)
    await begun(three)
    await several(three)
    await three.lab("bot", do="kill")
    await three.lab("datacentre", do="release_tasks")
    await three.lab("bot", do="start")
    await three.sees("alpha is disabled and empty", private=False)
    assert await three.migrations() == len(GUESTS)


async def test_cancel_reaches_every_migration_and_says_that_the_host_is_disabled(three: StoryLab) -> None:
    await three.lab("datacentre", do="pause_tasks", at=0.4)
    await begun(three)
    await several(three)
    card = await three.sees("Evacuating alpha", "steps done", "Cancel", private=False)
    await three.press(card, "Cancel")
    # They stand still all the while: released, one might arrive before the pool hears of the wish.
    await three.sees("alpha is DISABLED", "0 of 5 moved", "Not done", "Continue", private=False)
    assert list((await at(three)).values()).count("alpha") == len(GUESTS)


async def test_where_some_cannot_go_the_others_are_offered_as_a_plan_of_their_own(lab: StoryLab) -> None:
    await lab.xen("evacuate xenserver1")
    refusal = await lab.sees("xenserver1 cannot be emptied", "3 of 7 guests", "web-local", "winxp", "db1", private=True)
    await lab.press(refusal, "Plan: only the 4 that can go")
    card = await lab.sees("Evacuate xenserver1", "4 guests move", "it stays", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("xenserver1 is disabled: 4 moved, 3 stay as planned", private=False)
    assert (await lab.guest("web-local"))["host"] == "xenserver1"
    assert (await lab.guest("centos54"))["host"] == "xenserver3"


async def test_after_its_maintenance_a_host_gets_its_guests_back(three: StoryLab) -> None:
    await begun(three)
    empty = await three.sees("alpha is disabled and empty", "Return", private=False)
    await three.press(empty, "Return")
    card = await three.sees("Return alpha", "5 guests come home", "Confirm", private=False)
    assert not await enabled(three, "alpha")
    await three.press(card, "Confirm")
    await three.sees("alpha is enabled, 5 of 5 are home", private=False)
    assert set((await at(three)).values()) == {"alpha"}
    assert await enabled(three, "alpha")
    await three.xen("return alpha")
    await three.sees("No evacuation of alpha by xenbot is known", private=True)


async def test_a_return_that_ends_partly_says_who_is_home_and_continue_brings_the_rest(three: StoryLab) -> None:
    await begun(three)
    empty = await three.sees("alpha is disabled and empty", "Return", private=False)
    fault = {"method": "Async.VM.pool_migrate", "when": "before", "action": "fail", "times": 1}
    await three.lab("datacentre", do="arm", fault=fault)
    await three.press(empty, "Return")
    await three.press(await three.sees("Return alpha", "5 guests come home", "Confirm", private=False), "Confirm")
    card = await three.sees("alpha is enabled", "of 5 are home", "Not done", "Continue", private=False)
    home = list((await at(three)).values()).count("alpha")
    assert 0 < home < len(GUESTS)
    assert f"alpha is enabled, {home} of 5 are home" in strings(card)
    assert await enabled(three, "alpha")
    await three.press(card, "Continue")
    left = len(GUESTS) - home
    comes = "1 guest comes home" if left == 1 else f"{left} guests come home"
    again = await three.sees(f"Return alpha: {comes}", "Confirm", private=False)
    await three.press(again, "Confirm")
    await three.sees(f"alpha is enabled, {left} of {left} are home", private=False)
    assert set((await at(three)).values()) == {"alpha"}


async def test_a_spare_host_is_closed_and_opened_again_without_moving_anybody(three: StoryLab) -> None:
    await three.xen("evacuate gamma")
    card = await three.sees("Evacuate gamma: 0 guests move", "After that, by memory", "Confirm", private=False)
    await three.press(card, "Confirm")
    done = await three.sees("gamma is disabled and empty", private=False)
    assert not await enabled(three, "gamma")
    await three.press(done, "Enable")
    await three.press(await three.sees("Enable gamma", "Confirm", private=False), "Confirm")
    await three.sees("gamma is enabled", private=False)
    assert await enabled(three, "gamma")
    assert await three.migrations() == 0


async def test_an_evacuation_leaves_room_at_its_host_for_what_others_move(three: StoryLab) -> None:
    await three.lab("datacentre", do="pause_tasks", at=0.4)
    for name, to in (("web1", "beta"), ("web2", "gamma")):
        await three.xen(f"migrate {name} to {to}")
        await three.press(await three.sees(f"Migrate {name}", "Confirm", private=False), "Confirm")
        await three.sees(f"Migrating {name}", private=False)

    async def moving(count: int) -> bool:
        return sum(one["operation"] is not None for one in (await three.state())["guests"]) == count

    await three.until(lambda: moving(2), "two guests on their way")
    await three.xen("evacuate alpha movable")
    await three.press(await three.sees("Evacuate alpha", "3 guests move", "Confirm", private=False), "Confirm")
    await three.sees("Evacuating alpha", "1 of 4 steps done", private=False)
    await three.until(lambda: moving(3), "one guest more on its way")
    # Its card is edited while it watches that one guest: it has found nothing else to begin.
    await three.sees("Evacuating alpha", "web5 → ", "under way", private=False)
    assert await moving(3)
    await three.lab("datacentre", do="release_tasks")
    await three.sees("alpha is disabled", private=False)
    assert "alpha" not in (await at(three)).values()
