"""Home: for each person what waits for them, and nothing that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from ports import Room
from reviewed import reviewed
from small_fleet import GIB, NOW, VIEW, host, record

from bot.domain.inventory import FeedState, PoolView
from bot.domain.job import JobState
from bot.domain.message import Choices, Facts, Message
from bot.domain.plain_text import text_of
from bot.domain.policy import Person, Role, held
from bot.domain.record import Decision
from bot.domain.texts import plain
from bot.jobs import home

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"


def person(user: str, *roles: Role) -> Person:
    return Person("T1", user, roles=held(frozenset(roles)))


ANN, APPROVER = person("U1", Role.OPERATOR), person("U2", Role.APPROVER)
ADMIN, VIEWER = person("U3", Role.ADMIN), person("U4", Role.VIEWER)


async def of(room: Room, whom: Person) -> Message:
    return home.build(whom, await home.read(room.journal), room.fleet, room.registry)


def busy() -> Room:
    room = Room(msgspec.structs.replace(VIEW, hosts=(host(1), host(3, silent_since=NOW - 60, memory_free=GIB))))
    room.journal.records = [
        record(1, JobState.SUCCEEDED, finished_at=NOW - 300),
        record(2, JobState.PROPOSED),
        record(3, JobState.AWAITING_APPROVAL, approvers_needed=2),
        record(4, JobState.RUNNING),
        record(5, JobState.NEEDS_ATTENTION, requester="U9"),
        record(6, JobState.AWAITING_APPROVAL, requester="U2", approvers_needed=1),
    ]
    return room


def reads_as_reviewed(name: str, text: str) -> bool:
    return reviewed(GOLDEN / f"{name}.txt", text) == text


async def test_the_home_of_an_operator_is_as_filed() -> None:
    assert reads_as_reviewed("home-operator", text_of(await of(busy(), ANN)))


@pytest.mark.parametrize(
    ("whom", "headline", "waiting"),
    [
        (ANN, "1 job waits for you", {2}),
        (APPROVER, "1 job waits for you", {3}),
        (ADMIN, "1 job waits for you", {5}),
        (VIEWER, "Nothing waits for you", set()),
    ],
)
async def test_a_job_waits_for_those_who_can_do_something(whom: Person, headline: str, waiting: set[int]) -> None:
    found = await of(busy(), whom)
    assert plain(found.summary) == headline
    block = next((part for part in found.parts[1:2] if isinstance(part, Facts)), Facts(()))
    assert {plain(line).split(",")[0] for line in block.lines} == {f"Job {number}" for number in waiting}


async def test_an_approver_who_has_approved_waits_for_the_others_like_everybody() -> None:
    room = busy()
    decided = (Decision("U2", "approve", NOW),)
    room.journal.records = [record(3, JobState.AWAITING_APPROVAL, approvers_needed=2, decisions=decided)]
    assert plain((await of(room, APPROVER)).summary) == "Nothing waits for you"


async def test_only_who_may_change_something_is_offered_it() -> None:
    def forms(message: Message) -> set[str]:
        choices = [part for part in message.parts if isinstance(part, Choices)]
        return {button.target for part in choices for button in part.buttons if button.action == "form"}

    assert {"migrate", "start", "stop", "reboot"} <= forms(await of(busy(), ANN))
    assert forms(await of(busy(), VIEWER)) == set()
    assert forms(await of(busy(), APPROVER)) == set()


async def test_many_of_everything_still_fit_a_home() -> None:
    pools = [PoolView(f"pool{number}", FeedState.LOADING, 0.0, "no login", None, (), (), ()) for number in range(30)]
    room: Any = Room(*pools)
    room.journal.records = [record(number, JobState.PROPOSED) for number in range(60)]
    room.journal.records += [record(number, JobState.FAILED) for number in range(60, 160)]
    found = await of(room, ANN)
    text = text_of(found)
    assert plain(found.summary) == "60 jobs wait for you"
    assert len(text.splitlines()) < 40
    assert "and 52 more" in text
    assert "and 20 more" in text
    assert "  pool0 is still loading: no login" in text
