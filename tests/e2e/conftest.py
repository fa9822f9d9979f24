from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from itertools import chain, islice
from pathlib import Path

import pytest
from last_words import LAST_WORDS
from story_lab import StoryLab, story_lab


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """All of them start a whole lab, which takes its time; `-m "not whole"` leaves what is quick."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.whole)
    yield
    items[:] = long_ones_first(items, getattr(config, "workerinput", {}).get("workercount", 1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds what the labs of a failed test have to say to its report."""
    report = yield
    if report.failed:
        report.sections += [("what a lab says", said) for said in LAST_WORDS.hear()]
    elif report.when == "setup":
        LAST_WORDS.forget()
    return report


def long_ones_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Deals the long tests out to the beginnings of the equal parts in which the workers get all of them.

    Begun last, one of them would keep everybody waiting who has nothing left to steal.
    """
    long = [item for item in items if item.get_closest_marker("long")]
    rest = iter([item for item in items if not item.get_closest_marker("long")])
    sizes = [(len(items) + worker) // workers for worker in range(workers)]
    dealt = [long[worker::workers] for worker in range(workers)]
    parts = ([*begin, *islice(rest, max(0, size - len(begin)))] for size, begin in zip(sizes, dealt, strict=True))
    return [*chain.from_iterable(parts), *rest]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "8") as lab:
        yield lab
