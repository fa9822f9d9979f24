"""Backups are listed and looked at again: what is whole is said to be, what is damaged is named by block and disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from backup_keeping import AT, keep
from story_lab import StoryLab, story_lab

from bot.backups import Folder, Stored

HOSTILE = "../../etc\n<!channel> & *bold*" + "x" * 300


def place(data: Path) -> Folder:
    """The lab's folder of backups; the one test that looks into it before the lab makes it."""
    folder = data / "backups"
    folder.mkdir(exist_ok=True)
    return Folder(folder)


@pytest.fixture
async def kept(tmp_path: Path) -> list[Stored]:
    """Two backups that were there before the bot was: one of a guest long gone, one with a hostile name."""
    target = place(tmp_path)
    return [
        keep(target, name="old-web"),
        keep(target, at=AT + 60, name=HOSTILE, guest="76e23786-df5c-4820-fb41-5dacd026caa4"),
    ]


@pytest.fixture
async def lab(tmp_path: Path, kept: list[Stored]) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "8") as lab:
        yield lab


def damage(stored: Stored) -> None:
    with stored.archive.open("r+b") as file:
        file.seek(stored.manifest.size // 2)
        file.write(b"\xff" * 8)


async def test_what_was_there_before_the_bot_is_listed_and_looked_at_and_damage_is_named(
    lab: StoryLab, kept: list[Stored]
) -> None:
    await lab.xen("backups")
    listed = await lab.sees("2 backups of 2 guests", "old-web", kept[0].manifest.id, private=True)
    assert "<!channel>" not in str(listed.get("text", "")).replace("&lt;!channel&gt;", "")
    await lab.xen("verify old-web")
    card = await lab.sees("Verify backup", "of old-web", "are read again, to the last byte", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("of old-web is whole: every byte as it was", "Plan: restore", private=False)
    damage(kept[0])
    await lab.xen(f"verify {kept[0].manifest.id}")
    card = await lab.sees("Verify backup", "of old-web", "job 2", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("of old-web is damaged", "of disk 0", "job 2", "Plan: backup", private=False)
    await lab.xen("backups old-web")
    await lab.sees("0 found whole", "of old-web is damaged", "of disk 0", "every block, read again", private=True)
    await lab.xen("restore old-web on xenserver3")
    await lab.sees("old-web cannot be restored", "is damaged", "Choose another backup", private=True)


async def test_all_are_looked_at_in_one_job_that_says_how_many_are_whole(lab: StoryLab, kept: list[Stored]) -> None:
    damage(kept[0])
    await lab.xen("verify all full")
    await lab.press(await lab.sees("Verify 2 backups", "Confirm", private=False), "Confirm")
    await lab.sees("1 of 2 backups are whole", "of old-web is damaged", private=False)


async def test_an_archive_that_is_gone_is_said_to_be_and_the_bot_lives(
    lab: StoryLab, kept: list[Stored], tmp_path: Path
) -> None:
    (tmp_path / "backups").rename(tmp_path / "elsewhere")
    await lab.xen("verify old-web")
    card = await lab.sees("Verify backup", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("It starts when the backups can be read", private=False)
    (tmp_path / "elsewhere").rename(tmp_path / "backups")
    await lab.sees("of old-web is whole", private=False)
