"""The bot as the lab's child: what is seen of it when it does not come up."""

import asyncio
import os
from pathlib import Path

import pytest

from bot.lab.bot_process import BotFailedError, BotProcess


def make_bot(folder: Path, changes: list[None]) -> BotProcess:
    return BotProcess(
        config=folder / "no-such-file.toml",
        environment=dict(os.environ),
        log=folder / "bot.log",
        web="http://127.0.0.1:9",
        serving=lambda: (),
        changed=lambda: changes.append(None),
    )


async def test_a_bot_that_ends_at_once_is_reported_with_its_last_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    changes: list[None] = []
    bot = make_bot(tmp_path, changes)
    try:
        with pytest.raises(BotFailedError, match="ended by itself with exit code 2") as caught:
            await bot.start()
    finally:
        await bot.stop()
    log = (tmp_path / "bot.log").read_text().splitlines()
    assert log
    assert log[-1] in str(caught.value)
    assert (bot.state.alive, bot.state.ready, bot.state.pid) == (False, False, None)
    assert "ended by itself" in (bot.state.ended or "")
    assert "The bot ended by itself with exit code 2." in capfd.readouterr().err
    assert len(changes) >= 2


async def test_a_bot_that_is_not_there_cannot_be_killed(tmp_path: Path) -> None:
    bot = make_bot(tmp_path, [])
    assert await bot.kill() is False
    await bot.stop()


async def test_a_bot_that_comes_up_while_the_lab_ends_does_not_outlive_it(tmp_path: Path) -> None:
    bot = make_bot(tmp_path, [])
    starting = asyncio.create_task(bot.start())
    await asyncio.sleep(0)  # it begins
    await bot.stop()
    with pytest.raises(BotFailedError, match=r"^The lab ends\.$"):
        await starting
    assert bot.state.alive is False
    assert not (tmp_path / "bot.log").exists()
