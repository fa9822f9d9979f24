"""Plans for starting, stopping and rebooting, and the looks that say whether it happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import migration_facts as world
import msgspec
import pytest
from reviewed import reviewed

from bot.domain.calls import Call, Flag, Ref
from bot.domain.guest_facts import MigrationFacts, PowerFacts, Whereabouts, XapiVerdict
from bot.domain.inventory import PowerState, Tools
from bot.domain.message import Mark, Verdict
from bot.domain.plain_text import text_of
from bot.domain.plan import Check, Grade, Plan, Risk, ceiling, digest, drift
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.domain.texts import plain
from bot.jobs import story
from bot.operations import reboot, start, stop
from bot.operations.base import Operation, Seen
from bot.operations.drivers import SETTLES_S

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"
NOW = 1_000_000.0
SETTINGS = ApprovalSettings()


def facts(
    *, valid: str = "", refusals: dict[str, XapiVerdict] | None = None, own: bool = False, **vm: Any
) -> PowerFacts:
    guest = world.guest(**{"started_at": NOW - 3600, "tools": Tools.PRESENT, **vm})
    hosts = (world.host(1), world.host(3))
    operations = ["start", "resume", "unpause", "clean_shutdown", "hard_shutdown", "clean_reboot", "hard_reboot"]
    return PowerFacts(
        pool=world.POOL,
        vm=guest,
        host=hosts[0] if guest.host else None,
        hosts=hosts,
        verdicts={one.uuid: XapiVerdict("") for one in hosts} | (refusals or {}),
        valid=dict.fromkeys(operations, XapiVerdict(valid, (guest.name,) if valid else ())),
        own=own,
        read_at=NOW,
    )


def halted(**changes: Any) -> PowerFacts:
    return facts(**{"power_state": PowerState.HALTED, "host": None, **changes})


def stopped(plan: Plan) -> list[str]:
    return [check.key for check in plan.blocked]


def of(plan: Plan, key: str) -> Check:
    return next(check for check in plan.checks if check.key == key)


def test_a_start_leaves_the_choice_of_the_host_to_xapi_and_names_those_that_fit() -> None:
    plan = start.decide(halted(), SETTINGS)
    assert not plan.blocked
    assert plan.steps[0].call == Call("VM.start", (Ref("VM", "vm-1"), Flag(value=False), Flag(value=False)))
    assert [plain(line) for line in plan.after] == ["It can run on xenserver1, xenserver3; XAPI chooses."]
    assert plan.risk is Risk.LOW
    assert [lock.text for lock in plan.locks] == ["VM:vm-1"]


@pytest.mark.parametrize(
    ("state", "method", "title"),
    [
        (PowerState.HALTED, "VM.start", "Start centos54"),
        (PowerState.SUSPENDED, "VM.resume", "Resume centos54"),
        (PowerState.PAUSED, "VM.unpause", "Unpause centos54"),
    ],
)
def test_start_does_what_the_power_state_asks_for(state: PowerState, method: str, title: str) -> None:
    plan = start.decide(facts(power_state=state), SETTINGS)
    assert (plan.steps[0].call.method, plain(plan.title)) == (method, title)
    assert not plan.blocked


def test_a_guest_that_fits_nowhere_is_told_why_for_every_host() -> None:
    silent = msgspec.structs.replace(world.host(3), silent_since=NOW - 60)
    refusals = {"h-1": XapiVerdict("HOST_NOT_ENOUGH_FREE_MEMORY", (str(4 << 30), str(1 << 30)))}
    found = msgspec.structs.replace(halted(refusals=refusals), hosts=(world.host(1), silent))
    plan = start.decide(found, SETTINGS)
    assert stopped(plan) == ["host"]
    fact = plain(of(plan, "host").fact)
    assert "xenserver1: not enough memory: 4 GiB needed, 1 GiB available" in fact
    assert "xenserver3: it does not answer our probe" in fact


def reads_as_reviewed(name: str, text: str) -> bool:
    return reviewed(GOLDEN / f"{name}.txt", text) == text


def refusal(plan: Plan, operation: Operation) -> str:
    return text_of(story.refused(plan, operation))


def test_refusals_read_as_filed() -> None:
    winxp = facts(name="winxp", tools=Tools.NONE, valid="VM_LACKS_FEATURE")
    assert reads_as_reviewed("stop-winxp-refused", refusal(stop.decide(winxp, SETTINGS, hard=False), stop.OPERATION))
    full = {
        "h-1": XapiVerdict("HOST_NOT_ENOUGH_FREE_MEMORY", (str(48 << 30), str(21 << 30))),
        "h-3": XapiVerdict("VM_REQUIRES_SR", ("db1", "Local storage")),
    }
    nowhere = start.decide(halted(name="db1", refusals=full), SETTINGS)
    assert reads_as_reviewed("start-db1-refused", refusal(nowhere, start.OPERATION))


def test_hosts_nobody_could_ask_about_are_no_verdict() -> None:
    plan = start.decide(msgspec.structs.replace(halted(), verdicts={}), SETTINGS)
    assert [check.key for check in plan.unclear] == ["host"]


@pytest.mark.parametrize("operation", [stop, reboot])
def test_a_clean_way_asks_the_guest_and_is_of_medium_risk(operation: Any) -> None:
    plan = operation.decide(facts(), SETTINGS, hard=False)
    assert not plan.blocked
    assert plan.risk is Risk.MEDIUM
    assert plan.steps[0].call.method in {"VM.clean_shutdown", "VM.clean_reboot"}


@pytest.mark.parametrize("operation", [stop, reboot])
def test_the_hard_way_is_of_high_risk_and_critical_for_a_critical_guest(operation: Any) -> None:
    plan = operation.decide(facts(tools=Tools.NONE, valid=""), SETTINGS, hard=True)
    assert plan.risk is Risk.HIGH
    assert of(plan, "loss").grade is Grade.WARNING
    tagged = facts(tags=frozenset({"critical"}))
    assert operation.decide(tagged, SETTINGS, hard=True).risk is Risk.CRITICAL
    assert operation.decide(tagged, SETTINGS, hard=False).risk is Risk.HIGH
    assert start.decide(halted(tags=frozenset({"critical"})), SETTINGS).risk is Risk.LOW


def test_rules_by_pool_and_tag_hold_for_power_too() -> None:
    rule = ApprovalRule(pool="experiment", risk=Risk.CRITICAL, approvers=3)
    strict = ApprovalSettings(rules=(rule,))
    for plan in (start.decide(halted(), strict), stop.decide(facts(), strict, hard=False)):
        assert (plan.risk, plan.approvers) == (Risk.CRITICAL, 3)


def test_a_guest_that_cannot_be_asked_is_refused_and_only_then_the_hard_way_offered() -> None:
    plan = stop.decide(facts(tools=Tools.NONE, valid="VM_LACKS_FEATURE"), SETTINGS, hard=False)
    assert stopped(plan) == ["cooperation"]
    assert stop.OPERATION.instead is not None
    assert [button.target for button in stop.OPERATION.instead(plan)] == ["stop vm-1 hard"]
    off = stop.decide(halted(valid="VM_BAD_POWER_STATE"), SETTINGS, hard=False)
    assert stopped(off) == ["power"]
    assert stop.OPERATION.instead(off) == ()
    assert stop.OPERATION.instead(stop.decide(facts(), SETTINGS, hard=True)) == ()


def test_an_agent_that_is_only_late_is_a_warning() -> None:
    for changes in ({"tools": Tools.NO_AGENT}, {"tools": Tools.NONE, "started_at": NOW - SETTLES_S / 2}):
        plan = reboot.decide(facts(**changes), SETTINGS, hard=False)
        assert not plan.blocked
        assert of(plan, "cooperation").grade is Grade.WARNING


@pytest.mark.parametrize("hard", [False, True])
def test_the_guest_xenbot_runs_in_is_never_stopped(hard: bool) -> None:  # noqa: FBT001  a parameter of the test
    assert stopped(stop.decide(facts(own=True), SETTINGS, hard=hard)) == ["itself"]
    assert stopped(reboot.decide(facts(own=True), SETTINGS, hard=hard)) == ["itself"]
    assert stop.OPERATION.instead is not None
    assert stop.OPERATION.instead(stop.decide(facts(own=True), SETTINGS, hard=hard)) == ()
    assert not start.decide(halted(own=True), SETTINGS).blocked


def test_a_block_set_by_someone_else_stops_it_with_its_reason_and_our_own_does_not() -> None:
    locked = facts(blocked_operations={"clean_shutdown": "payroll until Friday"}, valid="OPERATION_BLOCKED")
    plan = stop.decide(locked, SETTINGS, hard=False)
    assert stopped(plan) == ["blocked"]
    assert "payroll until Friday" in plain(of(plan, "blocked").fact)
    ours = facts(blocked_operations={"clean_shutdown": "xenbot job 7 until noon"})
    assert not stop.decide(ours, SETTINGS, hard=False).blocked


def test_other_work_stops_the_clean_way_and_warns_of_the_hard_way() -> None:
    busy = facts(operations={"export": "Backup of centos54"}, valid="OTHER_OPERATION_IN_PROGRESS")
    assert stopped(stop.decide(busy, SETTINGS, hard=False)) == ["busy"]
    hard = stop.decide(busy, SETTINGS, hard=True)
    assert not hard.blocked
    assert of(hard, "busy").grade is Grade.WARNING


def test_what_only_xapi_objects_to_stops_it_by_its_code() -> None:
    plan = stop.decide(facts(valid="SOMETHING_NEW"), SETTINGS, hard=False)
    assert stopped(plan) == ["xapi"]
    assert "SOMETHING_NEW" in plain(of(plan, "xapi").fact)


def test_an_approval_is_void_once_the_guest_has_been_rebooted() -> None:
    before = reboot.decide(facts(), SETTINGS, hard=False)
    after = reboot.decide(facts(started_at=NOW - 5), SETTINGS, hard=False)
    assert digest(before) != digest(after)
    assert [plain(line) for line in drift(before, ceiling(before), after)] == ["centos54 has been rebooted since"]


class Pool:
    """A pool in which the guest is as told."""

    def __init__(
        self, state: PowerState, *, host: str | None = "h-1", booted: float = NOW - 3600, doing: str = ""
    ) -> None:
        operations = (doing,) if doing else ()
        self.now = Whereabouts(state, host, None, operations, Tools.PRESENT, ("192.0.2.7",), booted)

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        assert (pool, vm) == ("p-1", "vm-1")
        return self.now

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        raise NotImplementedError

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        raise NotImplementedError

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("operation", "plan", "pool", "seen", "words"),
    [
        (start.OPERATION, start.decide(halted(), SETTINGS), Pool(PowerState.RUNNING), Seen.DONE, "runs on xenserver1"),
        (
            start.OPERATION,
            start.decide(halted(), SETTINGS),
            Pool(PowerState.HALTED, host=None),
            Seen.NOT_DONE,
            "halted",
        ),
        (
            start.OPERATION,
            start.decide(halted(), SETTINGS),
            Pool(PowerState.RUNNING, doing="start"),
            Seen.GOING_ON,
            "is starting",
        ),
        (
            start.OPERATION,
            start.decide(facts(power_state=PowerState.SUSPENDED, host=None), SETTINGS),
            Pool(PowerState.HALTED, host=None),
            Seen.HARMED,
            "it was suspended before",
        ),
        (stop.OPERATION, stop.decide(facts(), SETTINGS, hard=False), Pool(PowerState.HALTED), Seen.DONE, "is off"),
        (
            stop.OPERATION,
            stop.decide(facts(), SETTINGS, hard=False),
            Pool(PowerState.RUNNING),
            Seen.NOT_DONE,
            "still running",
        ),
        (
            stop.OPERATION,
            stop.decide(facts(), SETTINGS, hard=True),
            Pool(PowerState.RUNNING, doing="hard_shutdown"),
            Seen.GOING_ON,
            "shutting down",
        ),
        (
            reboot.OPERATION,
            reboot.decide(facts(), SETTINGS, hard=False),
            Pool(PowerState.RUNNING, booted=NOW),
            Seen.DONE,
            "has rebooted",
        ),
        (
            reboot.OPERATION,
            reboot.decide(facts(), SETTINGS, hard=False),
            Pool(PowerState.RUNNING),
            Seen.NOT_DONE,
            "has not rebooted",
        ),
        (
            reboot.OPERATION,
            reboot.decide(facts(), SETTINGS, hard=True),
            Pool(PowerState.HALTED, host=None),
            Seen.HARMED,
            "it was running before",
        ),
        (
            reboot.OPERATION,
            reboot.decide(facts(power_state=PowerState.PAUSED), SETTINGS, hard=True),
            Pool(PowerState.PAUSED),
            Seen.NOT_DONE,
            "is still paused",
        ),
    ],
)
async def test_the_look_says_what_is_true(operation: Operation, plan: Plan, pool: Pool, seen: Seen, words: str) -> None:
    look = await operation.look(plan, plan.steps[0], pool)
    assert look.seen is seen
    assert words in plain(look.headline)


def test_what_is_so_already_is_told_as_a_fact_and_not_as_a_failure() -> None:
    for plan, said in (
        (start.decide(facts(), SETTINGS), "centos54 is running already"),
        (stop.decide(halted(), SETTINGS, hard=False), "centos54 is halted already"),
    ):
        assert plan.blocked
        answer = story.refused(plan)
        (verdict,) = answer.parts
        assert isinstance(verdict, Verdict)
        assert (plain(verdict.headline), verdict.mark) == (f"Nothing has to be done: {said}", Mark.PLAIN)
    off = story.refused(reboot.decide(halted(), SETTINGS, hard=False))
    assert "cannot be rebooted" in plain(off.summary)


def after(read: PowerFacts) -> str:
    (line,) = stop.decide(read, SETTINGS, hard=False).after
    return plain(line)


def test_what_may_start_a_stopped_guest_again_is_told() -> None:
    assert after(facts()) == "Afterwards it is off, and nothing in its pool starts it again by itself."
    started = msgspec.structs.replace(facts(), auto_start=True)
    assert "starts it again whenever the pool comes up (auto_poweron)" in after(started)
    guarded = facts(ha_protected=True)
    assert "nothing in its pool" in after(guarded)
    pool = msgspec.structs.replace(world.POOL, ha_enabled=True)
    assert "high availability leaves it off" in after(msgspec.structs.replace(guarded, pool=pool))


@pytest.mark.parametrize("operation", [stop, reboot])
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("silent", [{"silent_since": NOW - 120}, {"live": False}])
def test_a_guest_on_a_silent_host_is_stopped_only_with_a_warning(
    operation: Any, silent: dict[str, Any], *, hard: bool
) -> None:
    read = msgspec.structs.replace(facts(), host=world.host(1, **silent))
    plan = operation.decide(read, SETTINGS, hard=hard)
    warned = of(plan, "host-silent")
    assert warned.grade is Grade.WARNING
    assert "xenserver1, where centos54 runs, has been silent" in plain(warned.fact)
    assert warned.fix is not None
    fresh = operation.decide(facts(), SETTINGS, hard=hard)
    assert any("silent" in plain(line) for line in drift(fresh, ceiling(fresh), plan))


def test_a_restored_guest_is_not_started_beside_the_one_it_is_a_copy_of_without_an_approval() -> None:
    plan = start.decide(msgspec.structs.replace(halted(), origins=("web",)), SETTINGS)
    assert not plan.blocked
    assert plan.risk is Risk.HIGH
    assert [plain(one) for one in plan.risk_reasons] == [
        "it starts while web runs: inside, both have the same name and addresses"
    ]
