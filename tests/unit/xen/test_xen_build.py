import xmlrpc.client
from pathlib import Path

import pytest

from bot.domain.inventory import PowerState, Tools
from bot.xen import build
from bot.xen.classes import convert
from bot.xen.records import HostRecord, VmGuestMetricsRecord, VmMetricsRecord, VmRecord
from bot.xen.tables import Tables

RECORDED = Path(__file__).parents[3] / ".." / "shared" / "reference" / "real-xapi"


def recorded(name: str) -> dict[str, object]:
    path = RECORDED / name
    if not path.exists():
        pytest.skip("the recorded exchanges are not here")
    text = path.read_text()
    (answer,), _ = xmlrpc.client.loads(text[text.rindex("<?xml") :], use_builtin_types=False)
    assert isinstance(answer, dict)
    value = answer["Value"]
    assert isinstance(value, dict)
    return {key: field.value if isinstance(field, xmlrpc.client.DateTime) else field for key, field in value.items()}


def test_records_of_a_real_server_are_understood() -> None:
    vm = convert(VmRecord, recorded("b0013-xmlrpc-VM.get_record-running.txt"))
    metrics = convert(VmMetricsRecord, recorded("b0014-xmlrpc-VM_metrics.get_record.txt"))
    guest = convert(VmGuestMetricsRecord, recorded("b0015-xmlrpc-VM_guest_metrics.get_record.txt"))
    host = convert(HostRecord, recorded("b0019-xmlrpc-host.get_record-with-VM.txt"))
    tables = Tables()
    tables.put(vm.metrics, metrics)
    tables.put(vm.guest_metrics, guest)
    tables.put(vm.resident_on, host)
    built = build.vm(tables, vm, {}, {})
    assert (built.power_state, built.tools, built.can_suspend) == (PowerState.RUNNING, Tools.PRESENT, True)
    assert built.host == host.uuid
    assert built.addresses == ("192.0.2.10",)
    assert built.started_at is not None
    assert built.memory_needed > built.memory_dynamic_min > 0


def test_records_of_an_older_server_have_fewer_fields() -> None:
    vm = convert(VmRecord, {"uuid": "v", "power_state": "Hibernated", "HVM_boot_policy": "BIOS order"})
    built = build.vm(Tables(), vm, {}, {})
    assert (built.power_state, built.hvm, built.domain_type) == (PowerState.UNKNOWN, True, "hvm")


@pytest.mark.parametrize(
    ("guest", "tools"),
    [
        (VmGuestMetricsRecord(), Tools.NONE),
        (VmGuestMetricsRecord(pv_drivers_detected=True), Tools.NO_AGENT),
        (VmGuestMetricsRecord(pv_drivers_version={"major": "9"}), Tools.PRESENT),
    ],
)
def test_the_three_states_of_guest_tools_are_told_apart(guest: VmGuestMetricsRecord, tools: Tools) -> None:
    assert build.tools(guest) is tools


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("19700101T00:00:00Z", None), ("20261123T06:43:46Z", 1795416226.0), ("", None), ("yesterday", None)],
)
def test_dates_are_seconds_and_never_is_none(text: str, seconds: float | None) -> None:
    assert build.timestamp(text) == seconds


@pytest.mark.parametrize(
    ("platform", "metrics", "immobile"),
    [
        ({}, VmMetricsRecord(), False),
        ({"nomigrate": "true"}, VmMetricsRecord(), True),
        ({"nested-virt": "True"}, VmMetricsRecord(), True),
        ({"nomigrate": "false"}, VmMetricsRecord(nomigrate=True), True),
    ],
)
def test_a_guest_may_be_tied_to_its_host(platform: dict[str, str], metrics: VmMetricsRecord, *, immobile: bool) -> None:
    tables = Tables()
    tables.put("M", metrics)
    vm = VmRecord(uuid="v", power_state="Running", metrics="M", platform=platform)
    made = build.vm(tables, vm, {}, {})
    assert (made.immobile or made.nested) is immobile
    assert made.nested is ("nested-virt" in platform)


def test_an_hvm_guest_without_drivers_cannot_be_suspended_unless_it_says_so() -> None:
    tables = Tables()
    vm = VmRecord(uuid="v", domain_type="hvm", guest_metrics="G")
    assert not build.vm(tables, vm, {}, {}).can_suspend
    tables.put("G", VmGuestMetricsRecord(other={"feature-suspend": "1", "data-cant-suspend-reason": "busy"}))
    built = build.vm(tables, vm, {}, {})
    assert built.can_suspend
    assert built.cant_suspend_reason == "busy"
