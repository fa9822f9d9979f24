import msgspec
import pytest

from bot.xen.batch import Batch, read_json, read_xml
from bot.xen.model import SLICE, Change
from bot.xen.records import SrRecord, TaskRecord, VmRecord


def event(number: int, cls: str = "vm", operation: str = "add", **snapshot: object) -> dict[str, object]:
    fields = {"uuid": f"u{number}", **snapshot}
    return {"id": "1", "class": cls, "operation": operation, "ref": f"OpaqueRef:{number}", "snapshot": fields}


def batch(*events: dict[str, object]) -> Batch:
    body = {"jsonrpc": "2.0", "result": {"events": events, "valid_ref_counts": {"vm": 1}, "token": "t"}, "id": 1}
    found = read_json(msgspec.json.encode(body))
    assert isinstance(found, Batch)
    assert (found.token, found.counts) == ("t", {"vm": 1})
    return found


def test_a_large_answer_is_decoded_some_events_at_a_time() -> None:
    slices = list(batch(*(event(number, last_booted_record="x" * 8000) for number in range(1003))).slices())
    assert {len(part.changes) for part in slices} == {SLICE, 1003 % SLICE}
    assert all(type(change.record) is VmRecord for part in slices for change in part.changes)


HOSTILE = ('},{"id":"1","class":"vm"}', '"events":[{', "]", "}],[{", '\\"},{\\"id\\":')


def test_no_name_of_a_guest_breaks_a_long_answer_apart() -> None:
    given = [event(number, name_label=HOSTILE[number % len(HOSTILE)], notes="x" * 4000) for number in range(203)]
    found = [change.record for part in batch(*given).slices() for change in part.changes]
    assert [record.name_label for record in found if isinstance(record, VmRecord)] == [
        HOSTILE[number % len(HOSTILE)] for number in range(203)
    ]


def test_a_long_answer_in_another_order_of_keys_is_read_all_the_same() -> None:
    gone: dict[str, object] = {"class": "vm", "operation": "del", "ref": "OpaqueRef:gone", "id": "1"}
    nested = event(1, notes=[{"id": "a"}, {"id": "b"}], more="x" * 4000)
    turned = {"operation": "add", "id": "1", "class": "vm", "ref": "OpaqueRef:2", "snapshot": {"uuid": "u2"}}
    for given in ([nested] * 120, [gone, *[event(3, notes="x" * 4000)] * 120], [turned, *[nested] * 119]):
        found = [change.ref for part in batch(*given).slices() for change in part.changes]
        assert found == [one["ref"] for one in given]


def test_an_answer_that_ends_too_soon_is_no_answer() -> None:
    body = {"result": {"events": [event(number, notes="x" * 4000) for number in range(100)], "token": "t"}}
    whole = msgspec.json.encode(body)
    with pytest.raises(msgspec.MsgspecError):
        read_json(whole[: len(whole) // 2])


def test_a_long_answer_is_not_looked_through_before_its_first_events_are_there() -> None:
    body = {"result": {"events": [event(number, notes="x" * 4000) for number in range(200)], "token": "t"}}
    broken = msgspec.json.encode(body).replace(b'"OpaqueRef:199"', b"OpaqueRef:199")
    found = read_json(broken)
    assert isinstance(found, Batch)
    slices = found.slices()
    assert [len(next(slices).changes) for _ in range(3)] == [SLICE] * 3
    with pytest.raises(msgspec.MsgspecError):
        next(slices)


def test_one_unreadable_record_costs_only_itself() -> None:
    (part,) = batch(event(1), event(2, memory_static_max={"not": "a number"}), event(3)).slices()
    assert [change.ref for change in part.changes] == ["OpaqueRef:1", "OpaqueRef:3"]
    assert part.unreadable == [("vm", "OpaqueRef:2")]


def test_a_delete_has_no_record_and_an_unknown_class_is_passed_over() -> None:
    gone: dict[str, object] = {"id": "1", "class": "task", "operation": "del", "ref": "OpaqueRef:9"}
    (part,) = batch(gone, event(1, cls="flux_capacitor")).slices()
    assert part.changes == [Change(TaskRecord, "OpaqueRef:9", None)]


def test_xml_events_with_integers_as_text_become_the_same_records() -> None:
    wire = {**event(1, cls="sr", physical_size="-1", shared=True), "operation": "mod"}
    (part,) = read_xml({"events": [wire], "token": "t", "valid_ref_counts": {"sr": "1"}}).slices()
    assert part.changes == [Change(SrRecord, "OpaqueRef:1", SrRecord(uuid="u1", shared=True))]


@pytest.mark.parametrize(
    ("error", "details"),
    [
        ({"code": 1, "message": "SESSION_INVALID", "data": ["OpaqueRef:x"]}, ["SESSION_INVALID", "OpaqueRef:x"]),
        ({"code": 1, "message": "EVENTS_LOST"}, ["EVENTS_LOST"]),
        (["HOST_HAS_NO_MANAGEMENT_IP"], ["HOST_HAS_NO_MANAGEMENT_IP"]),
        (None, ["INTERNAL_ERROR"]),
        ("surprise", ["INTERNAL_ERROR"]),
    ],
)
def test_errors_are_read_in_every_shape_xapi_sends(error: object, details: list[str]) -> None:
    assert read_json(msgspec.json.encode({"jsonrpc": "2.0", "error": error, "id": 1})) == details
