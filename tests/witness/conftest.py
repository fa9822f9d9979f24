"""Skips what needs Node.js where it, or the pinned packages, are missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from node_program import NODE, PACKAGES
from people import People

from bot.lab.slack import Shortcut, Workplace
from bot.lab.xapi import Datacentre

PASSWORD = "pw"


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Skipped from here, all of them make one line of the summary.
    if item.get_closest_marker("node") and (NODE is None or not PACKAGES.is_dir()):
        pytest.skip("no Node.js with the packages of tests/witness, so no witness from npm was heard")


@pytest.fixture
async def datacentre() -> AsyncIterator[Datacentre]:
    """The pools of the article, watched for contradictions."""
    async with _datacentre("article") as lab:
        yield lab


@pytest.fixture
async def roomy() -> AsyncIterator[Datacentre]:
    """A pool of three hosts with three guests each and room for more."""
    async with _datacentre("large:3x9") as lab:
        yield lab


@asynccontextmanager
async def _datacentre(world: str) -> AsyncIterator[Datacentre]:
    lab = Datacentre(world=world, port=0, speed=20.0, password=PASSWORD, debug_consistency=True)
    lab.login_delay_s = 0.0
    await lab.start()
    try:
        yield lab
    finally:
        await lab.stop()
    assert lab.findings == []


@pytest.fixture
async def workplace() -> AsyncIterator[Workplace]:
    shortcuts = (Shortcut("find", "Find a guest"), Shortcut("link", "Link to a job", on_message=True))
    started = Workplace(port=0, shortcuts=shortcuts)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def people(workplace: Workplace) -> AsyncIterator[People]:
    async with aiohttp.ClientSession() as http:
        yield People(workplace, http)
