"""A host that falls silent is told once, and once more when it answers again, with what became of its guests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from absence_bench import PATIENCE, Site, buttons, guest_of, host_of, opened, text
from job_records import job_of

from bot.domain.audit import Tag
from bot.domain.inventory import FeedState, PowerState
from bot.domain.job import JobEvent, JobState
from bot.domain.plan import Plan, Risk, Target
from bot.domain.texts import say
from bot.errors import StoreError
from bot.operations import pool_join
from bot.store import Note
from bot.store import absences as kept

DAY_S = 86_400.0
NOTE = Note(Tag.ALERT_MUTED, "T1", "U1")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path) as made:
        yield made


async def fallen(site: Site) -> None:
    """The third host is silent, and that was told."""
    site.silence(3)
    await site.wait(40)
    assert len(await site.told()) == 1


async def test_a_silent_host_is_told_once_with_its_guests_and_who_restarts_them(site: Site) -> None:
    site.silence(3)
    await site.wait(PATIENCE.silent)
    assert await site.told() == []
    await site.wait(6)
    (post,) = await site.posts()
    (told,) = await site.told()
    assert "xenserver3 of experiment is silent since" in told
    assert "3 guests there are unconfirmed: db1, web1, web2" in told, "the critical one first"
    assert "HA is off: nobody restarts them" in told
    assert "First look at the power" in text(post)
    assert [(one.label, one.target) for one in buttons(post.message)] == [
        ("Status", "status h-3"),
        ("Pool check", "pool-check p-1"),
        ("Mute for a day", "mute HOST_SILENT on h-3 for 1d"),
    ]
    await site.wait(7200)
    assert len(await site.told()) == 1


async def test_a_host_that_missed_a_probe_or_two_is_no_news(site: Site) -> None:
    for _ in range(20):
        site.silence(3)
        await site.wait(20)
        site.hear(3)
        await site.wait(20)
    assert await site.told() == []


async def test_hosts_that_fall_silent_within_seconds_are_one_message(site: Site) -> None:
    site.silence(3)
    await site.wait(15)
    site.silence(2)
    await site.wait(60)
    (told,) = await site.told()
    assert "2 hosts of experiment are silent: xenserver2, xenserver3" in told
    assert "4 guests there are unconfirmed" in told
    site.hear(3)
    await site.wait(10)
    site.hear(2)
    await site.wait(200)
    (_, back) = await site.told()
    assert "2 hosts of experiment answer again" in back
    assert "All 4 guests that ran there run" in back


async def test_its_return_names_the_guests_that_run_nowhere_and_leads_to_their_start(site: Site) -> None:
    await fallen(site)
    site.hear(3)
    site.host(3, enabled=False)
    for number, name in ((2, "web2"), (3, "db1")):
        site.guest(number, power_state=PowerState.HALTED, host=None, name=name)
    await site.wait(60)
    site.host(3, enabled=True)
    site.guest(2, power_state=PowerState.RUNNING, host="h-2")
    await site.wait(PATIENCE.grace)
    assert len(await site.told()) == 1, "guests get their time after the host takes guests again"
    await site.wait(6)
    (_, back) = await site.posts()
    assert "xenserver3 of experiment answers again, after 43 s" in text(back)
    assert "1 of 3 guests that ran there does not run anywhere now: db1 (halted)" in text(back)
    assert [(one.label, one.target) for one in buttons(back.message)] == [
        ("Start", "start vm-3"),
        ("Status", "status h-3"),
    ]


async def test_the_message_of_an_absence_that_is_over_says_so(site: Site) -> None:
    await fallen(site)
    (post,) = await site.posts()
    await site.store.delivered(post.id, "17.1")
    site.hear(3)
    await site.wait(140)
    (fix,) = [one for one in await site.store.due(1000) if one.kind == "card"]
    assert (fix.message_ts, fix.channel, fix.edit_only) == ("17.1", "C1", True)
    assert "xenserver3 of experiment was silent from" in text(fix)
    assert buttons(fix.message) == []
    known, _ = await site.store.absences()
    assert [one.guests for one in known] == [()], "read every few seconds for weeks, and of no interest any more"


async def test_a_message_that_never_reached_slack_is_not_set_right_and_an_old_one_is(site: Site) -> None:
    await fallen(site)
    (post,) = await site.posts()
    await site.store.delivered(post.id, "17.1")
    site.wall.now += 3 * DAY_S
    await site.store.prune()
    site.hear(3)
    await site.wait(140)
    (fix,) = [one for one in await site.store.due(1000) if one.kind == "card"]
    assert fix.message_ts == "17.1", "what may have to be set right is kept for as long"
    await site.store.delivered(fix.id, "17.1")
    (back,) = await site.posts()
    await site.store.delivered(back.id, "17.2")
    site.silence(3)
    await site.wait(40)
    (post,) = await site.posts()
    site.hear(3)
    await site.wait(140)
    # Slack refuses it for good while the correction waits for it.
    await site.store.failed(post.id, "invalid_blocks", None)
    (back,) = await site.store.due(1000)
    assert "answers again" in text(back)
    assert await site.store.outbox_depth() == 1


async def test_a_host_that_comes_back_disabled_is_told_after_a_while_with_the_way_to_enable_it(site: Site) -> None:
    await fallen(site)
    site.hear(3)
    site.host(3, enabled=False)
    await site.wait(PATIENCE.disabled - 30)
    assert len(await site.told()) == 1
    await site.wait(40)
    (_, back) = await site.posts()
    assert "xenserver3 is disabled: it takes no guests" in text(back)
    assert "enable h-3" in [one.target for one in buttons(back.message)]


async def test_a_bot_that_was_restarted_tells_nothing_twice_and_the_return_all_the_same(site: Site) -> None:
    await fallen(site)
    site.started()
    await site.wait(600)
    assert len(await site.told()) == 1
    # Down while the host comes back, and while its guests are gone.
    site.hear(3)
    site.guest(3, power_state=PowerState.HALTED, host=None)
    site.wall.now += 3600
    site.started()
    await site.wait(PATIENCE.grace + 10)
    (_, back) = await site.told()
    assert "xenserver3 of experiment answers again, after 71 min" in back
    assert "db1 (halted)" in back


async def test_what_is_told_and_what_is_remembered_are_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_value: object) -> str:
        raise StoreError("the disk is full")

    site.silence(3)
    await site.wait(27)
    with monkeypatch.context() as patch:
        patch.setattr(kept, "encode", broken)
        with pytest.raises(StoreError):
            await site.wait(30)
        assert await site.told() == []
    await site.wait(6)
    assert len(await site.told()) == 1


async def test_a_host_that_goes_on_and_off_does_not_fill_the_channel_and_is_told_to_be_silent_again(site: Site) -> None:
    for _ in range(45):
        site.silence(3)
        await site.wait(40)
        site.hear(3)
        await site.wait(40)
    assert len(await site.told()) == 1, "it was never back for long enough to be told back"
    await site.wait(200)
    site.silence(3)
    await site.wait(60)
    (_, back, again) = await site.told()
    assert "answers again" in back
    assert "xenserver3 of experiment is silent again since" in again


async def test_the_second_silence_within_minutes_is_told_later_if_it_lasts(site: Site) -> None:
    await fallen(site)
    site.hear(3)
    await site.wait(140)
    site.silence(3)
    await site.wait(120)
    assert len(await site.told()) == 2
    await site.wait(PATIENCE.repeat)
    assert "silent again" in (await site.told())[2]


async def test_what_was_planned_is_no_news(site: Site) -> None:
    # Emptied and disabled: somebody works on it.
    site.host(2, enabled=False)
    site.guest(4, host="h-3")
    site.silence(2)
    await site.wait(600)
    assert await site.told() == []
    # Taken out of the pool while it was silent.
    site.silence(3)
    await site.wait(60)
    assert len(await site.told()) == 1
    site.change("experiment", hosts=tuple(one for one in site.views["experiment"].hosts if one.uuid != "h-3"))
    await site.wait(3600)
    assert len(await site.told()) == 1
    known, _ = await site.store.absences()
    assert known == []


async def test_a_host_that_one_of_our_jobs_joins_to_a_pool_is_no_news(site: Site) -> None:
    target = Target("host", "h-9", "xenserver9")
    plan = Plan(
        operation=pool_join.NAME,
        pool="p-1",
        title=say("xenserver9 joins experiment"),
        targets=(target,),
        placements=(),
        checks=(),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=(),
        locks=(),
    )
    job = await site.store.create(job_of(plan, JobState.RUNNING), NOTE, lambda _: ())
    site.lose("lone")
    site.silence(9, pool="lone")
    # It is a member already, and restarts its toolstack.
    joined = host_of(9, silent_since=site.wall.now, guests=0)
    site.change("experiment", hosts=(*site.views["experiment"].hosts, joined))
    await site.wait(300)
    assert await site.told() == []
    ended = {"finished_at": site.wall.now}
    await site.store.move(job.number, JobEvent.FAIL, NOTE, lambda _: (), expect=JobState.RUNNING, changes=ended)
    await site.wait(60)
    assert len(await site.told()) == 2, "it did not come back"


async def test_a_clock_that_is_set_and_a_bot_that_stood_still_accuse_nobody(site: Site) -> None:
    site.silence(3)
    await site.wait(5)
    site.wall.now += DAY_S
    await site.wait(5)
    site.hear(3)
    await site.wait(5)
    # A machine that stood still for an hour, in the middle of a probe.
    site.silence(3)
    site.lose("lone")
    await site.wait(5)
    site.steady.now += 3600
    site.wall.now += 3600
    await site.wait(15)
    assert await site.told() == []
    site.hear(3)
    site.find("lone")
    await site.wait(200)
    assert await site.told() == []


async def test_what_is_muted_is_neither_told_nor_told_back(site: Site) -> None:
    await site.store.mute("HOST_SILENT", "h-3", site.wall.now + 7200, NOTE)
    await site.store.mute("POOL_SILENT", "p-9", site.wall.now + DAY_S, NOTE)
    site.silence(3)
    site.lose("lone")
    await site.wait(3600)
    assert await site.told() == []
    await site.wait(3700)
    (told,) = await site.told()
    assert "xenserver3" in told, "it is silent still when the time is over"
    await site.store.mute("HOST_SILENT", "h-3", site.wall.now + DAY_S, NOTE)
    site.hear(3)
    await site.wait(600)
    assert len(await site.told()) == 1
    known, _ = await site.store.absences()
    assert [one.ended_at is not None for one in known] == [True]


async def test_a_bot_that_was_just_started_takes_its_time_before_it_judges(site: Site) -> None:
    site.pool("young", "p-7", (host_of(7, coordinator=True),), (guest_of(7, "new", 7),))
    site.change("young", state=FeedState.LOADING, pool=None, hosts=(), vms=(), members=(), reason="not asked yet")
    site.silence(3)
    site.started()
    await site.wait(27)
    assert await site.told() == []
    await site.wait(40)
    told = await site.told()
    assert len(told) == 2
    assert "young has not answered since xenbot was started" in told[1]
