from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from story_lab import StoryLab, story_lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them start a whole lab, which takes its time; `-m "not whole"` leaves what is quick."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.whole)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "8") as lab:
        yield lab
