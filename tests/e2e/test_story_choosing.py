"""Where to: the best host without being named, another one by menu, the grid, and the CD that is in the way."""

from __future__ import annotations

from typing import Any

import pytest
from story_lab import StoryLab, story_lab, strings

WORLD = "large:4x40"


async def a_running_guest(lab: StoryLab) -> dict[str, Any]:
    state = await lab.state()
    names = {host["uuid"]: host["name"] for host in state["hosts"]}
    found = next(one for one in state["guests"] if one["power_state"] == "Running" and one["host"] in names)
    return {**found, "host": names[found["host"]]}


async def test_without_a_host_the_best_one_is_proposed_and_another_can_be_chosen(tmp_path_factory: Any) -> None:
    async with story_lab(tmp_path_factory.mktemp("large"), "--world", WORLD, "--speed", "50") as lab:
        guest = await a_running_guest(lab)
        await lab.xen(f"migrate {guest['uuid']}")
        card = await lab.sees("was chosen out of", "Confirm")
        before = strings(card)
        (menu,) = [menu for _, menu in lab.menus(card) if menu["action_id"] == "retarget"]
        other = menu["options"][-1]["text"]["text"]
        await lab.choose(card, other)
        card = await lab.sees(f"→ {other}", "Confirm")
        assert strings(card) != before
        await lab.press(card, "Confirm")
        await lab.sees("now runs on", other)
        state = await lab.state()
        names = {host["uuid"]: host["name"] for host in state["hosts"]}
        assert names[next(one["host"] for one in state["guests"] if one["uuid"] == guest["uuid"])] == other
        assert await lab.migrations() == 1


async def test_why_tells_what_would_open_the_other_host(lab: StoryLab) -> None:
    await lab.xen("why web-local", who="viewer")
    answer = await lab.sees("web-local can go to 0 of 1 other host", who="viewer", private=True)
    text = strings(answer)
    assert "The single change that opens another host:" in text
    assert "move the disk to nfs-vhd (shared, " in text
    await lab.xen("why centos54")
    await lab.press(await lab.sees("centos54 can go to 1 of 1 other host", private=True), "Plan: migrate")
    await lab.sees("xenserver3 is the only other host that can take centos54 now", "Confirm")


@pytest.mark.parametrize("words", ["migrate web-local", "migrate web-local to xenserver3"])
async def test_a_guest_that_fits_nowhere_is_refused_with_the_reasons_of_the_closest_host(
    lab: StoryLab, words: str
) -> None:
    await lab.xen(words)
    await lab.sees("web-local", "shared storage", "nfs-vhd", private=True)
