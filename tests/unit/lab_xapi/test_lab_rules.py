"""Pure parts of the simulated XAPI: memory, queries, time, sessions, the guard against contradictions."""

import asyncio

import pytest

from bot.lab.xapi.archive.content import Contents
from bot.lab.xapi.assembly import make_pool
from bot.lab.xapi.clock import Clock, Gate
from bot.lab.xapi.consistency import find_contradictions
from bot.lab.xapi.database import LINKS, Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.events import Subscription, collect_events, make_token, parse_token
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.loading import load_world
from bot.lab.xapi.nfs import Outside
from bot.lab.xapi.population import Populated, populate
from bot.lab.xapi.rules.memory import compute_free, compute_overhead, rebalance
from bot.lab.xapi.rules.query import parse_query
from bot.lab.xapi.schema.model import CLASSES, parse_type
from bot.lab.xapi.schema.reading import read_value
from bot.lab.xapi.sessions import Account, Sessions
from bot.lab.xapi.values import MIB, NULL_REF, Value
from bot.lab.xapi.wire.xml_values import encode_value

ROOT = Account("root", "pw", "pool-admin")


@pytest.fixture
def pool() -> Populated:
    return populate(load_world("article"))[0]


def find_guest(pool: Populated, name: str) -> str:
    return next(ref for ref, record in pool.database.items("VM") if record["name_label"] == name)


@pytest.mark.parametrize(
    ("domain_type", "static_max_mib", "vcpus", "overhead_mib"),
    [
        ("hvm", 512, 1, 1 + 1 + 5 + 1),
        ("hvm", 1024, 1, 1 + 1 + 9 + 1),
        ("hvm", 49152, 8, 1 + 1 + 392 + 2),
        ("pv", 512, 1, 1 + 5 + 1),
    ],
)
def test_overhead_follows_memory_and_cpus(domain_type: str, static_max_mib: int, vcpus: int, overhead_mib: int) -> None:
    found = compute_overhead(
        domain_type=domain_type, static_max=static_max_mib * MIB, vcpus=vcpus, shadow_multiplier=1.0
    )
    assert found == overhead_mib * MIB


def test_free_memory_counts_guests_on_their_way(pool: Populated) -> None:
    target = pool.hosts["xenserver3"]
    before = compute_free(pool.database, target)
    pool.database.set("VM", find_guest(pool, "centos54"), scheduled_to_be_resident_on=target)
    assert compute_free(pool.database, target) == before - (512 + 8) * MIB


def test_free_memory_is_never_below_zero(pool: Populated) -> None:
    metrics = pool.database.get("host", pool.hosts["xenserver1"], "metrics")
    pool.database.set("host_metrics", metrics, memory_total=MIB)
    assert compute_free(pool.database, pool.hosts["xenserver1"]) == 0


def test_guests_share_what_is_left_when_memory_is_short(pool: Populated) -> None:
    host, db1 = pool.hosts["xenserver1"], find_guest(pool, "db1")
    pool.database.set("VM", db1, memory_dynamic_min=8192 * MIB)
    metrics = pool.database.get("host", host, "metrics")
    pool.database.set("host_metrics", metrics, memory_total=40 * 1024 * MIB)
    rebalance(pool.database, host)
    record = pool.database.record("VM", db1)
    assert record["memory_dynamic_min"] < record["memory_target"] < record["memory_dynamic_max"]
    assert find_contradictions(pool.database) == []


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("true", True),
        ("not true", False),
        ('field "name__label"="a" and field "domid"="7"', True),
        ('field "name__label"="b" or field "is_a_template"="false"', True),
        ('not (field "name__label"="a") or false', False),
        ('(not field "name__label"="a") or true', True),
        ('field "name__label" = "a"', True),
        ('"x"="x"', True),
        ("true or true and false", False),  # one precedence, from left to right
        ("not false and false", True),  # `not` takes all that follows
        ("true and not false or true", False),
        ("nottrue", False),
        (" \tfield\n\"tags\"=\"('x' 'it\\'s')\" ", True),
        ("field \"other_config\"=\"(('k' 'v'))\"", True),
        ('field "_ref"="OpaqueRef:a"', True),
        ('field "memory__target"="5"', True),
    ],
)
def test_queries_mean_what_they_say(expression: str, holds: bool) -> None:  # noqa: FBT001  a table's column
    record: dict[str, Value] = {
        "name_label": "a",
        "domid": 7,
        "is_a_template": False,
        "tags": ["x", "it's"],
        "other_config": {"k": "v"},
        "memory_target": 5,
    }
    assert parse_query(expression, CLASSES["VM"])("OpaqueRef:a", record) is holds


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "Stdlib.Parsing.Parse_error"),
        ("field", "Stdlib.Parsing.Parse_error"),
        ("true true", "Stdlib.Parsing.Parse_error"),
        ('("a"="b"', "Stdlib.Parsing.Parse_error"),
        ('"a"=', "Stdlib.Parsing.Parse_error"),
        ("true and", "Stdlib.Parsing.Parse_error"),
        ("TRUE", 'Failure("lexing: empty token")'),
        ("'a'='a'", 'Failure("lexing: empty token")'),
        ('"a"="b', 'Failure("lexing: empty token")'),
        ("@", 'Failure("lexing: empty token")'),
    ],
)
def test_bad_queries_are_invalid_values(expression: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_query(expression, CLASSES["VM"])
    assert caught.value.description == ["INVALID_VALUE", expression, reason]


@pytest.mark.parametrize("column", ["nope", "name_label"])
def test_an_unknown_column_is_noticed_at_the_first_object(column: str) -> None:
    matches = parse_query(f'field "{column}"="x"', CLASSES["VM"])
    with pytest.raises(ApiError, match="missing column"):
        matches("OpaqueRef:a", {"name_label": "x"})


@pytest.mark.parametrize(
    ("type_text", "sent", "meant"),
    [
        ("int", "17179869184", 17179869184),
        ("int", 5, 5),
        ("float", 30, 30.0),
        ("float", "30.5", 30.5),
        ("set ref VM", ["OpaqueRef:x"], ["OpaqueRef:x"]),
        ("map string int", {"a": "1"}, {"a": 1}),
        ("datetime", "2026-08-21T02:00:23Z", "20260821T02:00:23Z"),
    ],
)
def test_values_are_read_leniently_where_xapi_does(type_text: str, sent: Value, meant: Value) -> None:
    assert read_value(parse_type(type_text), sent) == meant


@pytest.mark.parametrize(
    ("type_text", "sent", "code"),
    [
        ("string", 1, "INTERNAL_ERROR"),
        ("bool", "true", "INTERNAL_ERROR"),
        ("int", True, "INTERNAL_ERROR"),
        ("int", "many", "INTERNAL_ERROR"),
        ("set string", "x", "INTERNAL_ERROR"),
        ("map string string", [], "INTERNAL_ERROR"),
        ("enum vbd_type", "Tape", "INTERNAL_ERROR"),
        ("datetime", "yesterday", "INVALID_VALUE"),
    ],
)
def test_values_of_another_type_are_refused(type_text: str, sent: Value, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_value(parse_type(type_text), sent)
    assert caught.value.code == code


def test_what_xml_has_no_type_for_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError):
        encode_value(None)


async def test_speed_may_change_while_somebody_sleeps() -> None:
    clock = Clock(0.001)
    sleeping = asyncio.create_task(clock.sleep(60))
    await asyncio.wait({sleeping}, timeout=0.01)
    assert not sleeping.done()
    clock.set_speed(1e6)
    await asyncio.wait_for(sleeping, 60)
    assert clock.elapsed > 60 - 1


async def test_the_gate_stops_work_at_its_progress_until_released() -> None:
    gate = Gate()
    gate.pause(0.4)
    assert gate.find_stop(0.3, 0.6) == 0.4
    assert gate.find_stop(0.5, 0.6) == 0.6
    await asyncio.wait_for(gate.enter(0.39), 60)
    held = asyncio.create_task(gate.enter(0.4))
    await asyncio.wait({held}, timeout=0.01)
    assert not held.done()
    gate.release()
    await asyncio.wait_for(held, 60)


async def test_idle_sessions_expire_but_not_those_with_work() -> None:
    database, clock = Database(), Clock(1.0, running=False)
    sessions = Sessions(database, clock, (ROOT,))
    idle, busy = (sessions.open(ROOT, "me", NULL_REF) for _ in range(2))
    sessions.expire_idle(set())
    assert sessions.is_open(idle)
    await clock.advance(25 * 3600.0)
    sessions.expire_idle({busy})
    assert not sessions.is_open(idle)
    assert sessions.is_open(busy)


@pytest.mark.parametrize(
    ("class_name", "name", "field", "value", "sentence"),
    [
        ("VM", "centos54", "resident_on", NULL_REF, "is Running and resident on"),
        ("VM", "centos54", "domid", -1, "with domain -1"),
        ("VM", "centos54", "memory_dynamic_min", 0, "limits out of order"),
        ("VM", "centos54", "memory_target", 10**12, "uses"),
        ("VM", "centos54", "guest_metrics", "OpaqueRef:gone", "is a dangling VM_guest_metrics"),
        ("VM", "centos54", "VBDs", [], "disagree about VBDs"),
        ("SR", "nfs-vhd", "VDIs", [], "its record says"),
        ("SR", "nfs-vhd", "shared", False, "is not shared and plugged into 2 hosts"),
        ("SR", "nfs-vhd", "virtual_allocation", 1, "has allocated 1, its disks are"),
        ("SR", "nfs-vhd", "physical_size", 1, "of 1 bytes"),
        ("VDI", "centos54 0", "physical_utilisation", 2**50, f"takes {2**50}"),
        ("VDI", "centos54 0", "managed", False, "has VBDs"),
        ("VDI", "centos54 0", "sm_config", {"vhd-parent": "nowhere"}, "stands on nowhere, which is not there"),
        ("VM", "sleeper", "suspend_VDI", NULL_REF, "is Suspended and has no image"),
    ],
)
def test_contradictions_are_found(
    pool: Populated, class_name: str, name: str, field: str, value: Value, sentence: str
) -> None:
    records = pool.database.items(class_name)
    ref = next(ref for ref, record in records if record["name_label"] == name)
    pool.database.record(class_name, ref)[field] = value  # past the database, which would keep both ends
    assert any(sentence in text for text in find_contradictions(pool.database))


def test_a_finished_task_without_a_time_is_a_contradiction(pool: Populated) -> None:
    pool.database.create("task", name_label="x", status="success")
    assert any("is success and finished" in text for text in find_contradictions(pool.database))


def test_links_join_a_reference_with_a_list_of_its_class() -> None:
    for (class_name, name), (other_class, list_name) in LINKS.items():
        assert CLASSES[class_name].fields[name].type == parse_type(f"ref {other_class}"), (class_name, name)
        assert CLASSES[other_class].fields[list_name].type == parse_type(f"set ref {class_name}"), (class_name, name)


def test_both_ends_of_a_link_are_kept() -> None:
    database = Database()
    appliance = database.create("VM_appliance", name_label="web")
    guest = database.create("VM", appliance=appliance)
    assert database.get("VM_appliance", appliance, "VMs") == [guest]
    database.set("VM", guest, appliance=NULL_REF)
    assert database.get("VM_appliance", appliance, "VMs") == []
    database.set("VM", guest, appliance=appliance)
    database.delete("VM", guest)
    assert database.get("VM_appliance", appliance, "VMs") == []


async def test_what_goes_while_a_batch_is_described_is_told_only_as_deleted() -> None:
    """A deletion of something that was never told: a watcher must not trip over it."""
    pool = make_pool(
        populate(load_world("large:1x0"))[0],
        clock=(clock := Clock(1.0, running=False)),
        gate=Gate(),
        contents=Contents(),
        outside=Outside(),
        faults=Faults(clock, lambda: None, lambda _method, _fault: None),
        password="pw",
    )
    wanted, begun = Subscription(["task"]), parse_token(make_token(pool))
    made = [pool.tasks.create(str(number), host=NULL_REF) for number in range(1200)]
    describing = asyncio.create_task(collect_events(pool, wanted, begun))
    await asyncio.sleep(0)  # it has looked, and described its first slice
    token = parse_token(make_token(pool))
    pool.tasks.remove(made[-1])
    assert [event["ref"] for event in await describing] == made[:-1]
    [event] = await collect_events(pool, wanted, token)
    assert (event["operation"], event["ref"]) == ("del", made[-1])


def test_records_share_no_lists_and_maps() -> None:
    kind = CLASSES["VM"]
    one, other = kind.make_record(), kind.make_record()
    assert list(one) == list(kind.fields)
    shared = [name for name in one if isinstance(one[name], list | dict) and one[name] is other[name]]
    assert shared == []
