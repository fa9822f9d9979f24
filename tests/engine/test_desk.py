"""Desk and counter on a real store: a refusal stays one, and Home is made of one reading, for people with a role."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from engine_bench import ADMIN, APPROVER, GLASS, OPERATOR, SECOND, Bench, World

from bot.commands import Registry
from bot.domain.job import JobState
from bot.domain.message import Button, Choices, Facts, Message, Verdict
from bot.domain.plan import Risk
from bot.domain.texts import Moment, Who, plain, say
from bot.errors import Ambiguous, Candidate, DirectorySilent, NotAllowed, NotFound, Refused, Unnamed
from bot.jobs.counter import Counter
from bot.jobs.desk import Desk
from bot.jobs.ports import Sender, Words
from bot.metrics import Metrics
from bot.operations.backed_up import KIND


class NoPools:
    """A fleet without pools: Home and clicks need none."""

    def pools(self) -> tuple[()]:
        return ()

    def vm(self, text: str) -> object:
        raise NotFound("guest", text)


def desk_of(bench: Bench, registry: Registry | None = None) -> Desk:
    return Desk(
        bench.store,
        NoPools(),  # type: ignore[arg-type]  # only pools() is asked here
        bench.world,  # type: ignore[arg-type]  # of the facts only what the engine's tests need
        bench.world,
        registry or Registry.discover(),
        bench.proposals,
        bench.decisions,
        bench.control,
        bench.approval,
        metrics=Metrics([state.value for state in JobState]),
        channels=("C1",),
    )


async def click(bench: Bench, number: int, action: str, who: str) -> int:
    record = await bench.store.job(number)
    return await bench.store.note_click(
        target=record.target, action=action, team="T", person=who, channel="C1", message_ts="", at=bench.now
    )


async def silent(_team: str, _user: str) -> object:
    raise DirectorySilent("I cannot look you up in Slack now (TimeoutError), and without that I refuse.")


@pytest.mark.parametrize(("action", "who"), [("approve", APPROVER), ("cancel", OPERATOR)])
async def test_a_click_that_was_refused_does_not_count_at_the_next_start(
    bench: Bench, world: World, action: str, who: str
) -> None:
    world.risk = Risk.HIGH
    number = await bench.propose()
    await bench.press(number, "confirm")
    asked = await click(bench, number, action, who)
    person, world.person = world.person, silent  # type: ignore[method-assign]  # Slack does not answer
    with pytest.raises(DirectorySilent):
        await desk_of(bench).settle(asked)
    world.person = person  # type: ignore[method-assign]  # and answers again
    await bench.crash()
    await bench.open()
    await desk_of(bench).settle_left_behind()
    assert (await bench.store.job(number)).state is JobState.AWAITING_APPROVAL
    assert (await bench.store.click(asked)).verdict == "refused"
    newest = (await bench.store.audit(limit=1))[0]
    assert (newest.tag, newest.actor) == ("click:refuse", who)


async def test_a_click_that_nobody_was_answered_for_counts_at_the_next_start(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    number = await bench.propose()
    await bench.press(number, "confirm")
    await click(bench, number, "deny", APPROVER)
    await bench.crash()
    await bench.open()
    await desk_of(bench).settle_left_behind()
    assert (await bench.store.job(number)).state is JobState.DENIED


async def test_a_choice_is_carried_out_once_and_refusing_it_is_audited(bench: Bench, world: World) -> None:
    desk, pick = desk_of(bench), await bench.store.keep_pick(OPERATOR, "job", {"job": "x"}, "job")

    async def chosen(channel: str) -> int:
        return await bench.store.note_click(
            target=f"{pick}:1", action="pick", team="T", person=OPERATOR, channel=channel, message_ts="", at=bench.now
        )

    elsewhere = await chosen("C9")
    with pytest.raises(NotAllowed, match="works in"):
        await desk.settle(elsewhere)
    newest = (await bench.store.audit(limit=1))[0]
    assert (newest.tag, newest.actor) == ("click:refuse", OPERATOR)

    await bench.propose()
    # At a start the same click may be met twice: as one that was left behind, and as one that comes in.
    click_id = await chosen("C1")
    answers = await asyncio.gather(desk.settle(click_id), desk.settle(click_id))
    assert [answer is not None for answer in answers].count(True) == 1


async def test_a_question_back_names_the_command_that_waits_for_its_answer(bench: Bench) -> None:
    questions, person = desk_of(bench).questions, await bench.world.person("T", OPERATOR)
    migrate = Registry.discover().find("migrate")
    two = [Candidate("v1", "twin", "on host1"), Candidate("v2", "twin", "on host2")]
    which = await questions.which(migrate, {"vm": "twin"}, person, Ambiguous("guest", "twin", two))
    assert plain(which.summary) == "2 guests are called “twin”. Which one is /xen migrate for?"
    left = await questions.unnamed(migrate, {}, person, Unnamed("pool", "pool", two, "Name one."))
    assert plain(left.summary) == "There are 2 pools, and none was named. Which one is /xen migrate for?"
    near = await questions.nearest(migrate, {"vm": "web2"}, person, NotFound("guest", "web2", ["web1"]))
    verdict = near.parts[0]
    assert isinstance(verdict, Verdict)
    assert [plain(one) for one in verdict.beside] == ["/xen migrate"]
    with pytest.raises(NotFound) as unknown:
        await questions.nearest(migrate, {"backup": "web9"}, person, NotFound(KIND, "web9"))
    assert unknown.value.fix == "`/xen backups` lists the backups; `/xen backup <vm>` makes one."


async def test_home_shows_nothing_to_people_without_a_role(bench: Bench, world: World) -> None:
    await bench.propose()
    world.roles["UNO"] = frozenset()
    counter = Counter(desk_of(bench), "C1")
    with pytest.raises(NotAllowed, match="no role"):
        await counter.home("T", "UNO")


async def test_a_refusal_for_a_missing_role_names_some_who_have_it_and_counts_the_others(
    bench: Bench, world: World
) -> None:
    desk = desk_of(bench)

    async def refused(text: str, who: str) -> NotAllowed:
        with pytest.raises(NotAllowed) as refusal:
            await desk.run(Words("T", who, "C1", text, "", bench.now))
        return refusal.value

    assert (await refused("freeze", OPERATOR)).whom == (ADMIN,)
    # An admin may do what an operator may, and so may whoever holds the role beside another one.
    missing = await refused("cancel 1", SECOND)
    assert (missing.whom, missing.others) == (tuple(sorted((OPERATOR, APPROVER, ADMIN, GLASS)))[:3], 1)
    world.roles["UNO"] = frozenset()
    assert (await refused("status", "UNO")).whom == (ADMIN,)
    assert (await refused("status", "UNO")).fix.startswith("Ask an admin of xenbot")
    del world.roles[ADMIN]
    assert "Nobody has the admin role now" in (await refused("freeze", OPERATOR)).fix
    world.some = silent  # type: ignore[method-assign,assignment]  # Slack does not answer
    assert (await refused("freeze", OPERATOR)).whom == ()
    number = await bench.propose()
    with pytest.raises(NotAllowed, match="approver role"):
        await desk.settle(await click(bench, number, "deny", OPERATOR))


async def test_the_homes_of_one_moment_are_made_of_one_reading(bench: Bench) -> None:
    await bench.propose()
    counter, real, read = Counter(desk_of(bench), "C1"), bench.store.jobs, []

    async def counted(**wanted: object) -> object:
        read.append(wanted)
        return await real(**wanted)  # type: ignore[arg-type]  # passed on as it came

    bench.store.jobs = counted  # type: ignore[method-assign]  # only counted
    for who in (OPERATOR, APPROVER, ADMIN, OPERATOR, APPROVER):
        await counter.home("T", who)
    assert len(read) == 2


async def test_everybody_is_told_of_a_freeze_and_of_its_end_and_a_second_one_keeps_the_reason(bench: Bench) -> None:
    admin = await bench.world.person("T", ADMIN)
    desk = desk_of(bench)
    nothing = await bench.control.unfreeze(admin)
    assert "Nothing is frozen" in plain(nothing.summary)
    assert await bench.store.due() == []
    await bench.control.freeze(admin, "storage is down")
    await bench.control.freeze(admin, "")
    (post,) = await bench.store.due()
    assert (post.kind, post.channel) == ("post", "C1")
    assert "Frozen by" in str(post.message)
    assert "storage is down" in str(post.message)
    held = await bench.store.frozen()
    assert held is not None
    assert (held.by, held.reason) == (ADMIN, "storage is down")

    number = await bench.propose()
    asked = await click(bench, number, "confirm", OPERATOR)
    refusal = await desk.settle(asked)
    assert refusal is not None
    assert {Who(ADMIN), Moment(held.at)} <= set(values(refusal))
    assert (await bench.store.job(number)).state is JobState.PROPOSED

    await bench.control.unfreeze(admin)
    posts = [parcel for parcel in await bench.store.due() if parcel.kind == "post"]
    assert "ended the freeze" in str(posts[-1].message)
    assert len(posts) == 2


def values(message: Message) -> Iterator[object]:
    for part in message.parts:
        for line in part.lines if isinstance(part, Facts) else ():
            yield from line.values.values()


async def test_a_job_that_was_withdrawn_by_a_command_names_who_did_it(bench: Bench) -> None:
    number = await bench.propose()
    await bench.control.cancel(number, await bench.world.person("T", ADMIN))
    (card,) = [parcel for parcel in await bench.store.due() if parcel.kind == "card"]
    assert Who(ADMIN) in set(values(card.message))


async def test_who_asks_for_what_is_asked_for_already_is_led_to_that_job(bench: Bench) -> None:
    number = await bench.propose()
    person = await bench.world.person("T", OPERATOR)
    answer, record = await bench.proposals.propose(bench.world.plan(), person, "C1", "")
    assert record is None
    assert answer is not None
    (choices,) = [part for part in answer.parts if isinstance(part, Choices)]
    assert [(one.action, one.target) for one in choices.buttons] == [("ask", f"job {number}")]


async def test_words_too_long_for_a_button_are_kept_and_typed_by_whoever_presses_it(bench: Bench) -> None:
    desk = desk_of(bench)
    long = "x" * 3000
    words = f'audit csv of "{long}"'
    line = say("found")
    short, kept = Button("Jobs", "ask", "jobs"), Button("As CSV", "ask", words)
    message = await desk.asks.bounded(Message(line, (Verdict(line), Choices((short, kept)))), OPERATOR)
    (choices,) = [part for part in message.parts if isinstance(part, Choices)]
    assert choices.buttons[0] == short
    value = choices.buttons[1].target
    assert len(value) < 50
    press = {"target": value, "action": "ask", "team": "T", "channel": "C1", "message_ts": "", "at": bench.now}
    answer = await desk.settle(await bench.store.note_click(person=ADMIN, **press))
    assert answer is not None
    assert plain(answer.summary).startswith("Audit export about xxx")
    bench.now += 3601
    with pytest.raises(Refused, match="no longer open"):
        await desk.settle(await bench.store.note_click(person=ADMIN, **press))


async def test_a_form_that_is_not_ones_own_is_one_entry_in_a_while_however_much_is_typed(bench: Bench) -> None:
    counter = Counter(desk_of(bench), "C1")

    async def refusals() -> int:
        return sum(entry.tag == "command:refuse" for entry in await bench.store.audit(limit=100))

    for typed in ("w", "we", "web"):
        for who in (APPROVER, SECOND):
            with pytest.raises(NotAllowed):
                await counter.suggest(Sender("T", who, "C1"), "freeze", "reason", typed, {})
    assert await refusals() == 2
    with pytest.raises(NotAllowed):
        await counter.suggest(Sender("T", APPROVER, "C1"), "unfreeze", "reason", "w", {})
    assert await refusals() == 3
    bench.now += 601
    with pytest.raises(NotAllowed):
        await counter.suggest(Sender("T", APPROVER, "C1"), "freeze", "reason", "w", {})
    assert await refusals() == 4
