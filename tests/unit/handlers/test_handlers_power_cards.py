"""What the cards of starting and stopping ask before they do something."""

from __future__ import annotations

import msgspec
import pytest
from ports import Room
from small_fleet import backup, record

from bot.domain.job import JobState
from bot.domain.message import Button, Choices
from bot.domain.plan import Plan
from bot.domain.texts import plain
from bot.jobs import story
from bot.operations.discover import operations


@pytest.mark.parametrize(("words", "asks"), [("migrate centos54 to xenserver3", True), ("verify centos54", False)])
async def test_confirm_asks_once_more_only_where_it_begins_something_in_a_pool(words: str, *, asks: bool) -> None:
    room = Room()
    room.journal.catalogue = [backup(1)]
    plan = await room.type(words)
    assert isinstance(plan, Plan)
    proposed = msgspec.structs.replace(record(7, JobState.PROPOSED), plan=plan, operation=plan.operation)
    card = story.card(proposed, operations()[plan.operation])
    (go,) = [one for part in card.parts if isinstance(part, Choices) for one in part.buttons if one.label == "Confirm"]
    assert (go.confirm is not None) is asks
    assert go.says is not None
    assert plain(plan.title) in plain(go.says), "whoever cannot see the card hears what is confirmed"


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("migrate centos54 to xenserver3", "The guest stays where it is."),
        ("stop centos54", "If the guest has not gone down yet, it runs on."),
        ("reboot centos54", "If the guest has not gone down yet, it runs on."),
        ("start sleeper", "If the guest has not begun to boot, it stays off."),
    ],
)
async def test_whoever_cancels_a_running_job_reads_what_becomes_of_the_guest(words: str, then: str) -> None:
    plan = await Room().type(words)
    assert isinstance(plan, Plan)
    running = msgspec.structs.replace(record(7, JobState.RUNNING), plan=plan, operation=plan.operation)
    card = story.card(running, operations()[plan.operation])
    buttons: list[Button] = [button for part in card.parts if isinstance(part, Choices) for button in part.buttons]
    cancel = next(button for button in buttons if button.label == "Cancel")
    assert cancel.confirm is not None
    assert (cancel.yes, cancel.no) == ("Stop the job", "Let it run")
    assert plain(cancel.confirm) == f"Stop it: {plain(plan.title)}? {then}"
