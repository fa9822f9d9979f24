"""The disk of the backups refuses, at every change that a backup makes there: that is named, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, story_lab, strings
from test_story_backup import catalogued, folder, left, manifests, streaming
from test_story_evacuate import WORLD

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="which file a descriptor is of is read from /proc, as Linux has it"
)
REFUSING = Path(__file__).parent / "refusing"
GUESTS = tuple(f"guest-{number:02}" for number in range(24))
HOSTS = ("xenserver1", "xenserver3")
SAYS = {
    "ENOSPC": ("No space is left for backups.", "Free space at [backups] path"),
    "EDQUOT": ("The quota for backups is used up.", "Raise the quota"),
}
# A file is written in pieces: the first, one in the middle and the last stand for all.
_PIECES = re.compile(r"pwrite")
_TAKES_NOTHING = re.compile(r"unlink|rmdir")
OVER = {"SUCCEEDED", "FAILED", "CANCELLED", "PARTIAL", "NEEDS_ATTENTION"}


def _world() -> str:
    hosts = [
        f'[[hosts]]\nname = "{name}"\nnumber = {number}\npool = "production"\ncpu = "intel"\nversion = "xenserver-8"\n'
        for number, name in enumerate(HOSTS, start=1)
    ]
    guests = [
        f'[[guests]]\nname = "{name}"\nhost = "{HOSTS[number % 2]}"\nmemory_mib = 256\naddress = {10 + number}\n'
        'disks = [{ storage = "nfs", size_gib = 1, stored_mib = 3 }]\n'
        for number, name in enumerate(GUESTS)
    ]
    return "\n".join([WORLD.replace("beta", HOSTS[0]), *hosts, *guests])


class Disk:
    """The disk of the backups, and one person who wants guests backed up."""

    def __init__(self, lab: StoryLab, orders: Path, guests: dict[str, str]) -> None:
        self.lab = lab
        self.orders = orders
        self.guests = guests

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.lab.info['store']}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def changes(self, whose: str) -> list[str]:
        """What was changed of this guest's, in order."""
        return (self.orders / "changes" / self.guests[whose]).read_text().splitlines()

    def order(self, whose: str, errno: str, change: str, number: int) -> None:
        """Has one change fail from now on."""
        written = self.orders / "new"
        written.write_text(f"{errno}\n{change}\n{number}")
        written.replace(self.orders / "refuse" / self.guests.get(whose, whose))

    def well(self, *names: str) -> None:
        """Nothing fails from now on, and the folders of these guests have yet to be made."""
        for order in (self.orders / "refuse").iterdir():
            order.unlink()
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (folder(self.lab) / self.guests[name]).rmdir()

    async def begin(self, *names: str) -> int:
        """Has guests backed up; the job's number."""
        ((before,),) = self.rows("SELECT coalesce(max(number), 0) FROM jobs")
        await self.lab.xen(f"backup {' '.join(self.guests[name] for name in names)} compress none")
        number = before + 1
        await self.lab.press(await self.lab.sees(f"job {number}", "Confirm", private=False), "Confirm")
        return number

    async def end(self, number: int) -> tuple[str, str]:
        """A job's last state and what its card says."""

        async def over() -> str:
            ((state,),) = self.rows("SELECT state FROM jobs WHERE number = ?", number)
            said = not self.rows("SELECT 1 FROM outbox WHERE job = ? AND state = 'due'", number)
            return state if state in OVER and said else ""

        state = await self.lab.until(over, f"the end of job {number}")
        return state, strings(await self.lab.sees(f"job {number}", private=False))

    async def back_up(self, *names: str) -> tuple[int, str, str]:
        """Backs guests up; the job's number, its last state and what its card says."""
        number = await self.begin(*names)
        return number, *await self.end(number)

    def said(self, number: int, names: Iterable[str]) -> dict[str, str]:
        """What is said of each guest's export: they were asked for in this order."""
        query = """SELECT error FROM steps WHERE job = ? AND kind = 'backup' ORDER BY "index" """
        return dict(zip(names, (error for (error,) in self.rows(query, number)), strict=True))

    async def holds(self, name: str) -> bool:
        """Whether a change is held up that was ordered so."""
        return (self.orders / "held" / self.guests[name]).exists()

    def files(self, name: str) -> list[str]:
        """What lies in the archive of a guest."""
        home = folder(self.lab) / self.guests[name]
        return sorted(one.name for one in home.iterdir()) if home.exists() else []

    def emptied(self) -> None:
        """The archive holds nothing of any guest."""
        for backup in folder(self.lab).glob("*-*"):
            shutil.rmtree(backup)


@pytest.fixture
async def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Disk]:
    orders = tmp_path / "orders"
    for name in ("refuse", "changes", "held"):
        (orders / name).mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(REFUSING))
    monkeypatch.setenv("REFUSING", str(orders))
    monkeypatch.setenv("BACKUPS_OF_BOT", str(tmp_path / "backups"))
    world = tmp_path / "two.toml"
    world.write_text(_world())
    async with story_lab(tmp_path, "--speed", "50", "--world", str(world)) as lab:
        await lab.lab("slack", do="ratelimits", on=False)
        yield Disk(lab, orders, {one["name"]: one["uuid"] for one in (await lab.state())["guests"]})


def points(changes: list[str]) -> list[tuple[str, int]]:
    """At which changes of a backup the disk is to refuse: a name, and the how-manieth of that name."""
    seen: Counter[str] = Counter()
    found = []
    for change in changes:
        seen[change] += 1
        if not _TAKES_NOTHING.match(change):
            found.append((change, seen[change]))
    return [
        (change, number)
        for change, number in found
        if not _PIECES.match(change) or number in {1, seen[change] // 2, seen[change]}
    ]


async def test_a_disk_that_is_full_at_any_change_of_a_backup_is_named_and_nothing_is_left(disk: Disk) -> None:
    first, *others = GUESTS
    # The catalogue lies elsewhere: a moment without room there costs nothing.
    disk.order("store", "ENOSPC", "commit backups", 1)
    _, state, _ = await disk.back_up(first)
    assert (state, catalogued(disk.lab)) == ("SUCCEEDED", [(first, "whole")])
    every = points(disk.changes(first))
    assert 20 <= len(every) <= len(others)
    for errno, says in SAYS.items():
        struck = dict(zip(others, every, strict=False))
        for name, (change, number) in struck.items():
            disk.order(name, errno, change, number)
        number, state, card = await disk.back_up(*struck)
        assert state == "FAILED", card
        assert f"{len(struck)} of {len(struck)} went wrong. The first: Failed: no backup of " in card, card
        assert card.count("was kept") >= len(struck), card
        assert says[1] in card, card
        for name, sentence in disk.said(number, struck).items():
            assert f"no backup of {name} was kept" in sentence, struck[name]
            assert says[0] in sentence, struck[name]
            assert disk.files(name) == [], struck[name]
        assert [one["name"] for one in manifests(disk.lab)] == [first]
        assert catalogued(disk.lab) == [(first, "whole")]
        await left(disk.lab)
        assert {one["power_state"] for one in (await disk.lab.state())["guests"]} == {"Running"}
        disk.well(*struck)
    _, state, _ = await disk.back_up(*others[:2])
    assert state == "SUCCEEDED"
    assert len(manifests(disk.lab)) == 3


async def test_a_disk_that_goes_away_or_turns_read_only_in_the_middle_is_named_with_what_is_left(disk: Disk) -> None:
    lab, (first, second, third, *_) = disk.lab, GUESTS
    place, elsewhere = folder(lab), folder(lab).with_name("elsewhere")
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    under_way = asyncio.create_task(disk.back_up(first))
    await streaming(lab)
    place.rename(elsewhere)
    await lab.lab("datacentre", do="release_tasks")
    _, state, card = await under_way
    assert state == "FAILED"
    assert all(words in card for words in ("it is not there", "See that it is mounted", "Not cleared away: ")), card
    await lab.xen("backups")
    await lab.sees("No backup yet", "it is not there", "See that it is mounted", private=True)
    elsewhere.rename(place)
    # What could not be cleared away is found by whoever looks at the backups, with what to do about it.
    (place / "page.xva").write_bytes(b"<!doctype html><html><title>Sign in</title></html>")
    (draft,) = (one.removesuffix(".partial") for one in disk.files(first))
    await lab.xen("backups")
    shown = strings(await lab.sees(draft, "was begun and not finished", private=True))
    for words in (f"xenbot backups discard {draft}", "page.xva", "is none of the bot's", "xenbot backups adopt"):
        assert words in shown
    disk.emptied()
    # Read-only: nothing can be removed there either.
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    under_way = asyncio.create_task(disk.back_up(second))
    await streaming(lab)
    disk.order(second, "EROFS", "everything", 0)
    await lab.lab("datacentre", do="release_tasks")
    _, state, card = await under_way
    assert state == "FAILED"
    assert f"no backup of {second} was kept. The file system of the backups is read-only." in card, card
    assert all(words in card for words in ("mount it for writing", "Not cleared away: ")), card
    disk.well()
    disk.emptied()
    # So it is from the beginning.
    disk.order(third, "EROFS", "everything", 0)
    _, state, card = await disk.back_up(third)
    assert state == "FAILED"
    assert f"no backup of {third} was kept. The file system of the backups is read-only." in card, card
    await left(lab)


async def test_cancel_at_any_change_of_a_backup_ends_it_or_comes_too_late_and_leaves_no_half_of_one(disk: Disk) -> None:
    lab = disk.lab
    draft = "GUEST/ID.partial"
    # Once every byte is on disk and the pool has called the export a success, a backup is kept whatever is asked.
    held = {
        f"mkdir {draft}": "CANCELLED",
        f"fsync {draft}/archive.xva": "CANCELLED",
        f"rename {draft}": "SUCCEEDED",
    }
    for name, (change, ends) in zip(GUESTS, held.items(), strict=False):
        disk.order(name, "HOLD", change, 1)
        number = await disk.begin(name)
        await lab.until(lambda name=name: disk.holds(name), change)
        await lab.press(await lab.sees(f"Backing up {name}", "Cancel", private=False), "Cancel")
        await lab.sees("asked to stop it", f"job {number}", private=False)
        disk.well()
        state, card = await disk.end(number)
        assert state == ends, (change, card)
        assert (f"Cancelled: no backup of {name} was kept" in card) is (state == "CANCELLED")
        assert len(disk.files(name)) == (state == "SUCCEEDED")
        await left(lab)
    assert catalogued(lab) == [(GUESTS[len(held) - 1], "whole")]
