"""A schedule is approved once and then runs by itself, also for the runs that it missed; through Slack's door."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from story_lab import StoryLab, strings

DAY = 86_400.0


async def in_force(lab: StoryLab, words: str, *seen: str) -> None:
    card = await lab.asks(words, "Back up", "daily at", *seen, "Confirm", who="admin")
    await lab.press(card, "Confirm", who="admin")
    await lab.press(await lab.sees("Approval needed", "it runs by itself"), "Approve", who="approver")
    await lab.sees("is in force", "Next run")


def rows(lab: StoryLab, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(lab.info["store"])) as store:
        store.row_factory = sqlite3.Row
        return store.execute(query).fetchall()


async def later(lab: StoryLab, days: float) -> None:
    """The bot is down until so many days after its schedules' next runs: they are moved back by that instead."""
    await lab.lab("bot", do="kill")
    with closing(sqlite3.connect(lab.info["store"])) as store, store:
        store.execute("UPDATE schedules SET next_run = next_run - ?", [days * DAY])
    await lab.lab("bot", do="start")


async def test_a_schedule_is_approved_once_and_makes_up_once_for_what_it_missed(lab: StoryLab) -> None:
    await lab.xen("schedule backup centos54 daily 03:00", who="operator")
    await lab.sees("you have", "admin role", private=True)
    await in_force(lab, "schedule backup centos54 daily 03:00 keep 7d/4w", "centos54", "7d/4w")
    # A check only looks: whoever asks for it needs nobody's approval.
    await lab.xen("schedule pool-check experiment daily 04:00", who="admin")
    await lab.press(await lab.sees("Check experiment", "daily at", "Confirm", who="admin"), "Confirm", who="admin")
    await lab.sees("is in force: the check of experiment", "Next run")
    await lab.lab("datacentre", do="unplug_pbd", sr="nfs-vhd", host="xenserver3")
    await later(lab, 4)
    await lab.sees("experiment: 1 thing needs you", "first look", "nfs-vhd is not attached to xenserver3", "Attach")
    await lab.sees("Backed up centos54", "schedule:1", "verified")
    await lab.xen("schedule list", who="viewer")
    await lab.sees("2 schedules", "centos54", "3 runs were missed", who="viewer", private=True)
    await lab.xen("backups centos54")
    await lab.sees("1 backup of centos54", "1 found whole", private=True)
    archive = Path(lab.info["store"]).with_name("backups")
    assert any('"keep":"7d/4w"' in one.read_text().replace(" ", "") for one in archive.rglob("*.json"))
    assert [row["requester"] for row in rows(lab, "SELECT requester FROM jobs WHERE operation = 'backup'")] == [
        "schedule:1"
    ]
    assert rows(lab, "SELECT next_run - strftime('%s', 'now') AS left FROM schedules")[0]["left"] > 0
    await lab.lab("bot", do="kill")
    with closing(sqlite3.connect(lab.info["store"])) as store, store:
        store.execute("UPDATE settings SET value = value - ? WHERE key = 'schedules_summed'", [DAY])
        store.execute("UPDATE schedules SET next_run = strftime('%s', 'now') - 1.0 WHERE number = 2")
    await lab.lab("datacentre", do="plug_pbd", sr="nfs-vhd", host="xenserver3")
    await lab.lab("bot", do="start")
    await lab.sees("experiment:", "1 gone", "No longer so: nfs-vhd is not attached to xenserver3", private=False)
    await lab.sees("Backups: 1 thing needs you", "3 runs were missed", "1 made and verified", private=False)
    await lab.xen("audit by schedule:1")
    await lab.sees("schedule:run", "job:confirm", private=True)


async def test_guests_that_cannot_be_backed_up_stop_no_other_and_a_schedule_at_rest_does_not_run(lab: StoryLab) -> None:
    for name in ("centos54", "winxp"):
        uuid = (await lab.guest(name))["uuid"]
        await lab.lab("datacentre", do="set", **{"class": "VM", "uuid": uuid, "field": "tags", "value": ["nightly"]})

    async def known() -> bool:
        await lab.xen("vms tag nightly")
        return any("2 guests, 2 running" in strings(one) for one in await lab.screen())

    await lab.until(known, "the tags in the live inventory")
    blocked = {"snapshot": "the disks are being copied"}
    winxp = (await lab.guest("winxp"))["uuid"]
    await lab.lab(
        "datacentre", do="set", **{"class": "VM", "uuid": winxp, "field": "blocked_operations", "value": blocked}
    )
    told = ("winxp", "could not be backed up now", "the disks are being copied")
    await in_force(lab, "schedule backup tag:nightly daily 03:00", "nightly", "centos54, winxp", *told)
    await later(lab, 1)
    await lab.sees("Backed up centos54", "schedule:1", "verified")
    await lab.xen("schedule list")
    await lab.sees("winxp was left out", "the disks are being copied", private=True)
    await lab.xen("schedule pause 1", who="admin")
    await lab.sees("rests", "nightly", who="admin", private=True)
    await later(lab, 1)
    await lab.xen("schedule list")
    await lab.sees("1 paused", private=True)
    await lab.xen("schedule resume 1", who="admin")
    await lab.sees("runs again", "nightly", who="admin", private=True)
    # What fell into its rest is not made up for.
    await lab.xen("schedule remove 1", who="admin")
    await lab.sees("is removed", "Its backups stay", who="admin", private=True)
    await lab.xen("schedule list")
    await lab.sees("No schedule is in force", private=True)
    assert len(rows(lab, "SELECT * FROM jobs WHERE operation = 'backup'")) == 1
    assert not any("winxp now" in strings(one) for one in await lab.screen())
