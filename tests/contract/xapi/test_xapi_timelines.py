"""The states that a real server was seen to go through, event by event: the lab goes through them in the same order.

Compared is the order of states, never their times.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from datacentre_client import Rpc
from storage_client import list_disks

from bot.lab.xapi import Datacentre

RECORDED = Path(__file__).parents[4] / "shared" / "reference" / "real-xapi"
# Tasks of XAPI's own that the lab shows as well.
INNER = {"VDI.create", "VDI.destroy", "Async.VDI.snapshot", "Async.VDI.clone"}
# An operation that came after the version which the lab's hosts have.
NEWER = {"sysprep"}
_EVENT = re.compile(r"evJ\s+id=\d+ ts=\S+ (?P<operation>\w+) (?P<class_name>\w+) (?P<ref>\w+) ?(?P<fields>.*)$")

State = tuple[str, tuple[str, ...], bool]


@dataclass
class Seen:
    """What a watcher of events saw.

    Attributes:
        states: Power state, operations, and whether it has a host to go to: each change of the guest.
        statuses: Each change of the task's status and of whether it can be cancelled.
        inner: Names of XAPI's own tasks in the order of their beginning.
        messages: Name and end of the text of each message.
        allowed: The last operations that were allowed on the guest.
    """

    states: list[State] = field(default_factory=list)
    statuses: list[tuple[str, bool]] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    allowed: set[str] = field(default_factory=set)
    _guest: dict[str, Any] = field(default_factory=dict)
    _task: dict[str, Any] = field(default_factory=dict)

    def note_guest(self, fields: dict[str, Any]) -> None:
        self._guest |= fields
        known = self._guest
        operations = tuple(sorted(known.get("current_operations", {}).values()))
        is_scheduled = known.get("scheduled_to_be_resident_on", "OpaqueRef:NULL") != "OpaqueRef:NULL"
        _append(self.states, (known.get("power_state", ""), operations, is_scheduled))
        self.allowed = set(known.get("allowed_operations", [])) - NEWER

    def note_task(self, fields: dict[str, Any]) -> None:
        self._task |= fields
        allowed = self._task.get("allowed_operations")
        if allowed is not None:  # the first event of a task was recorded without it
            _append(self.statuses, (self._task["status"], bool(allowed)))

    def note_message(self, fields: dict[str, Any]) -> None:
        tail = re.sub(r"'[^']*'|\(uuid:? [^)]*\)|host: \S+|snapshot: \S+|name: \S+", "…", fields["body"])
        self.messages.append((fields["name"], tail))


def _append(seen: list[Any], item: Any) -> None:
    if not seen or seen[-1] != item:
        seen.append(item)


def read_timeline(name: str, power_state: str) -> Seen:
    """Returns what was seen of a real server; only changed fields were kept there."""
    lines = (RECORDED / f"timeline-{name}.txt").read_text(encoding="utf-8").splitlines()
    guest = next(line.split()[3] for line in lines if "poll  VM" in line)
    first = next(line for line in lines if "call  Async" in line)
    task = first.split("-")[-1].strip()
    seen = Seen()
    seen.note_guest({"power_state": power_state})
    for line in lines:
        found = _EVENT.search(line)
        if found is None or line.lstrip().startswith("-"):
            continue
        fields = dict(_read_fields(found["fields"]))
        match found["class_name"], found["ref"]:
            case "vm", ref if ref == guest:
                seen.note_guest(fields)
            case "task", ref if ref == task:
                seen.note_task(fields)
            case "task", _ if found["operation"] == "add" and fields["name_label"] in INNER:
                seen.inner.append(fields["name_label"])
            case "message", _:
                seen.note_message(fields)
    return seen


def _read_fields(text: str) -> Iterator[tuple[str, Any]]:
    """Yields the fields of one event; the rest of a line that was cut is left out."""
    for name in ("name_label", "power_state", "status", "scheduled_to_be_resident_on", "name", "body"):
        if found := re.search(rf'"{name}": ("(?:[^"\\]|\\.)*")', text):
            yield name, json.loads(found[1])
    for name, pattern in (("allowed_operations", r"\[[^]]*\]"), ("current_operations", r"\{[^}]*\}")):
        if found := re.search(rf'"{name}": ({pattern})', text):
            yield name, json.loads(found[1])


async def watch(
    datacentre: Datacentre,
    rpc: Rpc,
    guest: str,
    *calls: tuple[float, str, list[Any]],
    cancel_after: float = float("inf"),
) -> Seen:
    """Makes Async calls at their simulated seconds and notes every event until the last one's task has ended."""
    await datacentre.do({"do": "stop_clock"})
    seen = Seen()
    seen.note_guest({"power_state": await rpc.call("VM.get_power_state", guest)})
    token = (await rpc.call("event.from", ["*"], "", 0.0))["token"]
    pending, elapsed, tasks = list(calls), 0.0, []
    for _ in range(4000):
        if pending and elapsed >= pending[0][0]:
            _, method, arguments = pending.pop(0)
            tasks.append(await rpc.call(method, *arguments))
        if elapsed >= cancel_after:
            cancel_after = float("inf")
            await rpc.call("task.cancel", tasks[0])
        answer = await rpc.call("event.from", ["task", "vm", "message"], token, 0.0)
        token = answer["token"]
        for event in answer["events"]:
            _note(seen, event, guest, tasks[0])
        if not pending and await rpc.call("task.get_status", tasks[-1]) != "pending":
            return seen
        await datacentre.do({"do": "advance", "seconds": 0.05})
        elapsed += 0.05
    raise AssertionError(seen)


def _note(seen: Seen, event: dict[str, Any], guest: str, task: str) -> None:
    fields = event.get("snapshot", {})
    if event["ref"] == guest and event["operation"] != "del":
        seen.note_guest(fields)
    elif event["ref"] == task:
        seen.note_task(fields)
    elif event["class"] == "task" and event["operation"] == "add" and fields["name_label"] in INNER:
        seen.inner.append(fields["name_label"])
    elif event["class"] == "message":
        seen.note_message(fields)


def assert_alike(recorded: Seen, seen: Seen) -> None:
    """Every recorded state was seen, in its order; the ends are the same."""
    for theirs, ours in ((recorded.states, seen.states), (recorded.statuses, seen.statuses)):
        left = iter(ours)
        missing = [state for state in theirs if state not in left]
        assert missing == [], (missing, theirs, ours)
        assert ours[-1:] == (theirs or ours)[-1:]
    assert seen.inner == recorded.inner
    assert seen.messages == recorded.messages
    assert seen.allowed == recorded.allowed


def read_or_skip(name: str, power_state: str) -> Seen:
    if not RECORDED.is_dir():
        pytest.skip("The recorded timelines are not beside this checkout.")
    return read_timeline(name, power_state)


@pytest.mark.parametrize(
    ("name", "guest", "power_state", "method"),
    [
        ("suspend2", "centos54", "Running", "suspend"),
        ("resume2", "sleeper", "Suspended", "resume"),
        ("start2", "centos54", "Halted", "start"),
        ("clean_shutdown", "centos54", "Running", "clean_shutdown"),
        ("hard_shutdown", "centos54", "Running", "hard_shutdown"),
        ("snapshot-running", "centos54", "Running", "snapshot"),
        ("checkpoint", "centos54", "Running", "checkpoint"),
        ("pool_migrate-progress", "centos54", "Running", "pool_migrate"),
    ],
)
async def test_a_guest_goes_through_the_recorded_states(
    datacentre: Datacentre, rpc: Rpc, name: str, guest: str, power_state: str, method: str
) -> None:
    recorded = read_or_skip(name, power_state)
    vm = await rpc.find("VM", guest)
    if power_state == "Halted":
        await rpc.call("VM.hard_shutdown", vm)
    arguments: dict[str, list[Any]] = {
        "resume": [False, False],
        "start": [False, False],
        "snapshot": ["snapR"],
        "checkpoint": ["chk1"],
        "pool_migrate": [await rpc.find("host", "xenserver1"), {}],
    }
    seen = await watch(datacentre, rpc, vm, (0.0, f"Async.VM.{method}", [vm, *arguments.get(method, [])]))
    await datacentre.do({"do": "run_clock"})
    if name == "start2":  # the recorded guest's agent answered at once, the lab's takes its time
        seen.allowed = await _wait_for_agent(rpc, vm)
    assert_alike(recorded, seen)


async def _wait_for_agent(rpc: Rpc, vm: str) -> set[str]:
    metrics = await rpc.call("VM.get_guest_metrics", vm)
    token = ""
    while not await rpc.call("VM_guest_metrics.get_PV_drivers_version", metrics):
        token = (await rpc.call("event.from", ["vm_guest_metrics"], token, 10.0))["token"]
    return set(await rpc.call("VM.get_allowed_operations", vm))


async def test_reverting_goes_through_the_recorded_states(datacentre: Datacentre, rpc: Rpc) -> None:
    recorded = read_or_skip("revert", "Halted")
    vm = await rpc.find("VM", "centos54")
    snapshot = await rpc.call("VM.snapshot", vm, "snapR")
    await rpc.call("VM.hard_shutdown", vm)
    seen = await watch(datacentre, rpc, vm, (0.0, "Async.VM.revert", [snapshot]))
    await datacentre.do({"do": "run_clock"})
    assert_alike(recorded, seen)
    assert len(await list_disks(rpc, vm)) == 1


async def test_a_hard_shutdown_overtakes_a_clean_one_through_the_recorded_states(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    recorded = read_or_skip("clean_shutdown-overtaken-by-hard2", "Running")
    vm = await rpc.find("VM", "centos54")
    calls = ((0.0, "Async.VM.clean_shutdown", [vm]), (1.05, "Async.VM.hard_shutdown", [vm]))
    seen = await watch(datacentre, rpc, vm, *calls)
    await datacentre.do({"do": "run_clock"})
    assert_alike(recorded, seen)


@pytest.mark.parametrize(
    ("name", "method"),
    [("pool_migrate-cancelled2", "pool_migrate"), ("clean_shutdown-cancelled2", "clean_shutdown")],
)
async def test_a_cancelled_call_goes_through_the_recorded_states(
    datacentre: Datacentre, rpc: Rpc, name: str, method: str
) -> None:
    recorded = read_or_skip(name, "Running")
    vm, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver1")
    arguments = [vm, host, {}] if method == "pool_migrate" else [vm]
    seen = await watch(datacentre, rpc, vm, (0.0, f"Async.VM.{method}", arguments), cancel_after=1.0)
    await datacentre.do({"do": "run_clock"})
    assert_alike(recorded, seen)
