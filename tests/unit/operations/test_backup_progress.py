"""What the card says of an export under way: phase, amount, rate and time left, or what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from backup_world import GIB, decided, read

from bot.backups import Archive, Folder, Listing
from bot.domain.calls import Ref
from bot.domain.catalogue import Backup
from bot.domain.plan import Step
from bot.domain.texts import plain, say
from bot.errors import Unreachable
from bot.jobs.pulse import Pulse
from bot.operations.backup_steps import EXPORT
from bot.operations.backup_work import BackupWork
from bot.operations.stream_ports import Flow, Phase
from bot.operations.work import Errand, Reached

MIB = 1 << 20
GUEST = "4012229d-7e4a-e395-922f-7129e84bac9b"


class Telling:
    """Streams that tell how they stand and then break off."""

    def __init__(self, *flows: Flow) -> None:
        self.flows = flows

    async def export(self, *_: object, progress: Callable[[Flow], None], **__: object) -> None:
        for flow in self.flows:
            progress(flow)
        raise Unreachable("xenserver1 could not be asked")


class Empty:
    """A catalogue without a backup."""

    async def backups(self, **_: object) -> list[Backup]:
        return []


async def told(place: Path, *flows: Flow) -> list[Reached]:
    """What the worker of an export makes of it."""
    plan = decided(read())
    step = next(one for one in plan.steps if one.kind == EXPORT)
    found: list[Reached] = []
    errand = Errand(
        1, "cafe", "p-1", _of(step), "task", {"192.0.2.1": "xenserver1"}, "U1", "", found.append, lambda: None
    )
    nothing: Any = None
    work = BackupWork(Telling(*flows), nothing, Archive(Folder(place)), Empty())  # type: ignore[arg-type]  # as asked
    with pytest.raises(Unreachable):
        await work.workers()[EXPORT].run(errand)
    assert Folder(place).listing() == Listing()
    return found


def _of(step: Step) -> Step:
    """The step of a guest with a real UUID, its snapshot known."""
    args = (Ref("VM", GUEST), *step.call.args[1:])
    return msgspec.structs.replace(step, lane=GUEST, call=msgspec.structs.replace(step.call, args=args))


@pytest.mark.parametrize(
    ("flow", "phase", "stalled"),
    [
        (Flow("192.0.2.1", Phase.CONNECTING), "connecting to xenserver1", ""),
        (Flow("192.0.2.1", Phase.CONNECTING, 0, 90), "", "xenserver1 has not answered for 90 s"),
        (Flow("192.0.2.1", Phase.WAITING, 0, 3), "waiting for xenserver1 to begin", ""),
        (
            Flow("192.0.2.1", Phase.WAITING, 0, 90),
            "",
            "xenserver1 has sent nothing for 90 s: it waits for another operation to end",
        ),
        (Flow("192.0.2.1", Phase.FLOWING, MIB, 3), "receiving, 1 MiB so far", ""),
        (
            Flow("192.0.2.1", Phase.FLOWING, MIB, 90),
            "receiving",
            "xenserver1 has sent nothing for 90 s: it is still reading zeros",
        ),
        (
            Flow("192.0.2.1", Phase.FLOWING, MIB, 90, held_up=True),
            "receiving",
            "the archive's disk has taken nothing for 90 s",
        ),
        (Flow("192.0.2.1", Phase.ENDING, MIB, 90), "receiving", "xenserver1 has not ended the stream for 90 s"),
    ],
)
async def test_whoever_is_waited_for_is_named_with_how_long(
    tmp_path: Path, flow: Flow, phase: str, stalled: str
) -> None:
    (reached,) = await told(tmp_path, flow)
    assert phase in plain(reached.phase)
    assert (plain(reached.stalled) if reached.stalled is not None else "") == stalled


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time that has passed."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, 1000.0 + seconds)


def test_amount_rate_and_time_left_are_those_of_the_last_half_minute(clock: Callable[[float], None]) -> None:
    pulse = Pulse()

    def after(seconds: float, done: int, stalled: str = "") -> str:
        clock(seconds)
        words = say("{why}", why=stalled) if stalled else None
        pulse.tell(Reached(done, 8 * GIB, say("verified"), words))
        assert pulse.line is not None
        return plain(pulse.line)

    assert after(0, 0) == "verified"
    assert after(2, 300 * MIB) == "verified: 300 MiB of 8 GiB, 150 MiB/s, about 53 s left"
    for second in range(3, 60):
        line = after(second, 300 * MIB + (second - 2) * 10 * MIB)
    assert "10 MiB/s, about 12 min left" in line
    assert after(90, 870 * MIB, "xenserver1 has sent nothing for 31 s") == "xenserver1 has sent nothing for 31 s"
    assert round(pulse.fraction, 3) == 0.106
