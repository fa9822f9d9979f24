"""Files that are no backups, or no longer: each is named for what it is, and none hides another or stops the bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from backup_keeping import AT, OTHER, keep
from story_lab import StoryLab, story_lab

from bot.backups import Folder, Stored


@pytest.fixture
def kept(tmp_path: Path) -> list[Stored]:
    """Two backups, and what people leave in such folders."""
    folder = tmp_path / "backups"
    folder.mkdir(exist_ok=True)
    (folder / "export.xva").write_bytes(b"<!doctype html><html><title>Sign in</title></html>")
    (folder / "from another bot").mkdir()
    target = Folder(folder)
    return [keep(target, name="old-web"), keep(target, OTHER, AT + 60, name="old-db")]


@pytest.fixture
async def lab(tmp_path: Path, kept: list[Stored]) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "8") as lab:
        yield lab


async def verify(lab: StoryLab, words: str, job: int) -> None:
    await lab.xen(f"verify {words}")
    await lab.press(await lab.sees("Verify backup", f"job {job}", "Confirm", private=False), "Confirm")


async def test_a_proof_that_is_damaged_leaves_the_look_at_all_of_it(lab: StoryLab, kept: list[Stored]) -> None:
    proof = kept[0].proof.read_bytes()
    kept[0].proof.write_bytes(proof[:200] + b"?" + proof[201:])
    await verify(lab, "old-web sample", 1)
    await lab.sees("The proof cannot be used: it is damaged.", "Verify all of it", private=False)
    await verify(lab, "old-web full", 2)
    await lab.sees("of old-web is whole: every byte as it was", private=False)


async def test_a_manifest_that_is_damaged_takes_its_backup_out_and_no_other(lab: StoryLab, kept: list[Stored]) -> None:
    await lab.xen("backups")
    await lab.sees("2 backups of 2 guests", "old-web", "old-db", private=True)
    manifest = kept[0].archive.parent / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:300])
    await verify(lab, "old-web", 1)
    await lab.sees("Not started, things have changed", "There is no usable backup called", private=False)
    await verify(lab, "old-db", 2)
    await lab.sees("of old-db is whole", private=False)
