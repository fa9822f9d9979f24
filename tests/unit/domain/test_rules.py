"""The pure rules: job table, digest and ceiling, phrases, audit seals."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calls import Call, Ref
from bot.domain.inventory import PowerState
from bot.domain.job import FINAL, HOLDS_LOCKS, TRANSITIONS, JobEvent, JobState, follow
from bot.domain.plan import Check, Grade, Placement, Plan, Risk, Step, Target, ceiling, digest, drift
from bot.domain.policy import ApprovalSettings, Role, held
from bot.domain.texts import Phrase, Size, Span, clean, plain, say, size, span
from bot.errors import IllegalTransition


def plan(**changes: object) -> Plan:
    base = Plan(
        operation="migrate",
        pool="p",
        title=say("Migrate {vm}", vm="web"),
        targets=(Target("VM", "v", "web"),),
        placements=(Placement("v", "h1", PowerState.RUNNING.value, (("0", "s"),)),),
        checks=(Check("memory", Grade.OK, "Memory", say("enough")),),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=(Step("migrate", say("go"), Call("VM.pool_migrate", (Ref("VM", "v"), Ref("host", "h2")))),),
        locks=(),
        names={"h1": "one", "h2": "two"},
    )
    return msgspec.structs.replace(base, **changes)


def test_no_line_leads_out_of_a_final_state() -> None:
    for state in FINAL:
        for event in JobEvent:
            with pytest.raises(IllegalTransition):
                follow(state, event)


def test_every_state_can_be_reached_and_every_open_one_can_end() -> None:
    reached = {JobState.PROPOSED} | {after for lines in TRANSITIONS.values() for after in lines.values()}
    assert reached == set(JobState)
    assert all(set(lines.values()) & FINAL or state is JobState.PROPOSED for state, lines in TRANSITIONS.items())


def test_nothing_runs_without_having_been_queued() -> None:
    def before(state: JobState) -> set[JobState]:
        return {one for one, lines in TRANSITIONS.items() if state in lines.values()}

    assert before(JobState.RUNNING) == {JobState.QUEUED, JobState.NEEDS_ATTENTION}
    assert before(JobState.NEEDS_ATTENTION) == {JobState.RUNNING}


def test_a_job_nobody_can_judge_keeps_its_locks() -> None:
    assert JobState.NEEDS_ATTENTION in HOLDS_LOCKS


def test_a_rename_does_not_change_the_promise() -> None:
    assert digest(plan()) == digest(plan(title=say("x"), targets=(Target("VM", "v", "other"),), names={}))


@pytest.mark.parametrize(
    "changes",
    [
        {"placements": (Placement("v", "h9", "Running", (("0", "s"),)),)},
        {"placements": (Placement("v", "h1", "Halted", (("0", "s"),)),)},
        {"placements": (Placement("v", "h1", "Running", (("0", "s2"),)),)},
        {"steps": ()},
        {"operation": "other"},
    ],
)
def test_anything_that_changes_what_runs_changes_the_promise(changes: dict[str, object]) -> None:
    assert digest(plan()) != digest(plan(**changes))
    assert drift(plan(), ceiling(plan()), plan(**changes))


@pytest.mark.parametrize("flag", ["early", "certain"])
def test_when_something_is_taken_back_is_part_of_the_promise(flag: str) -> None:
    (step,) = plan().steps
    assert digest(plan()) != digest(plan(steps=(msgspec.structs.replace(step, **{flag: True}),)))


def test_what_was_promised_before_there_was_a_choice_stays_promised() -> None:
    promised = "8e5036b29d93536e87804eb1cd07bbbc4232ab282668a414775eb543d62cbb06"
    assert digest(plan()) == promised


def test_getting_better_never_voids() -> None:
    warned = plan(checks=(Check("memory", Grade.WARNING, "Memory", say("tight")),), risk=Risk.HIGH)
    assert drift(warned, ceiling(warned), plan()) == ()
    assert drift(plan(), ceiling(plan()), warned)


def test_a_plan_survives_the_store() -> None:
    assert msgspec.json.decode(msgspec.json.encode(plan()), type=Plan) == plan()


def test_admin_does_not_approve_unless_named_as_approver() -> None:
    assert Role.APPROVER not in held(frozenset({Role.ADMIN}))
    assert held(frozenset()) == frozenset()
    assert ApprovalSettings().needed(Risk.HIGH) == 1


INVISIBLE = "\n\r\t\u202e\u200b\x00\u2028\ud800\ue000\u0378"


# Pieces, not an alphabet: of that, all signs of Unicode are drawn alike, and these never.
@given(st.lists(st.text(max_size=20) | st.sampled_from(INVISIBLE)).map("".join))
def test_a_name_never_brings_a_second_line_or_invisible_signs(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= 64
    assert not any(ch in shown for ch in INVISIBLE)


@given(st.text())
def test_a_value_is_never_read_as_a_template(text: str) -> None:
    assert plain(say("[{x}]", x=text)) == f"[{clean(text)}]"


def test_a_place_without_a_value_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="places"):
        say("{a}")


def test_another_language_is_a_mapping_of_templates() -> None:
    from bot.domain.texts import pieces

    phrase = say("{vm} now runs on {host}", vm="a", host="b")
    translated = pieces(phrase, {"{vm} now runs on {host}": "{host} で {vm} が動いています"})
    assert "".join(one if isinstance(one, str) else plain(one[0]) for one in translated) == "b で a が動いています"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (512 << 20, "512 MiB"), (int(48.4 * (1 << 30)), "48.4 GiB"), (64 << 30, "64 GiB"), (1536, "1.5 KiB")],
)
def test_sizes_read_well(n_bytes: int, text: str) -> None:
    assert size(n_bytes) == text
    assert plain(Size(n_bytes)) == text


@pytest.mark.parametrize(
    ("s", "text"), [(0, "0 s"), (41, "41 s"), (180, "3 min"), (7800, "2 h 10 min"), (12 * 86400, "12 d")]
)
def test_durations_read_well(s: float, text: str) -> None:
    assert span(s) == text
    assert plain(Phrase("{t}", {"t": Span(s)})) == text
