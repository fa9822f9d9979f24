"""What status says of pools, hosts and guests, down to whole cards that an operator can read as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from ports import Room
from reviewed import reviewed
from small_fleet import GIB, NFS, NOW, VIEW, guest, host, record

from bot.domain.inventory import Alert, FeedState, Member, Network, PowerState, Tools
from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plain_text import text_of
from bot.domain.policy import Role
from bot.domain.record import Freeze, StepRecord, StepState
from bot.domain.texts import say
from bot.operations.drivers import Drivers, drivers

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"
NETWORK = Network("net-1", "Pool-wide network", frozenset({"h-1", "h-3"}), internal=False)


async def card(room: Room, words: str) -> str:
    answer = await room.type(words)
    assert isinstance(answer, Message)
    return text_of(answer)


def reads_as_reviewed(name: str, text: str) -> bool:
    return reviewed(GOLDEN / f"{name}.txt", text) == text


def view(**changes: Any) -> Any:
    return msgspec.structs.replace(VIEW, **changes)


def bad_night() -> Room:
    alert = Alert(NOW - 600, "HOST_CLOCK_SKEW_DETECTED", 3, "h-1", "<body><skew>4.2</skew></body>")
    old = Alert(NOW - 7200, "VM_CRASHED", 3, "vm-1", "")
    room = Room(view(hosts=(host(1, guests=12), host(3, silent_since=NOW - 120)), alerts=(alert, old)))
    step = StepRecord(118, 0, "pool_migrate", StepState.SENT, progress=0.62)
    room.journal.records = [record(118, JobState.RUNNING, steps=(step,)), record(117, JobState.NEEDS_ATTENTION)]
    return room


async def test_the_card_of_a_bad_night_is_as_filed() -> None:
    assert reads_as_reviewed("status-bad-night", await card(bad_night(), "status"))


async def test_the_cards_of_a_host_and_of_guests_are_as_filed() -> None:
    able = host(3, hvm_capable=False, control_memory=2 * GIB, enabled=False, maintenance=True)
    xp = guest("vm-4", "winxp", tools=Tools.NONE, can_suspend=False, addresses=(), networks=(NETWORK,))
    web = guest("vm-1", "web", tools_version="8.2.0", networks=(NETWORK,), tags=frozenset({"critical"}))
    room = Room(view(hosts=(host(1, hvm_capable=True), able), vms=(xp, web)))
    room.journal.records = [record(97, JobState.SUCCEEDED, finished_at=NOW - 12 * 86400)]
    assert reads_as_reviewed("status-host", await card(room, "status xenserver3"))
    assert reads_as_reviewed("status-winxp", await card(room, "status winxp"))
    assert reads_as_reviewed("status-web", await card(room, "status web"))


async def test_an_alert_is_told_for_an_hour_in_words_and_its_xml_is_left_out() -> None:
    text = await card(bad_night(), "status")
    assert "xenserver1: the host's clock differs from the coordinator's" in text
    assert "<body>" not in text
    assert "crashed" not in text


async def test_an_alert_nobody_knows_is_shown_by_its_code_with_its_own_short_text() -> None:
    room = Room(view(alerts=(Alert(NOW, "SOMETHING_NEW", 2, "sr-1", "disk 3 is *bad*"),)))
    assert "nfs-vhd: SOMETHING_NEW (“disk 3 is *bad*”)" in await card(room, "status")


async def test_without_a_coordinator_the_members_that_answer_and_the_runbook_are_named() -> None:
    members = (Member("192.0.2.1", NOW - 90), Member("192.0.2.3", None))
    lost = view(
        state=FeedState.LOST,
        age_s=90.0,
        reason="nobody speaks for it",
        members=members,
        hosts=(host(1, silent_since=NOW - 90), host(3)),
    )
    text = await card(Room(lost), "status")
    assert "Answering our probe: xenserver3. Silent: xenserver1" in text
    assert "runbook, section “No coordinator”" in text
    before_the_first_answer = msgspec.structs.replace(lost, state=FeedState.LOADING, pool=None, hosts=(), vms=())
    assert "Answering our probe: 192.0.2.3. Silent: 192.0.2.1" in await card(Room(before_the_first_answer), "status")


async def test_status_of_sixty_four_hosts_still_fits_a_phone() -> None:
    hosts = [host(number, guests=78) for number in range(1, 65)]
    hosts[7] = host(8, enabled=False)
    alerts = tuple(Alert(NOW - number, "ALARM", 3, "h-1", "") for number in range(40))
    room = Room(view(hosts=tuple(hosts), alerts=alerts))
    room.journal.records = [record(number, JobState.RUNNING) for number in range(50)]
    text = await card(room, "status")
    assert len(text.splitlines()) <= 14
    assert "xenserver8: disabled" in text
    assert "63 hosts in order: 4,914 guests" in text
    assert "Last hour: 40 alerts" in text
    assert "and 46 more" in text


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"tools": Tools.PRESENT, "tools_version": "8.2.0"}, Drivers.PRESENT, "Tools 8.2.0: answering. HVM with PV"),
        ({"tools": Tools.NO_AGENT}, Drivers.NO_AGENT, "the agent does not answer"),
        ({"tools": Tools.NONE, "can_suspend": False}, Drivers.NONE, "HVM without PV drivers: disk and network go thr"),
        ({"tools": Tools.NONE, "started_at": NOW - 40}, Drivers.SETTLING, "HVM, booted 40 s ago; tools report within"),
        ({"tools": Tools.NONE, "started_at": NOW + 30}, Drivers.SETTLING, "HVM, booted 0 s ago"),
        ({"tools": Tools.NONE, "started_at": NOW - 91}, Drivers.NONE, "able to suspend"),
        ({"hvm": False, "domain_type": "pv"}, Drivers.PRESENT, "PV: its kernel is the driver"),
        ({"hvm": False, "domain_type": "pv", "tools": Tools.NONE}, Drivers.NONE, "PV: disk and network are fast"),
        ({"domain_type": "pvh"}, Drivers.PRESENT, "PVH: its kernel is the driver"),
        ({"domain_type": "tdx", "hvm": False}, Drivers.PRESENT, "unknown mode tdx: what that means for disk and"),
        ({"domain_type": "tdx", "hvm": False, "tools": Tools.NONE}, Drivers.NONE, "unknown mode tdx: what that means"),
        ({"power_state": PowerState.HALTED, "tools": Tools.NONE}, Drivers.NOT_RUNNING, "known while it runs"),
    ],
)
async def test_mode_and_drivers_are_told_in_words(changes: dict[str, Any], state: Drivers, words: str) -> None:
    vm = guest("vm-1", "web", **changes)
    assert drivers(vm, NOW) is state
    assert words in await card(Room(view(vms=(vm,))), "status web")


async def test_a_guest_that_is_off_offers_its_start_and_one_that_runs_does_not() -> None:
    off = guest("vm-1", "web", power_state=PowerState.HALTED, host="", tools=Tools.NONE)
    assert "Plan: start" in await card(Room(view(vms=(off,))), "status web")
    assert "Plan: start" not in await card(Room(view(vms=(guest("vm-1", "web"),))), "status web")


async def test_a_job_that_is_over_is_told_with_its_end_and_its_age() -> None:
    room = Room()
    done = record(97, JobState.FAILED, outcome=say("no"), finished_at=NOW - 3 * 3600)
    room.journal.records = [done]
    assert "Last job: 97 “Migrate centos54: xenserver1 → xenserver3”, failed 3 h ago" in await card(
        room, "status centos54"
    )
    assert "No job of xenbot for it yet" in await card(room, "status winxp")


async def test_disks_name_their_storage_and_whether_others_can_reach_it() -> None:
    local = msgspec.structs.replace(NFS, uuid="sr-2", name="Local storage", shared=False, hosts=frozenset({"h-1"}))
    disk = msgspec.structs.replace(VIEW.vms[0].disks[0], sr=local)
    text = await card(Room(view(vms=(guest("vm-1", "web", disks=(disk,)),))), "status web")
    assert "Disk 0: 20 GiB on Local storage (local)" in text


async def test_the_guests_of_a_silent_host_are_told_as_unconfirmed_in_the_first_line() -> None:
    room = Room(view(hosts=(host(1), host(3, silent_since=NOW - 120))))
    assert (
        "xenserver3 is silent, so this is not confirmed: 1 guest"
        in (await card(room, "vms xenserver3")).splitlines()[0]
    )
    assert "not confirmed" not in await card(room, "vms xenserver1")


async def test_only_what_was_probed_since_a_pool_fell_silent_is_told_and_with_its_age() -> None:
    before = (Member("192.0.2.1", None, age_s=20.0), Member("192.0.2.3", None, age_s=20.0))
    lost = view(state=FeedState.LOST, age_s=12.0, reason="nobody answers", members=before)
    text = await card(Room(lost), "status")
    assert "answered our probe" not in text
    since = tuple(msgspec.structs.replace(one, age_s=3.0) for one in before)
    text = await card(Room(msgspec.structs.replace(lost, members=since)), "status")
    assert "All its hosts answered our probe 3 s ago: xenserver1, xenserver3" in text
    assert "1 thing needs you" in text


async def test_a_silent_host_without_guests_has_none_to_confirm() -> None:
    room = Room(view(hosts=(host(1), host(3, silent_since=NOW - 120, guests=0))))
    assert "unconfirmed" not in await card(room, "status")


async def test_a_freeze_and_what_waits_for_the_one_who_asks_come_first() -> None:
    room = Room()
    room.journal.records = [record(7, JobState.PROPOSED, requester="U1"), record(8, JobState.PROPOSED, requester="U2")]
    text = await card(room, "status")
    assert "1 thing needs you" in text.splitlines()[0]
    assert "Job 7 waits for your Confirm" in text.splitlines()[1]
    room.journal.records = []
    room.journal.freeze = Freeze("U9", NOW, "storage work")
    text = await card(room, "status")
    assert "Frozen by" in text.splitlines()[0]
    assert "experiment: frozen, no host silent" in text


async def test_what_waits_for_an_approval_is_told_to_those_who_can_give_it() -> None:
    room = Room()
    room.journal.records = [record(7, JobState.AWAITING_APPROVAL, requester="U2")]
    assert "no host silent" in await card(room, "status")
    room.person = msgspec.structs.replace(room.person, roles=frozenset({Role.VIEWER, Role.APPROVER}))
    assert "Job 7 waits for your approval" in await card(room, "status")


async def test_why_a_pool_is_lost_is_told_to_the_end_of_the_sentence() -> None:
    why = "127.0.1.3 names 127.0.1.1 as its coordinator, which is not listed for this pool; 127.0.1.4 did not answer"
    lost = view(state=FeedState.LOST, age_s=12.0, reason=why)
    assert f"is lost: {why}. Facts are" in await card(Room(lost), "status")


async def test_a_lost_pool_is_said_once_to_be_lost() -> None:
    lost = view(state=FeedState.LOST, age_s=12.0, reason="pool experiment could not be asked: 192.0.2.1 timed out")
    assert "Contact with experiment is lost: 192.0.2.1 timed out. Facts are 12 s old" in await card(
        Room(lost), "status"
    )
