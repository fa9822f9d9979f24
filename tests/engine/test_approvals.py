"""Approvals: how many, by whom, until when; broken glass; and what time does to all of it."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import ADMIN, APPROVER, GLASS, OPERATOR, SECOND, Bench, World

from bot.domain.job import JobState
from bot.domain.message import Choices, Facts, Message, Verdict
from bot.domain.plan import Grade, Placement, Plan, Risk
from bot.domain.policy import Role
from bot.domain.texts import Phrase, plain
from bot.errors import DirectorySilent, NotAllowed, Refused
from bot.jobs import story
from bot.jobs.gate import Wait
from bot.jobs.ports import Sender
from bot.jobs.reasons import Reasons
from bot.slack import fallback

MINUTE = 60.0


async def waiting(bench: Bench, world: World, *, who: str = GLASS, reason: str = "disk on fire") -> int:
    """A high-risk job that waits for approval."""
    world.risk = Risk.HIGH
    number = await bench.propose(who, reason=reason)
    await bench.press(number, "confirm", who)
    return number


def labels(message: Message) -> list[str]:
    return [each.label for part in message.parts if isinstance(part, Choices) for each in part.buttons]


async def card(bench: Bench, number: int) -> Message:
    record = await bench.store.job(number)
    return story.card(record, bench.engine.operations[record.operation])


async def facts(bench: Bench, number: int) -> list[Phrase]:
    return [line for part in (await card(bench, number)).parts if isinstance(part, Facts) for line in part.lines]


async def posts(bench: Bench) -> dict[str, str]:
    """What waits to be posted outside threads, by channel."""
    due = await bench.store.due(100)
    return {one.channel: fallback.mrkdwn(one.message.summary) for one in due if one.kind == "post"}


async def replies(bench: Bench, number: int) -> list[str]:
    """The lines told in the job's thread; its card is taken as posted, as delivery would have done."""
    for parcel in await bench.store.due(100):
        if parcel.kind == "card":
            await bench.store.delivered(parcel.id, "1.0")
    told = []
    while due := [one for one in await bench.store.due(100) if one.kind == "reply" and one.job == number]:
        for parcel in due:
            told.append(plain(parcel.message.summary))
            await bench.store.delivered(parcel.id, "2.0")
    return told


async def test_glass_broken_with_a_reason_runs_alone_and_tells_everyone_who_could_have_approved(
    bench: Bench, world: World
) -> None:
    number = await waiting(bench, world)
    assert "Break glass" in labels(await card(bench, number))
    await bench.press(number, "break_glass", GLASS)
    record = await bench.ended(number, "SUCCEEDED")
    assert (record.approved_by, record.glass_broken_by, world.executed) == ((), GLASS, 1)
    told = await posts(bench)
    assert set(told) == {"C1", APPROVER, SECOND}
    assert all("Glass broken" in text for text in told.values())
    entry = next(one for one in await bench.store.audit(limit=50) if one.tag == "job:break-glass")
    assert entry.actor == GLASS
    assert "disk on fire" in entry.detail
    assert APPROVER in entry.detail
    verdict = (await card(bench, number)).parts[0]
    assert isinstance(verdict, Verdict)
    assert any("NOT APPROVED, glass broken by" in plain(fact) for fact in verdict.beside)


async def test_nobody_but_the_named_role_breaks_glass(bench: Bench, world: World) -> None:
    number = await waiting(bench, world, who=OPERATOR)
    for person in (OPERATOR, APPROVER, ADMIN):
        with pytest.raises(NotAllowed, match="break-glass role"):
            await bench.press(number, "break_glass", person)
    world.roles[ADMIN] = frozenset({Role.BREAK_GLASS})
    with pytest.raises(NotAllowed, match="operator role"):
        await bench.press(number, "break_glass", ADMIN)
    assert world.executed == 0
    assert await posts(bench) == {}


async def test_a_job_without_a_reason_asks_for_one_before_glass_is_broken(bench: Bench, world: World) -> None:
    number = await waiting(bench, world, reason="  ")
    buttons = [each for part in (await card(bench, number)).parts if isinstance(part, Choices) for each in part.buttons]
    assert [one.action for one in buttons if one.label == "Break glass"] == ["why_glass"]
    with pytest.raises(Refused, match="needs a reason"):
        await bench.press(number, "break_glass", GLASS)
    assert world.executed == 0
    await bench.press(number, "break_glass", GLASS, reason="disk on fire")
    record = await bench.ended(number, "SUCCEEDED")
    assert [one.reason for one in record.decisions if one.verdict == "break_glass"] == ["disk on fire"]
    entry = next(one for one in await bench.store.audit(limit=50) if one.tag == "job:break-glass")
    assert "disk on fire" in entry.detail


async def test_a_denial_is_explained_once_and_by_nobody_else(bench: Bench, world: World) -> None:
    number = await waiting(bench, world, who=OPERATOR)
    reasons = Reasons(bench.store, world, bench.engine.operations)
    denier, other = Sender("T", APPROVER, "C1"), Sender("T", SECOND, "C1")
    await bench.press(number, "deny", APPROVER)
    click = 2  # after the Confirm
    assert (await bench.store.job(number)).state is JobState.DENIED
    assert await reasons.after(other, click) is None
    question = await reasons.after(denier, click)
    assert question is not None
    with pytest.raises(NotAllowed, match="Only who denied"):
        await reasons.explain(other, question.key, "I say so")
    await reasons.explain(denier, question.key, "backup is running")
    with pytest.raises(Refused, match="already"):
        await reasons.explain(denier, question.key, "something else")
    assert any("Denied by" in plain(one) and "backup is running" in plain(one) for one in await facts(bench, number))
    assert any("says why: “backup is running”" in one for one in await replies(bench, number))
    entry = next(one for one in await bench.store.audit(limit=50) if one.tag == "job:explain-denial")
    assert (entry.actor, entry.job, "backup is running" in entry.detail) == (APPROVER, number, True)


async def test_where_nobody_can_approve_glass_is_the_only_way_and_needs_its_role(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    del world.roles[APPROVER], world.roles[SECOND]
    with pytest.raises(Refused, match="approver role must approve it besides you, and nobody else has it"):
        await bench.propose(OPERATOR, reason="disk on fire")
    number = await waiting(bench, world)
    await bench.press(number, "break_glass", GLASS)
    await bench.ended(number, "SUCCEEDED")


async def test_broken_glass_does_not_hide_what_has_changed(bench: Bench, world: World) -> None:
    number = await waiting(bench, world)
    world.at = "h9"
    await bench.press(number, "break_glass", GLASS)
    await bench.ended(number, "STALE")
    assert world.executed == 0


async def test_whoever_broke_the_glass_must_still_have_the_role_when_it_starts(bench: Bench, world: World) -> None:
    number = await waiting(bench, world)
    world.silent = True
    await bench.press(number, "break_glass", GLASS)
    world.roles[GLASS] = frozenset({Role.OPERATOR})
    world.silent = False
    record = await bench.ended(number, "STALE")
    assert "break-glass role" in plain(record.drifted[0])


async def test_a_rule_may_ask_for_more_people_than_the_risk(bench: Bench, world: World) -> None:
    plan = msgspec.structs.replace(world.plan(), approvers=2)
    number = await bench.propose(plan=plan)
    await bench.press(number, "confirm")
    await bench.press(number, "approve", APPROVER)
    assert (await bench.store.job(number)).state is JobState.AWAITING_APPROVAL
    await bench.press(number, "approve", SECOND)
    await bench.ended(number, "SUCCEEDED")


async def test_approvers_are_reminded_once_before_a_request_expires_and_expiry_is_no_denial(
    bench: Bench, world: World
) -> None:
    number = await waiting(bench, world, who=OPERATOR)
    await replies(bench, number)
    bench.now += 49 * MINUTE
    await bench.engine.deadlines.look()
    assert await replies(bench, number) == []
    bench.now += 2 * MINUTE
    await bench.engine.deadlines.look()
    await bench.engine.deadlines.look()
    (line,) = await replies(bench, number)
    assert line.startswith(f"@{SECOND}, @{APPROVER}: job {number} still needs one person to approve it.")
    bench.now += 10 * MINUTE
    record = await bench.ended(number, "EXPIRED")
    assert "Expired without a decision" in plain((await card(bench, number)).summary)
    tags = [one.tag for one in await bench.store.audit(limit=50)]
    assert tags.count("job:remind") == 1
    assert "job:expire" in tags
    assert "job:deny" not in tags
    assert record.finished_at is not None


async def test_an_approval_is_good_only_as_long_as_the_job_has_to_start(bench: Bench, world: World) -> None:
    number = await waiting(bench, world, who=OPERATOR)
    world.silent = True
    await bench.press(number, "approve", APPROVER)
    bench.now += 59 * MINUTE
    await bench.engine.deadlines.look()
    assert (await bench.store.job(number)).state is JobState.QUEUED
    bench.now += 2 * MINUTE
    world.silent = False
    record = await bench.ended(number, "EXPIRED", "SUCCEEDED")
    assert (record.state, world.executed) == (JobState.EXPIRED, 0)
    shown = await card(bench, number)
    assert "Not started in time" in plain(shown.summary)
    assert "Ask again" in labels(shown)


async def test_nothing_is_let_through_while_slack_or_the_pool_cannot_tell_whether_it_may(
    bench: Bench, world: World
) -> None:
    async def nobody(_team: str, _user: str) -> object:
        raise DirectorySilent("Slack does not answer.")

    record = await bench.store.job(await bench.propose())
    judge = bench.engine.gate.judge
    assert await judge(record) == ()
    person, world.person = world.person, nobody  # type: ignore[method-assign]  # Slack does not answer
    found = await judge(record)
    assert isinstance(found, Wait)
    assert "Slack cannot be asked who may do this" in plain(found.hint)
    world.person = person  # type: ignore[method-assign]  # and answers again
    world.grade = Grade.UNKNOWN
    found = await judge(record)
    assert isinstance(found, Wait)
    assert plain(found.hint).startswith("Waiting: ")
    world.grade = Grade.OK
    assert await judge(record) == ()


async def test_a_policy_that_has_become_stricter_counts_for_what_has_not_started(bench: Bench, world: World) -> None:
    world.silent = True
    number = await bench.started()
    await bench.crash()
    bench.approval = msgspec.structs.replace(bench.approval, low=1)
    await bench.open()
    world.silent = False
    record = await bench.ended(number, "STALE", "SUCCEEDED")
    assert [plain(one) for one in record.drifted] == ["it needs more approvals now than it has"]
    assert world.executed == 0


async def test_the_last_look_knows_what_our_other_jobs_moved_since_the_plan(bench: Bench, world: World) -> None:
    earlier = await bench.propose()
    await bench.press(earlier, "confirm")
    await bench.ended(earlier, "SUCCEEDED")
    bench.now += 1
    world.at, world.risk = "h1", Risk.HIGH
    target = msgspec.structs.replace(world.plan().targets[0], uuid="v2")
    plan = msgspec.structs.replace(world.plan(), placements=(Placement("v2", "h1", "Running", ()),), targets=(target,))
    number = await bench.propose(plan=plan)
    await bench.press(number, "confirm")
    assert await bench.store.homes(await bench.store.job(number)) == {}, "what had ended before it was planned is known"
    world.risk = Risk.LOW
    meanwhile = await bench.propose()
    await bench.press(meanwhile, "confirm")
    await bench.ended(meanwhile, "SUCCEEDED")
    await bench.press(number, "approve", APPROVER)
    await bench.ended(number, "STALE", "SUCCEEDED")
    assert world.homes == {"v1": "h1"}


@pytest.mark.parametrize("told", [True, False])
async def test_the_end_of_the_way_back_is_news_only_where_the_result_was_not_told_yet(
    bench: Bench, world: World, *, told: bool
) -> None:
    async def reverse(*_args: object) -> Plan:
        return world.plan()

    bench.engine.operations["move"] = msgspec.structs.replace(bench.engine.operations["move"], reverse=reverse)
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.ended(number, "SUCCEEDED")
    if told:
        for parcel in await bench.store.due():
            await bench.store.delivered(parcel.id, "1.1")
    bench.now += 16 * MINUTE
    await bench.engine.deadlines.look()
    (left,) = [parcel for parcel in await bench.store.due() if parcel.kind == "card"]
    assert left.edit_only is told


async def test_the_way_back_is_offered_for_a_quarter_of_an_hour(bench: Bench, world: World) -> None:
    async def reverse(*_args: object) -> Plan:
        return world.plan()

    bench.engine.operations["move"] = msgspec.structs.replace(bench.engine.operations["move"], reverse=reverse)
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.ended(number, "SUCCEEDED")
    assert "Move back" in labels(await card(bench, number))
    bench.now += 14 * MINUTE
    await bench.engine.deadlines.look()
    assert "Move back" in labels(await card(bench, number))
    bench.now += 2 * MINUTE
    await bench.engine.deadlines.look()
    assert "Move back" not in labels(await card(bench, number))
    with pytest.raises(Refused, match="too late"):
        await bench.press(number, "move_back")


@pytest.mark.parametrize("stays", [True, False])
async def test_the_way_back_is_no_longer_offered_once_a_later_job_may_leave_the_guest_elsewhere(
    bench: Bench, world: World, *, stays: bool
) -> None:
    async def reverse(*_args: object) -> Plan:
        return world.plan()

    move = msgspec.structs.replace(bench.engine.operations["move"], reverse=reverse)

    async def again(*_args: object) -> Plan:
        return msgspec.structs.replace(world.plan(), operation="later")

    later = msgspec.structs.replace(move, name="later", replan=again, reverse=None, stays=stays)
    bench.engine.operations["move"], bench.engine.operations["later"] = move, later
    first = await bench.propose()
    await bench.press(first, "confirm")
    await bench.ended(first, "SUCCEEDED")
    assert "Move back" in labels(await card(bench, first))
    world.released.clear()
    second = await bench.propose(plan=await again())
    await bench.press(second, "confirm")

    async def under_way() -> bool:
        return world.executed == 2

    await bench.until(under_way)
    assert ("Move back" in labels(await card(bench, first))) is stays
    world.released.set()
    await bench.ended(second, "SUCCEEDED")
    if not stays:
        with pytest.raises(Refused, match="too late"):
            await bench.press(first, "move_back")
