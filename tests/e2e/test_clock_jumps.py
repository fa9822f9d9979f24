"""The clock of the bot's machine is set while a job waits or runs: nothing runs twice, nothing too old is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from story_lab import story_lab, strings
from test_bad_days import moving, release, start

JUMPING = Path(__file__).parent / "jumping"
DAY_S = 86_400


async def test_a_clock_that_jumps_expires_what_waited_and_disturbs_nothing_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("PYTHONPATH", str(JUMPING))
    monkeypatch.setenv("WALL_CLOCK", str(clock))
    async with story_lab(tmp_path, "--speed", "8") as lab:
        await lab.xen("migrate centos54 to xenserver3")
        card = await lab.sees("Migrate centos54", "Confirm", "Withdraw")
        clock.write_text(str(3 * DAY_S))
        await lab.press(card, "Confirm")
        await lab.sees("Expired without a decision", "Ask again", private=False)
        assert await lab.migrations() == 0
        card = await start(lab)
        await moving(lab)
        clock.write_text(str(-DAY_S))
        await release(lab)
        done = await lab.sees("centos54 now runs on xenserver3")
        assert (await lab.guest("centos54"))["host"] == "xenserver3"
        assert await lab.migrations() == 1
        assert not re.search(r"[-−]\d+ (s|min|h|d)\b", strings(done))
        await lab.xen("audit verify")
        await lab.sees("The audit trail is whole", private=True)
