"""Approval in the whole lab: broken glass is loud, and a rule of the day names who is missing."""

from __future__ import annotations

from typing import Any

import pytest
from story_lab import StoryLab, story_lab, strings
from test_story import make_db1_fit


async def test_broken_glass_moves_the_guest_alone_and_reaches_every_approver(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3 reason host1 is on fire", who="admin")
    await lab.press(await lab.sees("Migrate db1", "on fire", "Confirm", who="admin"), "Confirm", who="admin")
    card = await lab.sees("Approval needed", "Break glass")
    await lab.press(card, "Break glass")
    await lab.sees("you need the break-glass role", private=True)
    await lab.press(card, "Break glass", who="admin")
    done = await lab.sees("db1 now runs on xenserver3", "NOT APPROVED")
    assert done["ts"] == card["ts"]
    assert (await lab.guest("db1"))["host"] == "xenserver3"
    await lab.sees("Glass broken", "on fire", who="viewer", private=False)

    async def told() -> bool:
        seen = await lab.call("lab.screen", "approver")
        return "Glass broken" in strings([one for one in seen["messages"] if one.get("channel", lab.ops) != lab.ops])

    await lab.until(told, "the alarm in the approver's own messages")
    await lab.xen("audit")
    await lab.sees("break-glass", private=True)


CROWD = 20


@pytest.mark.long
async def test_twenty_approved_moves_to_one_host_do_not_make_each_other_stale(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = tmp_path_factory.mktemp("crowd")
    async with story_lab(data, "--world", "large:2x40", "--speed", "50") as lab:
        state = await lab.state()
        names = {host["uuid"]: host["name"] for host in state["hosts"]}
        start, *_, end = sorted(names, key=names.__getitem__)
        running = [one for one in state["guests"] if one["host"] == start and one["power_state"] == "Running"]
        crowd = [one["uuid"] for one in running[:CROWD]]
        assert len(crowd) == CROWD
        for uuid in crowd:
            change = {"class": "VM", "uuid": uuid, "field": "tags", "value": ["critical"]}
            await lab.lab("datacentre", do="set", **change)

        async def cards(who: str, label: str) -> list[dict[str, Any]]:
            return [one for one in await lab.screen(who) if buttons(one) >= {label} and not one.get("is_ephemeral")]

        async def pressed(who: str, label: str) -> bool:
            for card in await cards(who, label):
                await lab.press(card, label, who)
            return not await cards(who, label)

        for uuid in crowd:
            await lab.xen(f"migrate {uuid} to {names[end]}")

        async def asked() -> bool:
            return len(await cards("operator", "Confirm")) == CROWD

        await lab.until(asked, "all cards")
        await lab.until(lambda: pressed("operator", "Confirm"), "all confirmed")

        async def waiting() -> bool:
            return len(await cards("approver", "Approve")) == CROWD

        await lab.until(waiting, "all waiting for approval")
        await lab.until(lambda: pressed("approver", "Approve"), "all approved")

        async def moved() -> bool:
            guests = {one["uuid"]: one["host"] for one in (await lab.state())["guests"]}
            return all(guests[uuid] == end for uuid in crowd)

        async def told() -> bool:
            return sum("now runs on" in strings(one) for one in await lab.screen()) == CROWD

        await lab.until(moved, "all moved")
        await lab.until(told, "all told")
        assert not any("Not started" in strings(one) for one in await lab.screen())


async def test_a_target_that_filled_up_after_the_approval_makes_it_stale_and_says_so(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3")
    await lab.press(await lab.sees("Migrate db1", "Confirm"), "Confirm")
    card = await lab.sees("Approval needed", "Approve")
    state = await lab.state()
    there = next(host["uuid"] for host in state["hosts"] if host["name"] == "xenserver3")
    other = next(one["uuid"] for one in state["guests"] if one["host"] == there and one["power_state"] == "Running")
    for field in ("memory_static_max", "memory_dynamic_max", "memory_dynamic_min"):
        change = {"class": "VM", "uuid": other, "field": field, "value": str(60 << 30)}
        await lab.lab("datacentre", do="set", **change)
    await lab.press(card, "Approve", who="approver")
    stale = await lab.sees("Not started", "Not enough memory", "Ask again")
    assert stale["ts"] == card["ts"]
    assert await lab.migrations() == 0


def buttons(message: dict[str, Any]) -> set[str]:
    return {
        element["text"]["text"]
        for block in message["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "button"
    }


async def test_the_card_says_whether_the_pool_survives_and_why_it_is_risky(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3")
    card = await lab.sees("Migrate db1", "Confirm")
    text = strings(card)
    assert "high risk" in text
    assert "tagged critical" in text
    assert "the pool still survives the loss of any one host" in text
