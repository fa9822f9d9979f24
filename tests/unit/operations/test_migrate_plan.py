"""The plan's promise, the look after it, and that arbitrary facts never break the deciding."""

from __future__ import annotations

import migration_facts as world
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from migration_facts import decided, facts, guest, host

from bot.domain.guest_facts import MigrationFacts, Whereabouts, XapiVerdict
from bot.domain.inventory import Disk, Host, Network, Pool, Sr, Tools, Vm
from bot.domain.inventory import PowerState as Power
from bot.domain.plan import Grade, Plan, ceiling, digest, drift
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import migrate
from bot.operations.base import Look, Seen
from bot.operations.discover import operations

WORDS = st.sampled_from(
    ["", "h-1", "h-3", "p-1", "p-2", "Intel", "0-1", "1.2.3", "{vm}", "*\u202e<!channel>", "²", "10"]
)
SIZES = st.integers(-1, 1 << 42)


class FakeFacts:
    """Direct reads that answer what the test says."""

    def __init__(self, migration: MigrationFacts | None = None, now: Whereabouts | None = None) -> None:
        self.read, self.now, self.asked = migration, now, ("", "")

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        self.asked = (vm, host)
        assert self.read is not None
        return self.read

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        self.asked = (pool, vm)
        assert self.now is not None
        return self.now


def anything(of: type[msgspec.Struct], **fixed: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    by_type: dict[object, st.SearchStrategy[object]] = {str: WORDS, int: SIZES}
    made = dict(fixed)
    for field in msgspec.structs.fields(of):
        if field.name not in made:
            made[field.name] = by_type[field.type] if field.type in by_type else st.from_type(field.type)
    return st.builds(of, **made)


HOST_SETS = st.frozensets(WORDS, max_size=2)
SRS = anything(Sr, hosts=HOST_SETS)
VMS = anything(
    Vm,
    host=st.none() | WORDS,
    scheduled_host=st.none() | WORDS,
    tags=st.frozensets(st.sampled_from(["critical", "x"])),
    disks=st.lists(anything(Disk, sr=st.none() | SRS), max_size=2).map(tuple),
    networks=st.lists(anything(Network, hosts=HOST_SETS), max_size=2).map(tuple),
    addresses=st.lists(WORDS, max_size=1).map(tuple),
    blocked_operations=st.dictionaries(st.sampled_from(["pool_migrate", "x"]), WORDS, max_size=2),
    operations=st.dictionaries(WORDS, WORDS, max_size=2),
    workers=st.dictionaries(WORDS, WORDS, max_size=2),
    started_at=st.none(),
)
HOSTS = anything(
    Host,
    silent_since=st.none() | st.floats(0, 1e10),
    operations=st.lists(st.sampled_from(["evacuate", "x"]), max_size=1).map(tuple),
    hardware_versions=st.lists(st.integers(0, 2), max_size=2).map(tuple),
)
POOLS = anything(Pool, default_sr=st.none())
CODES = st.sampled_from(["", "VM_REQUIRES_SR", "HOST_NOT_ENOUGH_FREE_MEMORY", "VM_LACKS_FEATURE", "ODD"])
VERDICTS = st.builds(XapiVerdict, CODES, st.lists(WORDS, max_size=2).map(tuple))
FACTS = anything(
    MigrationFacts,
    vm=VMS,
    pool=POOLS,
    target_pool=POOLS,
    source=st.none() | HOSTS,
    target=HOSTS,
    pool_hosts=st.lists(HOSTS, max_size=2).map(tuple),
    xapi=st.none() | VERDICTS,
    movable=st.none() | VERDICTS,
    neighbours=st.lists(VMS, max_size=2).map(tuple),
    srs=st.lists(SRS, max_size=2).map(tuple),
    busy_hosts=st.just({}),
    read_at=st.just(0.0),
)


@settings(max_examples=60)
@given(FACTS)
def test_no_facts_break_the_deciding(read: MigrationFacts) -> None:
    plan = migrate.decide(read, ApprovalSettings())
    said = [plan.title, *plan.after, *plan.risk_reasons, *(one.fact for one in plan.checks)]
    assert all(isinstance(plain(phrase), str) for phrase in said)
    assert all(one.fix is not None for one in plan.blocked)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@settings(max_examples=40)
@given(FACTS, WORDS)
def test_the_digest_survives_any_renaming(read: MigrationFacts, name: str) -> None:
    vm = msgspec.structs.replace(read.vm, name=name)
    renamed = msgspec.structs.replace(read, vm=vm, target=msgspec.structs.replace(read.target, name=name))
    assert digest(decided(read)) == digest(decided(renamed))


def test_the_digest_holds_what_was_promised() -> None:
    agreed = digest(decided(facts()))
    assert digest(decided(facts(target=host(4)))) != agreed
    assert digest(decided(facts(guest(host="h-9")))) != agreed
    moved = msgspec.structs.replace(world.DISK, vdi="new", sr=world.LOCAL)
    assert digest(decided(facts(guest(disks=(moved,))))) != agreed
    assert digest(decided(facts(guest(disks=(msgspec.structs.replace(world.DISK, vdi="new"),))))) == agreed


def test_disks_stand_in_the_order_of_their_places_without_cds() -> None:
    places = [msgspec.structs.replace(world.DISK, userdevice=at, cd=at == "3") for at in ("10", "3", "2", "0")]
    plan = decided(facts(guest(disks=tuple(places))))
    assert [place for place, _ in plan.placements[0].disks] == ["0", "2", "10"]


def test_every_uuid_of_the_plan_has_a_name() -> None:
    names = decided(world.web_local()).names
    assert {"vm-1", "h-1", "h-3", "p-1", "sr-local1", "n-1"} <= set(names)


def test_getting_worse_voids_an_approval_and_getting_better_does_not() -> None:
    fit = decided(facts())
    worse = decided(facts(target=host(3, enabled=False)))
    assert [plain(one) for one in drift(fit, ceiling(fit), worse)]
    assert drift(worse, ceiling(worse), fit) == ()


async def test_planning_reads_once_by_uuid() -> None:
    reads = FakeFacts(facts())
    plan = await migrate.plan("vm-1", "h-3", reads, ApprovalSettings())
    assert reads.asked == ("vm-1", "h-3")
    again = await migrate.OPERATION.replan(plan, reads, ApprovalSettings(), {})
    assert digest(again) == digest(plan)
    assert reads.asked == ("vm-1", "h-3")


async def test_the_way_back_leads_to_where_it_ran() -> None:
    assert migrate.OPERATION.reverse is not None
    reads = FakeFacts(facts(guest(host="h-3"), host(1), source=host(3)))
    back = await migrate.OPERATION.reverse(decided(facts()), reads, ApprovalSettings())
    assert reads.asked == ("vm-1", "h-1")
    assert plain(back.title) == "Migrate centos54: xenserver3 → xenserver1"
    nowhere = decided(facts(guest(host=None, power_state=Power.HALTED)))
    with pytest.raises(Refused):
        await migrate.OPERATION.reverse(nowhere, reads, ApprovalSettings())


def test_the_operation_is_found_by_its_name() -> None:
    assert operations()["migrate"] is migrate.OPERATION
    assert plain(migrate.OPERATION.running(decided(facts()))) == "Migrating centos54 → xenserver3"


async def looked(**changes: object) -> Look:
    now = Whereabouts(Power.RUNNING, "h-1", None, (), Tools.PRESENT, ("192.0.2.15",))
    plan = decided(facts())
    reads = FakeFacts(now=msgspec.structs.replace(now, **changes))
    return await migrate.OPERATION.look(plan, plan.steps[0], reads)


async def test_the_final_word_is_said_only_of_what_was_seen() -> None:
    look = await looked(host="h-3")
    assert look.seen is Seen.DONE
    assert plain(look.headline) == "centos54 now runs on xenserver3"
    assert [plain(one) for one in look.evidence] == ["Looked at: running, tools answering, address 192.0.2.15"]


@pytest.mark.parametrize(
    ("changes", "seen", "headline"),
    [
        ({}, Seen.NOT_DONE, "centos54 still runs on xenserver1"),
        ({"host": "h-9"}, Seen.NOT_DONE, "centos54 runs on h-9"),
        ({"operations": ("pool_migrate",)}, Seen.GOING_ON, "centos54 is on its way to xenserver3"),
        ({"host": "h-3", "operations": ("pool_migrate",)}, Seen.GOING_ON, "centos54 is on its way to xenserver3"),
        ({"scheduled_host": "h-3"}, Seen.GOING_ON, "centos54 is on its way to xenserver3"),
        ({"host": None}, Seen.GOING_ON, "centos54 is on its way to xenserver3"),
        ({"host": "h-3", "operations": ("snapshot",)}, Seen.DONE, "centos54 now runs on xenserver3"),
        ({"host": None, "power_state": Power.HALTED}, Seen.HARMED, "GUEST IS DOWN: centos54 is halted, it ran before"),
        ({"power_state": Power.PAUSED}, Seen.HARMED, "GUEST IS DOWN: centos54 is paused, it ran before"),
    ],
)
async def test_a_look_tells_what_is_true(changes: dict[str, object], seen: Seen, headline: str) -> None:
    look = await looked(**changes)
    assert (look.seen, plain(look.headline)) == (seen, headline)


@pytest.mark.parametrize(
    ("changes", "headline", "evidence"),
    [
        (
            {"started_at": 1_100.0},
            "centos54 was rebooted at @1100 and runs on xenserver1",
            "when this was planned it had been up since @1000",
        ),
        (
            {"silent_since": 1_200.0},
            "nobody knows whether centos54 runs: xenserver1 is silent",
            "xenserver1 has not answered our own probe since @1200; XAPI still says that centos54 runs there",
        ),
    ],
)
async def test_a_guest_that_did_not_arrive_is_not_called_untouched(
    changes: dict[str, object], headline: str, evidence: str
) -> None:
    now = Whereabouts(Power.RUNNING, "h-1", None, (), Tools.PRESENT, (), started_at=1_000.0)
    plan = decided(facts(guest(started_at=1_000.0)))
    look = await migrate.OPERATION.look(plan, plan.steps[0], FakeFacts(now=msgspec.structs.replace(now, **changes)))
    assert (look.seen, plain(look.headline), plain(look.evidence[-1])) == (Seen.NOT_DONE, headline, evidence)
    same = await migrate.OPERATION.look(plan, plan.steps[0], FakeFacts(now=now))
    assert plain(same.headline) == "centos54 still runs on xenserver1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"host": "h-3"}, ["centos54 was on xenserver1, now it is on xenserver3"]),
        ({"host": "h-9"}, ["centos54 was on xenserver1, now it is on h-9"]),
        ({"host": None, "power_state": Power.HALTED}, ["centos54 was Running, now it is Halted"]),
    ],
)
def test_what_has_changed_is_told_once(changes: dict[str, object], told: list[str]) -> None:
    plan = decided(facts())
    assert [plain(one) for one in drift(plan, ceiling(plan), decided(facts(guest(**changes))))] == told


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("HOST_NOT_ENOUGH_FREE_MEMORY", "The check “Memory” looks for this; it had found: centos54 needs 519 MiB,"),
        ("HOST_DISABLED", "The check “Host enabled” looks for this; it had found: xenserver3 is enabled"),
        ("VM_REQUIRES_GPU", "A check before the move looks for this; it had found nothing in the way."),
        ("INTERNAL_ERROR", "No check before a move looks for this."),
    ],
)
def test_a_failure_names_the_check_that_looks_for_its_cause(code: str, told: str) -> None:
    assert migrate.OPERATION.foreseen is not None
    assert plain(migrate.OPERATION.foreseen(decided(facts()), code)).startswith(told)


def test_grades_of_a_blocked_plan_are_kept_as_ceiling() -> None:
    assert ceiling(decided(world.db1())).grades["memory"] is Grade.BLOCKED
