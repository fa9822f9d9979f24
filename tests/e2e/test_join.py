"""A host that wants to join a pool, through Slack's door: the two refusals of the story, and its success."""

from __future__ import annotations

from story_lab import StoryLab


async def test_a_host_of_another_vendor_is_refused_with_both_values_before_anyone_tries(lab: StoryLab) -> None:
    await lab.xen("pool-check join xenserver2 to experiment", who="viewer")
    card = await lab.sees("xenserver2 cannot join experiment", "CPU vendor", who="viewer", private=True)
    text = str(card)
    assert "AuthenticAMD" in text
    assert "GenuineIntel" in text
    assert "Running guests" in text, "every obstacle at once, not the first one alone"


async def test_a_host_of_another_version_is_refused_with_both_versions(lab: StoryLab) -> None:
    await lab.xen("pool-check join xenserver-fp1 to experiment", who="viewer")
    await lab.sees("xenserver-fp1 cannot join experiment", "9.0.0", "8.4.0", "same updates", who="viewer", private=True)


async def test_a_host_that_fits_can_join_and_every_rule_can_be_read(lab: StoryLab) -> None:
    await lab.xen("pool-check join xenserver4 to experiment", who="viewer")
    card = await lab.sees("xenserver4 can join experiment", "rules kept", who="viewer", private=True)
    await lab.press(card, "Show all", who="viewer")
    await lab.sees("SDN controller", "Storage drivers", "Trusted authorities", who="viewer", private=True)
