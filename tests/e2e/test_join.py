"""A host that wants to join a pool, through Slack's door: the two refusals of the story, and its success."""

from __future__ import annotations

from story_lab import StoryLab, strings


async def approved(lab: StoryLab) -> None:
    """The join of xenserver4 is asked for, confirmed, and approved by somebody else."""
    await lab.xen("pool-join xenserver4 to experiment", who="admin")
    card = await lab.sees("xenserver4 joins experiment", "After you confirm it", "Confirm", who="admin", private=False)
    await lab.press(card, "Confirm", who="admin")
    card = await lab.sees("Approval needed", "only by being wiped", who="approver", private=False)
    await lab.press(card, "Approve", who="approver")


async def test_a_host_is_judged_with_both_values_before_anyone_tries(lab: StoryLab) -> None:
    await lab.xen("pool-check join xenserver2 to experiment", who="viewer")
    card = await lab.sees("xenserver2 can never join experiment as it is", "CPU vendor", who="viewer", private=True)
    text = strings(card)
    assert "AuthenticAMD" in text
    assert "GenuineIntel" in text
    assert "Running guests" in text, "every obstacle at once, not the first one alone"
    await lab.xen("pool-check join xenserver-fp1 to experiment", who="viewer")
    await lab.sees("xenserver-fp1 cannot join experiment", "9.0.0", "8.4.0", "is newer", who="viewer", private=True)
    await lab.xen("pool-check join xenserver3 to experiment", who="viewer")
    await lab.sees("xenserver3 is a member of experiment already", "nothing has to be done", who="viewer", private=True)
    await lab.xen("pool-check join xenserver1 to xenserver4", who="viewer")
    card = await lab.sees("xenserver1 can never join xenserver4 as it is", "Running guests", who="viewer", private=True)
    assert strings(card).count("Fix: ") == 1, "nobody shuts a pool's guests down for a join that cannot be"
    await lab.xen("pool-check join xenserver4 to experiment", who="viewer")
    card = await lab.sees("xenserver4 can join experiment", "rules kept", who="viewer", private=True)
    await lab.press(card, "Show all", who="viewer")
    await lab.sees("SDN controller", "Storage drivers", "Trusted authorities", who="viewer", private=True)


async def test_a_host_that_fits_joins_and_its_entry_becomes_an_alias(lab: StoryLab) -> None:
    await approved(lab)
    await lab.sees("xenserver4 is a member of experiment", "Every shared storage", who="admin", private=False)
    await lab.xen("status", who="viewer")
    card = await lab.sees("xenserver4: 0 guests", who="viewer", private=True)
    assert "xenserver4: no host silent" not in strings(card), "no pool of its own any more"
    assert "xenserver4: lost" not in strings(card)
    async with lab.http.get(f"{lab.info['web']}/metrics") as answer:
        measured = await answer.text()
    assert 'feed_age_seconds{pool="experiment"}' in measured
    assert 'feed_age_seconds{pool="xenserver4"}' not in measured
    await lab.xen("pool-join xenserver4 to experiment", who="admin")
    await lab.sees("xenserver4 is a member of experiment", "Nothing has to be done", who="admin", private=True)
    await lab.xen("migrate centos54 to xenserver4")
    await lab.sees("Migrate centos54: xenserver1 → xenserver4", "Confirm", private=False)
    # The pool is followed when its new member becomes the coordinator, by the entry that the member came with.
    await lab.lab("datacentre", do="move_coordinator", host="xenserver4", pool="experiment")

    async def followed() -> bool:
        await lab.xen("status xenserver4", who="viewer")
        return any("xenserver4: coordinator" in strings(one) for one in await lab.screen("viewer"))

    await lab.until(followed, "xenserver4 as the coordinator")
    await lab.xen("migrate winxp to xenserver4")
    await lab.sees("winxp cannot be migrated to xenserver4", private=True)
