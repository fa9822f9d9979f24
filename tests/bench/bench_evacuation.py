"""Emptying a host of forty guests: `/xen evacuate` beside `host.evacuate`, each in a simulated pool like the other's.

Both send the same memory over the same network card of the host that is emptied. What differs: XAPI moves ten guests
at once and waits for all ten before it takes the next; the bot keeps a few under way, judges each guest anew right
before it goes, looks whether it arrived, and tells people.

The network card is the limit for both, so that they end at nearly the same time, and more guests at once win the bot
next to nothing. What it takes longer is its own: the disabling and the look whether that holds come first, and each
guest is judged anew; this is real time, so at this speed it weighs four times as much as in life.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import pytest
import XenAPI
from measuring import StoryLab, story_lab, table

pytestmark = pytest.mark.bench
GUESTS = 40
HOSTS = 5
WORLD = f"large:{HOSTS}x{HOSTS * GUESTS}"
SPEED = 4.0
HOST = "host002"


class Run:
    """One evacuation: when it was ordered, when each guest was seen elsewhere, and when its end was told."""

    def __init__(self, lab: StoryLab) -> None:
        self._lab = lab
        self.began = 0.0
        self.left: list[float] = []
        self.told = 0.0
        self.under_way: list[tuple[float, int]] = []

    async def watch(self) -> None:
        """Notes each guest that has left, until all have."""
        count = GUESTS
        while count:
            state = await self._lab.state()
            here = next(one["uuid"] for one in state["hosts"] if one["name"] == HOST)
            now = sum(one["host"] == here for one in state["guests"])
            self.left += [time.perf_counter()] * (count - now)
            self.under_way.append((time.perf_counter(), sum(one["operation"] is not None for one in state["guests"])))
            count = now
            await asyncio.sleep(0.05)

    @property
    def rows(self) -> list[Any]:
        moved = self.left[-1] - self.began
        first = next(at for at, count in self.under_way if count)
        steps = list(itertools.pairwise(self.under_way))
        idle = sum(later - at for (at, count), (later, _) in steps if not count and first < at)
        mean = sum((later - at) * count for (at, count), (later, _) in steps if at >= first) / (self.left[-1] - first)
        return [first - self.began, self.left[0] - self.began, moved, idle, mean, self.told - self.began]


async def _by_xapi(lab: StoryLab) -> Run:
    run = Run(lab)

    def work() -> None:
        session = XenAPI.Session(lab.info["hosts"]["host001"]["https"], ignore_ssl=True)
        session.xenapi.login_with_password(lab.info["user"], lab.info["password"], "1.0", "bench")
        host = session.xenapi.host.get_by_name_label(HOST)[0]
        run.began = time.perf_counter()
        session.xenapi.host.disable(host)
        session.xenapi.host.evacuate(host)
        run.told = time.perf_counter()
        session.xenapi.session.logout()
        session("close")()

    await asyncio.gather(asyncio.to_thread(work), run.watch())
    return run


async def _by_bot(lab: StoryLab) -> Run:
    run = Run(lab)
    await lab.xen(f"evacuate {HOST}")
    card = await lab.sees(f"Evacuate {HOST}", f"{GUESTS} guests move", "Confirm", private=False)
    watching = asyncio.create_task(run.watch())
    run.began = time.perf_counter()
    await lab.press(card, "Confirm")
    if "Approve" in str(waiting := await _either(lab, card["ts"])):
        run.began = time.perf_counter()
        await lab.press(waiting, "Approve", who="approver")
    await watching

    async def over() -> bool:
        return f"{HOST} is disabled and empty" in str(await _card(lab, card["ts"]))

    await lab.until(over, "the final card")
    run.told = time.perf_counter()
    return run


async def _card(lab: StoryLab, ts: str) -> dict[str, Any]:
    return next(one for one in await lab.screen() if one["ts"] == ts)


async def _either(lab: StoryLab, ts: str) -> dict[str, Any]:
    """The card once it waits for approval, or has gone on without."""

    async def moved_on() -> dict[str, Any] | None:
        card = await _card(lab, ts)
        return card if "'Confirm'" not in str(card) else None

    return await lab.until(moved_on, "a card that was confirmed")


@pytest.mark.timeout(900)
async def test_forty_guests_leave_a_host(tmp_path: Path) -> None:
    runs: dict[str, Run] = {}
    for name, work, options in (("host.evacuate", _by_xapi, ("--no-bot",)), ("/xen evacuate", _by_bot, ())):
        data = tmp_path / name.strip("/").replace(" ", "-")
        data.mkdir()
        async with story_lab(data, "--world", WORLD, "--speed", str(SPEED), *options) as lab:
            runs[name] = await work(lab)
    peer, ours = runs["host.evacuate"].rows, runs["/xen evacuate"].rows
    header = [
        "s of the simulated pool" if SPEED == 1 else f"real s at speed {SPEED:g}",
        "first begins",
        "first left",
        "last left",
    ]
    header += ["nothing under way", "guests at once", "end told"]
    rows = [["host.evacuate", *peer], ["/xen evacuate", *ours]]
    table(
        f"{GUESTS} guests leave one of {HOSTS} hosts",
        header,
        [*rows, ["ratio", *(mine / theirs if theirs else "–" for mine, theirs in zip(ours, peer, strict=True))]],
    )
