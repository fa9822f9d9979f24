"""Every rule of a join through Slack's door: broken in the lab, named with both values and the fix; mended, gone.

Both simulators run in this process, so that what `join_cases` breaks, for this test and for that of XAPI's refusals, is
broken in the records of this very datacentre. The bot is the shipped one in a process of its own, and what it says to
them goes over the real protocols.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from broken_pool import answer
from join_cases import CASES
from join_changes import broken
from story_lab import StoryLab

from bot.domain.plan import Grade
from bot.lab.launch import Lab, LabOptions
from bot.slack.manifest import manifest


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Lab]:
    whole = Lab(LabOptions(port=0, xapi_port=0, manifest=manifest()), tmp_path)
    async with whole.running():
        await whole.start_bot()
        yield whole


def lines(message: dict[str, Any]) -> list[str]:
    """What a message says beside its buttons and tables, line by line."""
    sections = [section for block in message["blocks"] if block["type"] == "rich_text" for section in block["elements"]]
    return ["".join(part["text"] for part in section["elements"]) for section in sections]


async def judged(lab: StoryLab, host: str, expected: list[str]) -> dict[str, Any]:
    """The answer whose lines below the verdict are these; facts take a moment from the pool to the bot."""
    said: list[str] = []

    async def look() -> dict[str, Any] | None:
        message = await answer(lab, f"pool-check join {host} to experiment", "rules kept")
        said[:] = lines(message)
        return message if said[1:] == expected else None

    try:
        return await lab.until(look, f"a join with {expected}")
    except AssertionError as never:
        raise AssertionError(f"{said} instead of: {never}") from None


@pytest.mark.timeout(300)
async def test_each_broken_rule_is_named_with_both_values_and_the_fix_and_gone_once_it_is_mended(whole: Lab) -> None:
    async with aiohttp.ClientSession() as http:
        lab = StoryLab(http, whole.describe())
        for case in CASES:
            # What was broken before is mended now, and this answer says no word of it.
            with broken(whole.datacentre, case.breaks):
                card = await judged(lab, case.host, case.lines)
            assert lab.has_button(card, "Plan: join") is (case.grade is not Grade.BLOCKED), case.what
        await judged(lab, "xenserver4", ["Nothing was tried. XAPI looks once more when it joins."])
        card = await answer(lab, "pool-check join xenserver4 to experiment all", "rules kept")
    (table,) = [block for block in card["blocks"] if block["type"] == "table"]
    assert {row[0]["text"].removeprefix("✓ ") for row in table["rows"][1:]} == {case.rule for case in CASES}
