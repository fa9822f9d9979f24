"""What is told of silent hosts and pools, as people read it. Delete a file and run twice to write it anew."""

from __future__ import annotations

from collections.abc import Callable

import migration_facts as world
import msgspec
import pytest
from migration_facts import READ_AT, guest, host
from reviewed import reviewed
from test_golden_cards import GOLDEN
from test_golden_cards import read as shown

from bot.domain.absence import Absence, Missing, Resident
from bot.domain.inventory import FeedState, Member, PoolView, PowerState
from bot.domain.message import Choices, Message
from bot.domain.texts import plain
from bot.operations import absence_words, return_words

SINCE, BACK = READ_AT, READ_AT + 1680.0
GUESTS = tuple(Resident(f"vm-{n}", name, "h-3") for n, name in enumerate(("db1", "mail", "web1", "web2"), 1))
RUNNING = tuple(guest(one.name, uuid=one.uuid, host="h-3") for one in GUESTS)
QUIET = host(3, silent_since=SINCE)
VIEW = PoolView(
    "experiment",
    FeedState.LIVE,
    2.0,
    "",
    world.POOL,
    (host(1), QUIET),
    RUNNING,
    (world.NFS,),
    members=(Member("192.0.2.1", None, 3.0), Member("192.0.2.3", SINCE, 3.0)),
)
HA = msgspec.structs.replace(VIEW, pool=msgspec.structs.replace(world.POOL, ha_enabled=True))


def row(kind: Missing = Missing.HOST, guests: tuple[Resident, ...] = GUESTS, name: str = "xenserver3") -> Absence:
    return Absence(kind, "experiment", "h-3" if kind is Missing.HOST else "", name, SINCE, SINCE + 40, guests)


def _changed(*down: str) -> tuple[PoolView, ...]:
    """Everything answers; these guests run nowhere."""
    off = {"power_state": PowerState.HALTED, "host": None}
    vms = tuple(msgspec.structs.replace(one, **off) if one.name in down else one for one in RUNNING)
    return (msgspec.structs.replace(VIEW, hosts=(host(1), host(3)), vms=vms),)


def _back(*down: str) -> Message:
    views = _changed(*down)
    return return_words.hosts_back(views[0], [(host(3), row(), BACK)], return_words.fates(GUESTS, views))


def _lost(**changes: object) -> PoolView:
    reason = "pool experiment could not be asked: 192.0.2.1 refuses the connection"
    return msgspec.structs.replace(VIEW, state=FeedState.LOST, age_s=70.0, reason=reason, **changes)


def _dead_coordinator() -> Message:
    members = (Member("192.0.2.1", SINCE, 3.0), Member("192.0.2.3", None, 3.0))
    view = _lost(hosts=(host(1, silent_since=SINCE), host(3)), members=members)
    return absence_words.pool_gone(view, SINCE, (*GUESTS, Resident("vm-9", "centos54", "h-1")))


CARDS: dict[str, Callable[[], Message]] = {
    "silent-host": lambda: absence_words.hosts_gone(VIEW, [QUIET], [row()]),
    "silent-host-again": lambda: absence_words.hosts_gone(
        VIEW, [QUIET], [row()], [msgspec.structs.replace(row(), since=SINCE - 3600, ended_at=SINCE - 3000)]
    ),
    "silent-host-ha": lambda: absence_words.hosts_gone(
        HA, [QUIET], [row(guests=tuple(msgspec.structs.replace(one, protected=one.name != "web2") for one in GUESTS))]
    ),
    "silent-host-empty": lambda: absence_words.hosts_gone(VIEW, [QUIET], [row(guests=())]),
    "silent-hosts": lambda: absence_words.hosts_gone(
        VIEW,
        [host(2, silent_since=SINCE), QUIET],
        [msgspec.structs.replace(row(guests=()), about="h-2", name="xenserver2"), row()],
    ),
    "silent-host-back": lambda: _back("db1", "mail"),
    "silent-host-back-well": _back,
    "silent-host-over": lambda: return_words.over([msgspec.structs.replace(row(), ended_at=BACK)]),
    "silent-pool": lambda: absence_words.pool_gone(
        _lost(
            hosts=(host(1, silent_since=SINCE), QUIET),
            members=(Member("192.0.2.1", SINCE, 3.0), Member("192.0.2.3", SINCE, 3.0)),
        ),
        SINCE,
        GUESTS,
    ),
    "silent-pool-no-coordinator": _dead_coordinator,
    "silent-pool-toolstack": lambda: absence_words.pool_gone(
        _lost(hosts=(host(1), host(3)), members=(Member("192.0.2.1", None, 3.0), Member("192.0.2.3", None, 3.0))),
        SINCE,
        GUESTS,
    ),
    "silent-pool-back": lambda: return_words.pool_back(
        VIEW, row(Missing.POOL, name="experiment"), BACK, [QUIET.name], return_words.fates(GUESTS, (VIEW,))
    ),
    "silent-everything": lambda: absence_words.all_gone(["experiment", "xenserver2"], SINCE),
    "silent-everything-back": lambda: return_words.all_back(
        row(Missing.ALL, name=""), BACK, ["xenserver2"], [], return_words.fates(GUESTS, _changed())
    ),
}


@pytest.mark.parametrize("name", list(CARDS))
def test_card_reads_as_reviewed(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", shown(CARDS[name]())
    assert now == reviewed(path, now)


def test_many_guests_that_are_down_are_counted_and_a_few_have_a_start() -> None:
    many = tuple(Resident(f"vm-{n}", f"<!channel> web{n}", "h-3") for n in range(30))
    off = tuple(guest(one.name, uuid=one.uuid, power_state=PowerState.HALTED, host=None) for one in many)
    view = msgspec.structs.replace(VIEW, hosts=(host(1), host(3)), vms=off)
    back = return_words.hosts_back(view, [(host(3), row(guests=many), BACK)], return_words.fates(many, (view,)))
    assert "30 of 30 guests that ran there do not run anywhere now" in shown(back)
    assert "and 22 more" in shown(back)
    (choices,) = [part for part in back.parts if isinstance(part, Choices)]
    assert [one.target for one in choices.buttons] == [
        *(f"start vm-{n}" for n in range(4)),
        "vms p-1 state halted",
        "status h-3",
    ]


def test_who_restarts_guests_is_told_as_their_pool_is_set() -> None:
    one = (Resident("vm-1", "db1", "h-3", protected=True),)
    for view, guests, words in (
        (VIEW, one, "HA is off: nobody restarts it"),
        (HA, one, "HA restarts it elsewhere"),
        (HA, GUESTS, "HA promises no restart of them"),
        (HA, (*GUESTS, *one), "HA restarts 1 of them elsewhere once it counts the host as failed"),
    ):
        assert words in plain(absence_words.hosts_gone(view, [QUIET], [row(guests=guests)]).summary)
    short = msgspec.structs.replace(HA, pool=msgspec.structs.replace(HA.pool, ha_overcommitted=True))
    assert "may fit" in plain(absence_words.hosts_gone(short, [QUIET], [row(guests=one)]).summary)


def test_high_availability_is_not_said_to_restart_guests_where_no_host_of_their_pool_answers() -> None:
    one = (Resident("vm-1", "db1", "h-3", protected=True),)
    for first, words in (
        (host(1, silent_since=SINCE), "HA is on, but no host answers that it could restart it on"),
        (host(1), "HA restarts it elsewhere once it counts the host as failed"),
    ):
        view = _lost(pool=HA.pool, hosts=(first, QUIET))
        assert words in plain(absence_words.pool_gone(view, SINCE, one).summary)
