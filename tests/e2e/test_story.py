"""The story of the first migration, as people live it."""

from __future__ import annotations

import asyncio

from story_lab import StoryLab, strings


async def test_a_low_risk_migration_is_confirmed_runs_and_is_looked_at(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm")
    await lab.press(card, "Confirm")
    done = await lab.sees("centos54 now runs on xenserver3", "Move back")
    assert done["ts"] == card["ts"]
    assert (await lab.guest("centos54"))["host"] == "xenserver3"
    await lab.sees("centos54 now runs on xenserver3", thread_ts=card["ts"])
    await lab.xen("audit")
    await lab.sees("succeed", "centos54", private=True)
    await lab.xen("audit verify")
    await lab.sees("The audit trail is whole", private=True)
    assert await lab.migrations() == 1

    async def tidied() -> bool:
        return not [task for task in (await lab.state())["tasks"] if "xenbot" in task["name"]]

    await lab.until(tidied, "a pool without labels of ours")


async def test_what_cannot_be_done_is_refused_with_its_reason_and_a_way_out(lab: StoryLab) -> None:
    await lab.xen("migrate web-local to xenserver3")
    await lab.sees("web-local", "shared storage", "xenserver3", private=True)
    await lab.xen("migrate db1 to xenserver3")
    await lab.sees("db1", "not enough memory", private=True)
    await lab.xen("migrate centos54 to xenserver2")
    await lab.sees("centos54", "another pool", private=True)
    await lab.xen("migrate winxp to xenserver3")
    await lab.sees("winxp", "drivers", private=True)
    assert await lab.migrations() == 0


async def make_db1_fit(lab: StoryLab) -> None:
    guest = await lab.guest("db1")
    small = str(4 << 30)
    for field in ("memory_dynamic_min",):
        await lab.lab("datacentre", do="set", **{"class": "VM", "uuid": guest["uuid"], "field": field, "value": small})
    await lab.asks("why db1", "db1 can go to 1 of 1 other host", who="viewer", private=True)


async def test_a_risky_migration_waits_for_another_person(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3 reason kernel update")
    card = await lab.sees("Migrate db1", "critical", "kernel update")
    await lab.press(card, "Confirm")
    card = await lab.sees("Approval needed", "db1", "Approve")
    await lab.press(card, "Approve")
    await lab.sees("someone else has to approve", private=True)
    assert (await lab.guest("db1"))["host"] == "xenserver1"
    await lab.press(card, "Approve", who="approver")
    await lab.sees("db1 now runs on xenserver3")
    assert (await lab.guest("db1"))["host"] == "xenserver3"
    await lab.xen("audit")
    await lab.sees("approve", private=True)


async def test_a_viewer_may_look_and_others_not_even_that(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3", who="viewer")
    await lab.sees("You may look, but not change", who="viewer", private=True)
    await lab.xen("status", who="viewer")
    await lab.sees("experiment", who="viewer", private=True)
    for stranger, why in (("guest", "guests may not use me"), ("outsider", "you belong to another one")):
        await lab.xen("status", who=stranger)
        await lab.sees(why, who=stranger, private=True)
        assert not any("xenserver1" in strings(message) for message in await lab.screen(stranger))


async def test_hostile_names_are_shown_as_text(lab: StoryLab) -> None:
    await lab.xen("migrate <!channel> & *bold* to xenserver3")
    card = await lab.sees("Migrate <!channel> & *bold*", "Confirm")
    for block in card["blocks"]:
        for element in block.get("elements", []):
            for piece in element.get("elements", []):
                assert piece["type"] != "broadcast"
    assert "<!channel>" not in card["text"]
    await lab.press(card, "Confirm")
    await lab.sees("<!channel> & *bold* now runs on xenserver3")


async def test_a_name_that_means_two_guests_is_asked_back(lab: StoryLab) -> None:
    await lab.xen("migrate twin to xenserver3")
    question = await lab.sees("twin", "Which one", private=True)
    await lab.choose(question, "xenserver1")
    await lab.sees("Migrate twin", "Confirm", private=False)


async def test_a_double_click_and_two_approvers_run_a_job_once(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3")
    card = await lab.sees("Migrate db1", "Confirm")
    await asyncio.gather(lab.press(card, "Confirm"), lab.press(card, "Confirm"))
    card = await lab.sees("Approval needed", "Approve")
    await asyncio.gather(lab.press(card, "Approve", who="approver"), lab.press(card, "Approve", who="approver2"))
    await lab.sees("db1 now runs on xenserver3")
    assert await lab.migrations() == 1


async def test_a_freeze_stops_new_work_and_ends(lab: StoryLab) -> None:
    await lab.xen("freeze storage work", who="admin")
    await lab.sees("Frozen", who="admin", private=True)
    await lab.sees("Frozen by", "storage work", private=False)
    await lab.xen("migrate centos54 to xenserver3")
    await lab.sees("frozen", private=True)
    await lab.xen("unfreeze", who="admin")
    await lab.sees("freeze is over", who="admin", private=True)
    await lab.sees("ended the freeze", private=False)
    await lab.xen("migrate centos54 to xenserver3")
    await lab.sees("Migrate centos54", "Confirm")


async def test_move_back_is_a_request_of_its_own_and_brings_the_guest_home(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3 reason cooling fails")
    await lab.press(await lab.sees("Migrate centos54", "Confirm"), "Confirm")
    await lab.press(await lab.sees("centos54 now runs on xenserver3", "Move back"), "Move back")
    card = await lab.sees(
        "Migrate centos54: xenserver3 → xenserver1", "way back of job 1", "the last one of this size took", "Confirm"
    )
    assert "cooling" not in strings(card)
    assert (await lab.guest("centos54"))["host"] == "xenserver3"
    await lab.press(card, "Confirm")
    await lab.sees("centos54 now runs on xenserver1")
    assert (await lab.guest("centos54"))["host"] == "xenserver1"
