"""The leash: nothing the lab started outlives it, even when the lab is killed."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from bot.lab.leash import watch

DEADLINE_S = 60


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def start_leash() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "bot.lab.leash"], stdin=subprocess.PIPE, text=True)


def test_what_is_held_dies_with_the_lab(sleeper: subprocess.Popen[bytes]) -> None:
    with start_leash() as leash:
        leash.communicate(f"hold {sleeper.pid}\n", timeout=DEADLINE_S)
    assert sleeper.wait(DEADLINE_S) == -9


def test_what_was_released_lives_on(sleeper: subprocess.Popen[bytes]) -> None:
    with start_leash() as leash:
        leash.communicate(f"hold {sleeper.pid}\nrelease {sleeper.pid}\n", timeout=DEADLINE_S)
        assert leash.returncode == 0
    assert sleeper.poll() is None


def test_a_leash_whose_prey_is_gone_ends_well() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(DEADLINE_S)
    with start_leash() as leash:
        leash.communicate(f"hold {gone.pid}\n", timeout=DEADLINE_S)
        assert leash.returncode == 0


def test_orders_that_are_no_orders_are_ignored() -> None:
    assert watch(["hold 7\n", "\n", "wave 8\n", "hold 9\n", "release 7\n", "release 3\n"]) == {9}
