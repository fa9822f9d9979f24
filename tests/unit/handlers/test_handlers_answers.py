"""What each command answers, through the grammar and the registry, from ports made by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ports import Room, phrases
from small_fleet import NOW, VIEW, guest, host, record

from bot.commands import Registry
from bot.domain.audit import GENESIS, Break, Entry
from bot.domain.inventory import FeedState
from bot.domain.job import JobState
from bot.domain.message import Mark, Message, Table, Verdict
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.record import Decision, Freeze, StepRecord, StepState
from bot.domain.texts import Phrase, plain, say
from bot.domain.words import state_word, step_word
from bot.errors import Ambiguous, NotFound, NotUnderstood, Refused

# The contract of the slash command, also for commands that are yet to come.
TABLE = {
    Role.VIEWER: "help schedule-list whoami about status vms why pool-check tools jobs job backups audit",
    Role.OPERATOR: "migrate move-disks eject start stop reboot backup verify rehearse restore evacuate enable return"
    " plug sr-check clean-up cancel mute unmute move-by-backup retire roll-back",
    Role.ADMIN: "pool-join sr-add schedule schedule-pool-check schedule-pause schedule-resume schedule-remove"
    " resolve freeze unfreeze",
}


def view(**changes: Any) -> Any:
    return msgspec.structs.replace(VIEW, **changes)


def test_roles_are_as_the_table_says() -> None:
    roles = {command.word: command.role for command in Registry.discover().commands}
    assert roles
    assert roles == {
        word: next(role for role, words in TABLE.items() if word.replace(" ", "-") in words.split()) for word in roles
    }


async def test_migrate_without_a_host_plans_for_the_best_one_and_offers_the_others() -> None:
    plan = await Room().type("migrate centos54")
    assert isinstance(plan, Plan)
    assert [target.name for target in plan.targets] == ["centos54", "xenserver3"]
    assert plan.chosen is not None
    assert plain(plan.chosen) == "xenserver3 is the only other host that can take centos54 now"


async def test_move_disks_plans_every_disk_or_those_that_are_named() -> None:
    plan = await Room().type("move-disks centos54 to san reason making room")
    assert isinstance(plan, Plan)
    assert plain(plan.title) == "Move disk 0 of centos54 to san"
    named = await Room().type("move-disks centos54 disk 0, 3 to san")
    assert isinstance(named, Plan)
    assert [plain(check.fact) for check in named.blocked] == ["centos54 has no disk 3"]
    with pytest.raises(NotUnderstood):
        await Room().type("move-disks centos54")


@pytest.mark.parametrize("word", ["retire", "roll-back"])
async def test_what_follows_a_move_by_backup_needs_one_that_went_well(word: str) -> None:
    with pytest.raises(Refused, match="was not moved by backup"):
        await Room().type(f"{word} centos54")


async def test_why_shows_every_other_host_and_what_is_in_the_way() -> None:
    text = await Room().read("why centos54")
    assert "centos54 can go to 1 of 1 other host" in text
    assert "xenserver3" in text


async def test_migrate_makes_a_plan_and_leaves_the_reason_to_the_job() -> None:
    plan = await Room().type("migrate centos54 to xenserver3 reason kernel update")
    assert isinstance(plan, Plan)
    assert plain(plan.title) == "Migrate centos54: xenserver1 → xenserver3"
    assert not plan.blocked


@pytest.mark.parametrize(
    ("words", "method", "title"),
    [
        ("start sleeper", "VM.resume", "Resume sleeper"),
        ("stop centos54", "VM.clean_shutdown", "Shut down centos54"),
        ("stop centos54 hard reason it hangs", "VM.hard_shutdown", "Cut the power of centos54"),
        ("stop hard centos54", "VM.hard_shutdown", "Cut the power of centos54"),
        ("reboot centos54 --hard", "VM.hard_reboot", "Reset centos54"),
        ("reboot centos54 reason hard to say", "VM.clean_reboot", "Reboot centos54"),
    ],
)
async def test_power_commands_make_plans(words: str, method: str, title: str) -> None:
    plan = await Room().type(words)
    assert isinstance(plan, Plan)
    assert (plan.steps[0].call.method, plain(plan.title)) == (method, title)


async def test_status_says_what_it_looked_at_and_how_old_that_is() -> None:
    text = await Room().read("status")
    assert "experiment: no host silent, no job waits for you" in text
    assert "facts 2 s old" in text
    assert "pool-check p-1" in text, "what a status does not look at is a button away"
    assert "xenserver1: coordinator, 4 guests, 38 GiB of 64 GiB free" in text


async def test_status_does_not_hide_a_silent_host() -> None:
    room = Room(view(hosts=(host(1), host(3, silent_since=NOW - 120))))
    text = await room.read("status")
    assert "experiment: 1 thing needs you" in text
    assert "xenserver3 is silent for 2 min (our probe); XAPI still says live. 4 guests there are unconfirmed" in text
    assert "38 GiB" not in text.split("xenserver3:", 1)[1]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"age_s": 25.0}, "experiment has not answered for 25 s"),
        (
            {"state": FeedState.LOST, "age_s": 90.0, "reason": "nobody answers"},
            "is lost: nobody answers. Facts are 90 s old",
        ),
        (
            {"state": FeedState.LOADING, "pool": None, "hosts": (), "vms": (), "reason": "no login"},
            "experiment is still loading: no login",
        ),
    ],
)
async def test_status_and_vms_say_when_facts_are_in_doubt(changes: dict[str, Any], expected: str) -> None:
    room = Room(view(**changes))
    assert expected in await room.read("status")
    assert expected in await room.read("vms")


async def test_status_of_no_pools_is_told() -> None:
    room = Room()
    room.fleet.views = ()
    assert "No pool is configured" in await room.read("status")


async def test_status_shows_work_and_the_freeze() -> None:
    room = Room()
    step = StepRecord(118, 0, "pool_migrate", StepState.SENT, progress=0.62)
    room.journal.records = [
        record(118, JobState.RUNNING, steps=(step,)),
        record(119, JobState.NEEDS_ATTENTION),
        record(120, JobState.SUCCEEDED),
    ]
    room.journal.freeze = Freeze("U9", NOW, "storage *work*")
    text = await room.read("status experiment")
    assert "Job 118, running: Migrate centos54: xenserver1 → xenserver3, 62 %" in text
    assert "Job 119 needs a person: Migrate centos54" in text
    assert "Job 120" not in text
    assert "“storage *work*”" in text


async def test_status_of_a_host_names_its_guests() -> None:
    text = await Room().read("status xenserver3")
    assert "xenserver3 is live" in text
    assert "Guests: twin" in text
    assert "xenserver3 is silent" in await Room(view(hosts=(host(1), host(3, silent_since=NOW)))).read(
        "status xenserver3"
    )


async def test_status_of_a_guest_says_what_its_tools_say() -> None:
    text = await Room().read("status winxp")
    assert "winxp is running on xenserver1" in text
    assert "up 2 h" in text
    assert "Tools: none. HVM without PV drivers" in text
    assert "Install the guest tools inside winxp" in text
    assert "Disk 0: 20 GiB on nfs-vhd (shared)" in text
    assert "sleeper is suspended" in await Room().read("status sleeper")


@pytest.mark.parametrize("words", ["status twin", "vms twin", "tools twin", "stop twin"])
async def test_a_shared_name_is_left_to_the_person_to_choose_from(words: str) -> None:
    with pytest.raises(Ambiguous) as several:
        await Room().type(words)
    assert [one.uuid for one in several.value.candidates] == ["vm-6", "vm-7"]


async def test_status_of_nothing_offers_the_nearest_of_all_kinds() -> None:
    with pytest.raises(NotFound) as refusal:
        await Room().type("status xenserver9")
    assert refusal.value.kind == "pool, host or guest"
    assert "xenserver1" in refusal.value.nearest


async def test_vms_is_a_table_by_name_with_filters() -> None:
    async def names(words: str) -> list[str]:
        answer = await Room().type(words)
        assert isinstance(answer, Message)
        return [plain(row[0]) for part in answer.parts if isinstance(part, Table) for row in part.rows]

    everything = await names("vms")
    assert len(everything) == 9
    assert everything == sorted(everything, key=str.casefold)
    assert await names("vms xenserver3") == ["twin"]
    assert await names("vms experiment") == everything
    assert await names("vms state suspended") == ["sleeper"]
    assert await names("vms ｓｔａｔｅ Off") == []
    assert await names("vms suspended") == ["sleeper"]
    assert await names("vms Running like サーバー") == ["日本語サーバー"]
    assert await names("vms without tools") == ["winxp"]
    assert await names("vms like サーバー") == ["日本語サーバー"]
    assert await names("vms xenserver1 like TWIN") == ["twin"]
    assert await names('vms like "way to"') == ["way to go"]
    for wrong in ("vms state broken", "vms without shoes"):
        with pytest.raises(NotUnderstood):
            await Room().type(wrong)
    with pytest.raises(Refused):
        await Room().type("vms winxp")
    for nobody in ("vms nowhere", "vms stopped state running"):
        with pytest.raises(NotFound):
            await Room().type(nobody)


async def test_names_are_values_and_never_part_of_a_template() -> None:
    evil = "{vm} <!channel> *x*"
    room = Room(view(vms=(guest("vm-1", evil),), hosts=(host(1, name="{host}"), host(3))))
    for words in ("vms", f'status "{evil}"', "status {host}", "status"):
        answer = await room.type(words)
        assert isinstance(answer, Message)
        assert all("channel" not in value.template for value in phrases(answer) if isinstance(value, Phrase))
        assert evil in await room.read(words) or "{host}" in await room.read(words)


async def test_jobs_puts_what_waits_for_someone_first() -> None:
    room = Room()
    assert "No job yet" in await room.read("jobs")
    room.journal.records = [
        record(1, JobState.NEEDS_ATTENTION),
        record(2, JobState.SUCCEEDED),
        record(3, JobState.AWAITING_APPROVAL),
    ]
    answer = await room.type("jobs")
    assert isinstance(answer, Message)
    table = next(part for part in answer.parts if isinstance(part, Table))
    assert [plain(row[0]) for row in table.rows] == ["3", "1", "2"]
    assert [plain(row[1]) for row in table.rows] == ["waiting for approval", "needs a person", "done"]
    assert plain(answer.summary) == "Jobs: 2 wait for someone"


async def test_job_tells_the_whole_story() -> None:
    room = Room()
    failed = StepRecord(7, 0, "pool_migrate", StepState.FAILED, error=("VM_LACKS_FEATURE", "centos54"))
    room.journal.records = [
        record(
            7,
            JobState.FAILED,
            reason="kernel *update*",
            decisions=(Decision("U2", "approve", NOW),),
            steps=(failed,),
            outcome=say("centos54 still runs on {host}", host="xenserver1"),
            started_at=NOW - 41,
            finished_at=NOW,
        )
    ]
    text = await room.read("job #7")
    assert "Job 7, failed: Migrate centos54: xenserver1 → xenserver3" in text
    assert "Reason given: “kernel *update*”" in text
    assert "Decided: approved by @U2" in text
    assert "Step 1: Migrate centos54 to xenserver3, failed (VM_LACKS_FEATURE centos54)" in text
    assert "Outcome: centos54 still runs on xenserver1" in text
    assert "Took 41 s" in text
    with pytest.raises(NotFound):
        await room.type("job 8")


async def test_a_step_that_was_given_up_since_its_pool_was_silent_says_so_and_not_how_it_is_kept() -> None:
    sent = StepRecord(118, 0, "pool_migrate", StepState.SENT, task="t", error=("OWN", "cut"))
    said = say("experiment has answered nothing for 15 min; not known: Migrate")
    given_up = msgspec.structs.replace(sent, state=StepState.UNCLEAR, error=sent.given_up(), said=said)
    assert given_up.stood == sent
    room = Room()
    room.journal.records = [record(118, JobState.NEEDS_ATTENTION, steps=(given_up,))]
    text = await room.read("job 118")
    assert "Step 1: Migrate centos54 to xenserver3, unclear (experiment has answered nothing for 15 min; not" in text
    assert "SENT" not in text


async def test_control_commands_reach_the_control_port() -> None:
    room = Room()
    for words in (
        "cancel 119",
        "freeze",
        "freeze reason storage to be moved",
        "freeze storage work",
        "unfreeze",
        "resolve 12",
        "resolve #12 moved",
        "resolve 12 not–moved",
        "resolve １２ not moved",
    ):
        await room.type(words)
    assert room.control.asked == [
        ("cancel", 119, "U1"),
        ("freeze", "U1", ""),
        ("freeze", "U1", "storage to be moved"),
        ("freeze", "U1", "storage work"),
        ("unfreeze", "U1"),
        ("resolve", 12, "U1", ""),
        ("resolve", 12, "U1", "done"),
        ("resolve", 12, "U1", "not-done"),
        ("resolve", 12, "U1", "not-done"),
    ]
    for wrong in ("resolve twelve", "resolve 12 maybe", "resolve ٣"):
        with pytest.raises(NotUnderstood):
            await room.type(wrong)


async def test_audit_lists_and_narrows_to_a_job() -> None:
    room = Room()
    at = "2026-11-23T10:00:00.000000+00:00"
    one = Entry(2, at, "T1", "U1", "job:confirm", 7, "vm-1", "<b>", "d", "", "{}", GENESIS, "h")
    room.journal.entries = [one, msgspec.structs.replace(one, seq=1, actor="", tag="bot:start", job=None)]
    text = await room.read("audit")
    assert "Audit: 2 entries" in text
    assert "job:confirm" in text
    assert "@1795428000" in text
    assert "xenbot" in text
    assert "Audit of job 7: 1 entry" in await room.read("audit job 7")
    with pytest.raises(NotUnderstood):
        await room.type("audit everything")


async def test_audit_verify_says_whole_or_where_it_broke() -> None:
    room = Room()
    room.journal.verdict = (1200, "ab" * 32, None)
    assert "The audit trail is whole: 1,200 entries hold" in await room.read("audit verify")
    room.journal.verdict = (3, "ab" * 32, Break(4, "entry 4 is missing"))
    answer = await room.type("audit verify")
    assert isinstance(answer, Message)
    assert isinstance(answer.parts[0], Verdict)
    assert answer.parts[0].mark is Mark.ATTENTION
    assert "broken at entry 4" in await room.read("audit verify")


async def test_whoami_and_about_answer() -> None:
    assert "Your roles: viewer, operator." in await Room().read("whoami")
    assert "Watches 1 pool; 1 live." in await Room().read("about")


def test_every_state_has_a_word_of_its_own() -> None:
    assert len({state_word(state) for state in JobState}) == len(JobState)
    assert state_word(JobState.NEEDS_ATTENTION) == "needs a person"
    assert len({step_word(state) for state in StepState}) == len(StepState)
