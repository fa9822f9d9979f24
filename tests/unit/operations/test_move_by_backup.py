"""What a move by backup promises, each thing that stops it beforehand, and where it is offered."""

from __future__ import annotations

from collections.abc import Callable

import backup_world as backups
import migration_facts as world
import move_world as moves
import msgspec
import pytest
from migration_facts import GIB
from move_world import MAC, planned, read, source, stops, there, way
from test_golden_cards import job

from bot.domain.calls import Argument, Made, Options, Ref
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.plan import LockKey, Plan, Risk, ceiling, digest, drift
from bot.domain.record import StepRecord, StepState
from bot.domain.restores import Holder, Restored
from bot.domain.texts import plain
from bot.jobs import lanes
from bot.operations import migrate
from bot.operations.move_by_backup_steps import look
from bot.operations.restore_steps import IMPORT, READY, readiness, step_of

HALTED = read(backups.vm(power_state=PowerState.HALTED, host=None))


# The plan


def test_each_step_is_done_in_its_pool_and_the_copy_is_compared_before_it_may_start() -> None:
    plan = planned()
    assert stops(plan) == {}
    assert way(plan) == [
        ("VM.clean_shutdown", ""),
        ("restore.aside", ""),
        ("backup-in-place", ""),
        ("restore.import", "p-2"),
        ("move.compare", "p-2"),
        ("restore.ready", "p-2"),
        ("move.start-copy", "p-2"),
        ("move.watch", "p-2"),
    ]
    assert plan.risk is Risk.HIGH
    assert {step.lane for step in plan.steps} == {"vm-1"}


def test_the_host_of_the_source_is_free_for_other_exports_once_its_own_is_in() -> None:
    held = {step.kind: [f"{key.kind} {key.uuid}" for key in step.holds] for step in planned().steps if step.holds}
    assert held == {
        "VM.clean_shutdown": ["pool p-1", "host h-1", "archive archive"],
        "restore.import": ["archive archive"],
        "move.compare": ["pool p-2", "host h-2"],
    }


def test_nothing_is_held_of_the_other_pool_once_the_copy_is_compared_nor_while_the_move_is_taken_back() -> None:
    plan = planned()
    kinds = [step.kind for step in plan.steps]
    at = {kind: kinds.index(kind) for kind in ("move.compare", "restore.ready", "restore.back")}

    def held(*begun: int) -> tuple[LockKey, ...]:
        states = [StepState.DONE if place in begun else StepState.WAITING for place in range(len(kinds))]
        steps = tuple(StepRecord(7, place, kinds[place], state) for place, state in enumerate(states))
        return lanes.held(job(plan, JobState.RUNNING, steps=steps), list(steps))

    before = range(at["move.compare"] + 1)
    assert {key.kind for key in held(*before)} == {"pool", "host"}
    assert held(*before, at["restore.ready"]) == ()
    assert held(*range(at["move.compare"]), at["restore.back"]) == ()


async def test_the_card_says_by_how_much_a_disk_is_larger_at_its_new_storage() -> None:
    plan = planned()
    step = next(one for one in plan.steps if one.kind == "move.compare")
    call = msgspec.structs.replace(step.call, args=(Ref("VM", "vm-9"), Ref("backup", "b-1")))
    step = msgspec.structs.replace(step, call=call)
    (size,) = next(one.values for one in step_args(plan) if isinstance(one, Options)).values()
    for more, ends in ((0, "what backup b-1 holds"), (4 << 20, "; disk 0 is 4 MiB larger there, all zeros")):
        shown = moves.copy(compared="b-1 4000", sizes={"0": int(size) + more})
        found = await look(plan, step, Shown(shown))  # type: ignore[arg-type]  # as much as is asked
        assert plain(found.headline).replace("`", "").endswith(ends)


def step_args(plan: Plan) -> tuple[Argument, ...]:
    bring = step_of(plan, IMPORT)
    assert bring is not None
    return bring.call.args


class Shown:
    """A pool that shows one guest."""

    def __init__(self, guest: Restored) -> None:
        self.guest = guest

    async def restored(self, _pool: str, _vm: str) -> Restored:
        return self.guest


def test_on_the_way_back_the_copy_is_stopped_first_and_the_guest_does_not_wait_for_the_other_pool() -> None:
    plan = planned()
    back = [(step.kind, step.undoes, step.early, step.only_without) for step in plan.steps if step.undoes]
    assert back == [
        ("move.stop-copy", "copy runs", False, ""),
        ("restore.back", "held", True, "copy runs"),
        ("VM.start", "halt", True, "copy runs"),
        ("restore.remove", "guest", False, "copy runs"),
    ]
    assert all(step.unless_well for step in plan.steps if step.undoes)


def test_the_copy_is_made_of_the_backup_of_this_job_and_has_the_name_and_the_addresses() -> None:
    plan = planned()
    bring, prepare = step_of(plan, IMPORT), step_of(plan, READY)
    assert bring is not None
    assert prepare is not None
    assert [one.name for one in bring.call.args if isinstance(one, Made)] == ["backup vm-1", "archive vm-1"]
    assert Ref("SR", "sr-2") in bring.call.args
    ready = readiness(prepare)
    assert (ready.name, ready.host) == ("centos54", "h-2")
    assert [(nic.device, nic.network, nic.mac) for nic in ready.nics] == [("0", "n-2", MAC)]


def test_a_guest_that_is_off_is_copied_and_started_nowhere() -> None:
    plan = planned(HALTED)
    assert stops(plan) == {}
    assert [kind for kind, _ in way(plan)] == [
        "restore.aside",
        "backup",
        "restore.import",
        "move.compare",
        "restore.ready",
    ]
    assert not any("start" in step.call.method or "shutdown" in step.call.method for step in plan.steps)
    assert "is off, and so is its copy then" in " ".join(map(plain, plan.after))


def test_inside_one_pool_the_copy_goes_the_same_way_to_another_host() -> None:
    near = msgspec.structs.replace(world.host(3), cpu_vendor="AuthenticAMD")
    sr = msgspec.structs.replace(moves.SSD, hosts=frozenset({"h-3"}))
    lan = msgspec.structs.replace(moves.LAN, uuid=world.NETWORK.uuid, hosts=frozenset({"h-1", "h-3"}))
    xapi = {"h-1": (24, 16), "h-3": (24, 16)}
    plan = planned(at=there(pool=world.POOL, hosts=(world.host(1), near), host=near, sr=sr, networks=(lan,), xapi=xapi))
    assert stops(plan) == {}
    assert plan.pools == {"p-1"}
    assert way(plan) == [(kind, pool.replace("p-2", "p-1")) for kind, pool in way(planned())]


@pytest.mark.parametrize(
    ("key", "plan", "says"),
    [
        ("target-version", lambda: planned(at=there(xapi={"h-2": (23, 1)})), "XAPI refuses that"),
        ("target-room", lambda: planned(at=there(sr=msgspec.structs.replace(moves.SSD, used=199 * GIB))), "1 GiB free"),
        ("target-storage", lambda: planned(at=there(sr=None)), "no storage was named"),
        ("target-host", lambda: planned(at=there(needed=99 * GIB)), "no host can run it now"),
        ("target-host", lambda: planned(at=there(host=moves.target(enabled=False))), "disabled"),
        ("target-network:0", lambda: planned(at=there(networks=())), "has no network of that name"),
        ("target-network", lambda: planned(strange=("lan=nowhere",)), "does not name a network card"),
        (
            "target-mac:0",
            lambda: planned(at=there(macs={MAC: (Holder("vm-7", "web", "xenserver2", running=True),)})),
            "two guests with one address",
        ),
        ("archive", lambda: planned(place=backups.place(GIB)), "are needed at least"),
        ("power", lambda: planned(read(backups.vm(power_state=PowerState.SUSPENDED, host=None))), "suspended"),
        ("devices", lambda: planned(read(backups.vm(pci=True))), "a PCI device of its host"),
        ("elsewhere", lambda: planned(at=there(host=world.host(1))), "already runs on xenserver1"),
        (
            "processor",
            lambda: planned(read(backups.vm(hvm=True)), there(host=moves.target(hvm_capable=False))),
            "cannot run such guests",
        ),
        (
            "xapi",
            lambda: planned(read(backups.where(valid={"clean_shutdown": XapiVerdict("HA_OPERATION_WOULD_BREAK")}))),
            "XAPI refuses",
        ),
    ],
)
def test_everything_that_would_stop_the_backup_or_the_restore_stops_it_beforehand(
    key: str, plan: Callable[[], Plan], says: str
) -> None:
    found = stops(plan())
    assert says in found.get(key, ""), found


def test_the_guest_itself_is_no_clash_and_no_advice_is_given_that_a_move_cannot_take() -> None:
    running = Holder("vm-7", "web", "xenserver2", running=True)
    plan = planned(at=there(macs={MAC: (running,)}, names=(running,), needed=99 * GIB))
    advice = " ".join(plain(check.fix) for check in plan.checks if check.fix is not None)
    for word in ("keep-mac", "as <name>", "Or leave out start"):
        assert word not in advice
    mac = next(check for check in planned().checks if check.key == "target-mac")
    assert "centos54 has them too, so that it must stay off" in plain(mac.fact)


def test_what_a_guest_is_called_changes_nothing_of_what_is_done() -> None:
    hostile = '<!channel> `rm` & *bold* ../../etc\u202e"'
    plan = planned(read(backups.vm(name=hostile)), now=source(name=hostile))
    assert stops(plan) == {}
    assert [step.kind for step in plan.steps] == [step.kind for step in planned().steps]
    assert "\u202e" not in plain(plan.title)


@pytest.mark.parametrize(
    "changed",
    [
        planned(HALTED),
        planned(read(backups.vm(host="h-3"))),
        planned(now=source(nics=())),
        planned(now=source(nics=(*source().nics, moves.Nic("1", world.NETWORK.uuid, "02:00:00:00:00:02")))),
        planned(at=there(networks=(msgspec.structs.replace(moves.LAN, uuid="n-3"),))),
        planned(read(backups.vm(disks=(msgspec.structs.replace(world.DISK, size=9 * GIB),)))),
    ],
    ids=["off by now", "on another host", "without its card", "with one more card", "another network", "a larger disk"],
)
def test_a_guest_that_changed_since_is_asked_about_again(changed: Plan) -> None:
    agreed = planned()
    assert digest(planned()) == digest(agreed)
    assert drift(agreed, ceiling(agreed), changed)


def test_a_critical_guest_needs_more_people() -> None:
    assert planned(read(backups.vm(tags=frozenset({"critical"})))).risk is Risk.CRITICAL


# The button on a refusal


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        (world.other_pool(), True),
        (world.facts(target=world.host(3, cpu_vendor="AuthenticAMD")), True),
        (world.db1(), False),
        (world.winxp(), False),
        (msgspec.structs.replace(world.other_pool(), target=moves.target(enabled=False)), False),
        (world.facts(world.guest(pci=True), world.host(3, cpu_vendor="AuthenticAMD")), False),
    ],
    ids=["another pool", "another CPU", "no memory", "no drivers", "a host in maintenance", "a passed-through device"],
)
def test_a_refused_migration_offers_the_copy_only_where_it_would_help(
    facts: migrate.MigrationFacts, *, offered: bool
) -> None:
    instead = migrate.OPERATION.instead
    assert instead is not None
    words = [one.target for one in instead(world.decided(facts)) if one.label == "Copy by backup and restore"]
    assert words == ([f"move-by-backup vm-1 to {facts.target.uuid}"] if offered else [])
