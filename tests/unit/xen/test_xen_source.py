import msgspec
import pytest

from bot.xen import source
from bot.xen.model import SLICE, Change
from bot.xen.records import SrRecord, TaskRecord, VmRecord


def event(number: int, cls: str = "vm", operation: str = "add", **snapshot: object) -> dict[str, object]:
    fields = {"uuid": f"u{number}", **snapshot}
    return {"id": "1", "class": cls, "operation": operation, "ref": f"OpaqueRef:{number}", "snapshot": fields}


def batch(*events: dict[str, object]) -> source.Batch:
    body = {"jsonrpc": "2.0", "result": {"events": events, "token": "t", "valid_ref_counts": {"vm": 1}}, "id": 1}
    result = source._REPLY.decode(msgspec.json.encode(body)).result
    assert result is not None
    return source.Batch(result.events, result.token, result.valid_ref_counts)


def test_a_large_answer_is_decoded_some_events_at_a_time() -> None:
    slices = list(batch(*(event(number, last_booted_record="x" * 8000) for number in range(1003))).slices())
    assert {len(part.changes) for part in slices} == {SLICE, 1003 % SLICE}
    assert all(type(change.record) is VmRecord for part in slices for change in part.changes)


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
    events: list[object] = [wire]
    (part,) = source.Batch(events, "t", {}).slices()
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
    assert source._error(msgspec.Raw(msgspec.json.encode(error))) == details
