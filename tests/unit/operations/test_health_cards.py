"""Cards of checks as people read them, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

from collections.abc import Callable

import migration_facts as world
import msgspec
import pytest
from health_world import DAY_S, bad_night, healthy, joins, plug, side, state
from migration_facts import GIB, READ_AT, guest, host
from reviewed import reviewed
from test_golden_cards import GOLDEN, job
from test_golden_cards import read as shown

from bot.domain.guest_facts import PowerFacts
from bot.domain.health import Bond, Checkup, ControlDomain, Expiry, Finding, HealthFacts
from bot.domain.inventory import Alert, FeedState, PoolView
from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Grade
from bot.domain.policy import ApprovalSettings
from bot.domain.schedule import Covered
from bot.domain.texts import Code, plain, say
from bot.jobs import alerts, story
from bot.operations import alert_words, clean_up, pool_join, schedule
from bot.operations.health import news, report
from bot.operations.joining import report as joining

VIEW = PoolView("experiment", FeedState.LIVE, 2.0, "", world.POOL, (host(1), host(3)), (guest(),), (world.NFS,))
#: The other vendor's host and the newer one of the story that this began with.
OTHER_VENDOR = side(
    2,
    host={
        "name": "xenserver2",
        "cpu_vendor": "AuthenticAMD",
        "cpu_model": "AMD EPYC 7302P",
        "features_hvm": "178bfbff",
    },
    running=("test1", "test2"),
)
NEWER = side(
    5,
    host={"name": "xenserver-fp1", "version": "9.0.0", "platform_version": "3.5.0"},
    software={
        "product_version": "9.0.0",
        "build_number": "cloud-26170",
        "platform_version": "3.5.0",
        "db_schema": "5.790",
        "network_backend": "openvswitch",
    },
    api="2.23",
)
FIT = side(4)
OTHER_LICENCE = side(4, editions=("express",))
#: A member of another pool, with all that goes on there.
MEMBER = side(
    6,
    host={"name": "xenserver6", "coordinator": False},
    pool=msgspec.structs.replace(world.ALONE, uuid="p-7", name="production"),
    hosts=(host(6), host(7)),
    running=("mail", "web1"),
    shared=("nfs-vhd",),
)


def check(facts: HealthFacts, *, whole: bool = False) -> Message:
    return report.message(facts, report.rows(facts), whole=whole)


def since_yesterday() -> Message:
    facts = healthy(plugs=(plug(1), plug(3, attached=False)), held={"v-7": "half copied"})
    then = Checkup(
        READ_AT - DAY_S,
        {
            "plug:pbd-3": Finding(say("nfs-vhd is not attached to xenserver3"), Grade.WARNING),
            "clock:h-3": Finding(say("xenserver3 is 60 s ahead of the other clocks"), Grade.WARNING),
        },
    )
    shown, changes = news.since(report.rows(facts), then, READ_AT)
    return report.message(facts, shown, whole=False, news=changes)


def told(then: Checkup | None, facts: HealthFacts) -> Message:
    made = news.told(facts, report.rows(facts), then, 3)
    assert made is not None
    return made


YESTERDAY = Checkup(
    READ_AT - DAY_S,
    {
        "dom0-free:h-3": Finding(say("xenserver3 has 300 MiB left of 4 GiB"), Grade.WARNING),
        "space:sr-nfs": Finding(say("nfs-vhd is 84 % full, 80 GiB free"), Grade.WARNING),
    },
)
WORSE = healthy(
    hosts=(state(1), state(3, control=ControlDomain(8, 0.4, 100 << 20))), plugs=(plug(1), plug(3, attached=False))
)


def _clean_up() -> Message:
    read = PowerFacts(world.POOL, guest(), host(1), (host(1), host(3)), {}, {}, own=False, read_at=1.0)
    left = clean_up.Left("vm-1", "5ec6db31-0000-4000-8000-000000000001", ("v-8", "v-9"))
    title = say("Remove what job {n} left", n=Code("41"))
    plan = clean_up.decide(title, [(read, left)], ApprovalSettings())
    return story.card(job(plan, JobState.PROPOSED), clean_up.OPERATION)


def _standing() -> Message:
    covered = Covered(pool="p-1", name="experiment", check=True)
    plan = schedule.decide_check(covered, "daily 08:00", "Europe/Berlin", 1_767_225_600.0, [])
    return story.card(job(plan, JobState.PROPOSED), schedule.OPERATION)


CARDS: dict[str, Callable[[], Message]] = {
    "pool-check-green": lambda: check(healthy()),
    "pool-check-green-all": lambda: check(healthy(), whole=True),
    "pool-check-red": lambda: check(bad_night()),
    "pool-check-red-all": lambda: check(bad_night(), whole=True),
    "pool-check-silent-host": lambda: check(
        healthy(
            hosts=(
                state(1),
                state(3, host={"silent_since": READ_AT - 120.0}, clock_ahead_s=None, control=None),
            )
        )
    ),
    "pool-check-since-yesterday": since_yesterday,
    "pool-check-scheduled-proposed": _standing,
    "pool-check-scheduled-first": lambda: told(None, WORSE),
    "pool-check-scheduled": lambda: told(YESTERDAY, WORSE),
    "pool-check-scheduled-lost": lambda: news.not_looked(
        "experiment",
        3,
        view=msgspec.structs.replace(VIEW, state=FeedState.LOST, age_s=840.0, reason="192.0.2.1 does not answer"),
    ),
    "join-other-vendor": lambda: joining.message(joins(OTHER_VENDOR), whole=False),
    "join-newer-version": lambda: joining.message(joins(NEWER), whole=False),
    "join-fit": lambda: joining.message(joins(FIT), whole=False),
    "join-other-licence": lambda: joining.message(joins(OTHER_LICENCE), whole=False),
    "join-fit-all": lambda: joining.message(joins(FIT), whole=True),
    "join-from-another-pool": lambda: joining.message(joins(MEMBER), whole=False),
    "join-proposed": lambda: story.card(
        job(pool_join.decide(joins(FIT), ApprovalSettings()), JobState.PROPOSED, approvers_needed=1),
        pool_join.OPERATION,
    ),
    "clean-up-proposed": _clean_up,
    "alert-one": lambda: alerts.message(VIEW, [Alert(READ_AT, "VM_CRASHED", 2, "vm-1", "", "a-1")]),
    "alert-certificate": lambda: alerts.message(
        VIEW, [Alert(READ_AT, "HOST_SERVER_CERTIFICATE_EXPIRING_07", 1, "h-3", "", "a-1")]
    ),
    "alert-several": lambda: alerts.message(
        VIEW,
        [
            Alert(READ_AT, "HOST_CLOCK_SKEW_DETECTED", 3, "h-3", "<body><skew>4.2</skew></body>", "a-2"),
            Alert(READ_AT - 60, "MULTIPATH_PERIODIC_ALERT", 3, "h-3", "", "a-3"),
        ],
    ),
}


@pytest.mark.parametrize("name", list(CARDS))
def test_card_reads_as_reviewed(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", shown(CARDS[name]())
    assert now == reviewed(path, now)


def test_a_pool_in_order_is_green_in_every_row_and_a_bad_night_in_none_that_was_broken() -> None:
    assert {row.grade for row in report.rows(healthy())} == {Grade.OK}
    well = {row.key for row in report.rows(bad_night()) if row.grade is Grade.OK}
    # What the bad night leaves alone.
    assert well == {"enabled", "cpu-vendor", "alike", "default-sr", "ha", "features"}, well


def test_a_bond_with_nothing_left_needs_somebody_and_one_with_something_is_to_watch() -> None:
    for up, grade in ((2, Grade.OK), (1, Grade.WARNING), (0, Grade.BLOCKED)):
        (row,) = [row for row in report.rows(healthy(bonds=(Bond("h-3", "bond0", up, 2),))) if row.key == "bonds"]
        assert row.grade is grade
    assert plain(row.check().fact) == "bond0 of xenserver3: 0 of 2 links up"


def test_the_size_of_a_control_domain_follows_its_host() -> None:
    small = healthy(hosts=(state(1, host={"control_memory": 3 * GIB, "memory_total": 64 * GIB}), state(3)))
    (row,) = [row for row in report.rows(small) if row.key == "dom0"]
    assert row.grade is Grade.OK, "a little less than usual is no finding"


def test_nobody_is_told_to_mend_what_nobody_knows_to_be_broken() -> None:
    mute = state(3, clock_ahead_s=None, control=None)
    for facts in (healthy(hosts=(state(1), mute)), healthy(hosts=(mute,))):
        unclear = [row.check() for row in report.rows(facts) if row.grade is Grade.UNKNOWN]
        assert {one.key for one in unclear} == {"clocks", "dom0", "dom0-load"}
        assert [one.fix for one in unclear] == [None, None, None]


def test_a_certificate_that_ends_is_one_thing_however_many_tell_of_it() -> None:
    alert = Alert(READ_AT, "HOST_SERVER_CERTIFICATE_EXPIRING_07", 1, "h-3", "", "a-1")
    ends = state(3, certificates=(Expiry("server certificate", READ_AT + 5 * DAY_S),))
    found = report.rows(healthy(hosts=(state(1), ends), alerts=(alert,)))
    assert [row.key for row in found if row.grade is not Grade.OK] == ["certificates"]
    # A certificate that was replaced since: the alert alone tells of it.
    found = report.rows(healthy(alerts=(alert,)))
    assert [row.key for row in found if row.grade is not Grade.OK] == ["alerts"]


@pytest.mark.parametrize(
    "of",
    ["HOST_SERVER_CERTIFICATE", "HOST_INTERNAL_CERTIFICATE", "POOL_CA_CERTIFICATE", "POOL_PINNED_CERTIFICATE"],
)
def test_every_alert_of_a_certificate_has_words(of: str) -> None:
    for ends in ("EXPIRED", "EXPIRING_07", "EXPIRING_14", "EXPIRING_30"):
        assert "certificate" in plain(alert_words.kind(f"{of}_{ends}"))


def test_a_join_that_no_setting_mends_is_refused_for_that_first_and_offers_no_other_fix() -> None:
    plan = pool_join.decide(joins(OTHER_VENDOR), ApprovalSettings())
    assert plan.refusal is not None
    assert plain(plan.refusal) == "xenserver2 can never join experiment as it is"
    assert [(one.key, one.fix is not None) for one in plan.blocked] == [("cpu-vendor", True), ("running", False)]
    # A processor that the server does not tell is no processor of another vendor.
    mute = side(2, host={"name": "xenserver2", "cpu_vendor": ""})
    unclear = pool_join.decide(joins(mute), ApprovalSettings())
    assert plain(unclear.refusal or say("")) == "xenserver2 cannot join experiment"


def test_what_a_silent_host_hides_is_one_line_for_a_schedule_as_well() -> None:
    silent = state(3, host={"silent_since": READ_AT - 120.0}, clock_ahead_s=None, control=None)
    lines = shown(told(Checkup(READ_AT - DAY_S, {}), healthy(hosts=(state(1), silent))))
    assert "? Not judged: Clocks, dom0 memory, dom0 load, since xenserver3 is silent" in lines
    assert "time servers" not in lines


@pytest.mark.parametrize("then", [None, Checkup(READ_AT - DAY_S, {})])
def test_a_schedule_posts_nothing_of_a_pool_in_order(then: Checkup | None) -> None:
    assert news.told(healthy(), report.rows(healthy()), then, 3) is None
