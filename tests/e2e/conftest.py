from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from story_lab import StoryLab, story_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "8") as lab:
        yield lab
