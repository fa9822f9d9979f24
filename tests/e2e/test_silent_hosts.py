"""A host that dies is told in the channel without anybody asking, and its return with the guests that are down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from story_lab import StoryLab, story_lab, strings

IMPATIENT = Path(__file__).parent / "impatient"


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StoryLab]:
    monkeypatch.setenv("PYTHONPATH", str(IMPATIENT))
    monkeypatch.setenv("IMPATIENT", "1")
    async with story_lab(tmp_path, "--speed", "60") as lab:
        yield lab


async def _told(lab: StoryLab, words: str) -> int:
    return sum(words in strings(one) and not one.get("is_ephemeral") for one in await lab.screen())


async def test_a_dead_host_is_told_once_and_its_return_with_a_start_for_the_guest_that_is_down(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="kill_host", host="xenserver3")
    card = await lab.sees("xenserver3 of experiment is silent since", "twin", "nobody restarts it", private=False)
    await lab.press(card, "Status")
    await lab.sees("xenserver3 is silent", private=True)
    # It comes back while the bot is down.
    await lab.lab("bot", do="kill")
    await lab.lab("datacentre", do="start_host", host="xenserver3")
    await lab.lab("bot", do="start")
    back = await lab.sees("xenserver3 of experiment answers again", "does not run anywhere now: twin", private=False)
    await lab.sees("xenserver3 of experiment was silent from", private=False)
    assert await _told(lab, "is silent since") == 0, "told once, and set right since"
    await lab.press(back, "Start")
    await lab.sees("Start twin", "Confirm")


async def test_a_dead_coordinator_is_told_as_a_pool_that_cannot_be_asked_and_can_be_muted(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="kill_host", host="xenserver1")
    card = await lab.sees("experiment cannot be asked since", "centos54", "No coordinator", private=False)
    await lab.press(card, "Mute for a day")
    await lab.sees("POOL_SILENT", "is not told of until", private=True)
    await lab.xen("unmute POOL_SILENT")
    await lab.sees("is told of again", private=True)
    await lab.lab("datacentre", do="start_host", host="xenserver1")
    await lab.sees("experiment can be asked again", "do not run anywhere now", "centos54", private=False)
    assert await _told(lab, "xenserver1 of experiment") == 0, "one message for all of it"
