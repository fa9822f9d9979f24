"""Whoever reads of a job is led to its card, through Slack's door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from story_lab import StoryLab
from test_dialogues import home


def addresses(node: Any) -> Iterator[str]:
    """Every address that can be followed in a message."""
    if isinstance(node, dict):
        if node.get("type") == "link":
            yield node["url"]
        for value in node.values():
            yield from addresses(value)
    elif isinstance(node, list):
        for one in node:
            yield from addresses(one)


async def test_a_waiting_card_is_linked_from_lists_home_and_refusals(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm", private=False)
    address = f"/archives/{lab.ops}/p{card['ts'].replace('.', '')}"

    async def led(text: str, *words: str) -> bool:
        await lab.xen(text)
        answer = await lab.sees(*words, private=True)
        return any(one.endswith(address) for one in addresses(answer["blocks"]))

    # Where the card is, is asked of Slack once it is there.
    job = await lab.asks("job 1", "Asked by", "the card of job 1", private=True)
    assert any(one.endswith(address) for one in addresses(job["blocks"]))
    assert await led("jobs", "1 waits for someone", "Migrate centos54")
    assert await led("migrate centos54 to xenserver3", "Job 1 asks for that already", "the card of job 1")
    assert await led("status", "experiment", "Migrate centos54")
    await lab.call("lab.home", "operator")
    assert any(one.endswith(address) for one in addresses((await home(lab, "Migrate centos54"))["blocks"]))
    # Nobody else's card, and no job at all, are no dead ends either.
    await lab.xen("job 4711")
    await lab.sees("no job called “4711”", "/xen jobs", private=True)
    await lab.xen("cancel 1")
    await lab.sees("Job 1 is withdrawn", private=True)
    await lab.xen("cancel 1")
    await lab.sees("Job 1 cannot be cancelled", "/xen job 1", private=True)
    await lab.xen("audit by xenbot since 2020-01-01 until 2020-01-02")
    await lab.sees("0 entries", "Nothing fits all of that", private=True)
