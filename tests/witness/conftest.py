"""Skips what needs Node.js where it, or the pinned packages, are missing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from node_program import NODE, PACKAGES
from people import People

from bot.lab.slack import Workplace
from bot.lab.xapi import Datacentre

PASSWORD = "pw"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if NODE is not None and PACKAGES.is_dir():
        return
    skip = pytest.mark.skip(reason="no Node.js with the packages of tests/witness, so no witness from npm was heard")
    for item in items:
        if item.get_closest_marker("node"):
            item.add_marker(skip)


@pytest.fixture
async def datacentre() -> AsyncIterator[Datacentre]:
    """A datacentre that is watched for contradictions."""
    lab = Datacentre(port=0, speed=20.0, password=PASSWORD, debug_consistency=True)
    lab.login_delay_s = 0.0
    await lab.start()
    try:
        yield lab
    finally:
        await lab.stop()
    assert lab.findings == []


@pytest.fixture
async def workplace() -> AsyncIterator[Workplace]:
    started = Workplace(port=0)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def people(workplace: Workplace) -> AsyncIterator[People]:
    async with aiohttp.ClientSession() as http:
        yield People(workplace, http)
