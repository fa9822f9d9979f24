"""A host or a pool that falls silent is told once, and once more when it answers again, with what became of guests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from absence_bench import PATIENCE, Clock, Site, buttons, guest_of, host_of, text
from job_records import job_of

from bot.domain.audit import Tag
from bot.domain.inventory import FeedState, PowerState
from bot.domain.job import JobEvent, JobState
from bot.domain.plan import Plan, Risk, Target
from bot.domain.texts import say
from bot.errors import StoreError
from bot.operations import pool_join
from bot.store import Note, Store
from bot.store import absences as kept

DAY_S = 86_400.0
NOTE = Note(Tag.ALERT_MUTED, "T1", "U1")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    wall = Clock()
    store = Store(tmp_path / "xenbot.sqlite", clock=wall)
    await store.open()
    site = Site(store, wall)
    await site.wait(15)
    yield site
    await store.close()


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


async def test_a_pool_that_cannot_be_asked_is_told_once_with_its_reason_and_its_hosts_not_beside_it(site: Site) -> None:
    site.lose("experiment", "pool experiment could not be asked: 192.0.2.1 refuses the connection")
    site.silence(1, 2, 3)
    await site.wait(PATIENCE.pool)
    assert await site.told() == []
    await site.wait(3600)
    (post,) = await site.posts()
    (told,) = await site.told()
    assert "experiment cannot be asked since" in told
    assert "192.0.2.1 refuses the connection" in text(post)
    assert "4 guests there are unconfirmed: db1, mail, web1 and 1 more" in text(post)
    assert "mute POOL_SILENT on p-1 for 1d" in [one.target for one in buttons(post.message)]
    site.find("experiment")
    site.hear(1, 2, 3)
    site.guest(4, power_state=PowerState.HALTED, host=None)
    await site.wait(PATIENCE.grace + 10)
    (_, back) = await site.told()
    assert "experiment can be asked again, after 61 min" in back
    assert "mail (halted)" in back
    await site.wait(3600)
    assert len(await site.told()) == 2


async def test_a_host_that_stays_away_when_its_pool_is_back_is_told_back_by_itself(site: Site) -> None:
    site.lose("experiment")
    site.silence(1, 2, 3)
    await site.wait(100)
    site.find("experiment")
    site.hear(1, 2)
    await site.wait(140)
    (_, back) = await site.posts()
    assert "Still silent: xenserver3" in text(back)
    assert "3 of 4 guests that ran there are unconfirmed, on hosts that do not answer: db1, web1, web2" in text(back)
    site.hear(3)
    await site.wait(140)
    assert "xenserver3 of experiment answers again" in (await site.told())[2]
    # The message that the pool is back stays as it is.
    assert [one for one in await site.store.due(1000) if one.kind == "card" and "xenserver3" in text(one)] == []


async def test_a_toolstack_that_restarts_is_no_news_and_one_that_stays_away_names_its_coordinator(site: Site) -> None:
    site.lose("experiment")
    await site.wait(45)
    site.find("experiment")
    await site.wait(200)
    assert await site.told() == []
    site.lose("experiment")
    await site.wait(70)
    (post,) = await site.posts()
    assert "Its hosts answer our probe, so its guests most likely run on" in text(post)
    assert "First look at the toolstack of xenserver1" in text(post)


async def test_a_coordinator_that_answers_the_feed_is_not_called_silent(site: Site) -> None:
    site.silence(1)
    site.silence(9, pool="lone")
    await site.wait(600)
    assert await site.told() == []


async def test_when_no_host_of_any_pool_answers_xenbot_doubts_itself_and_accuses_nobody(site: Site) -> None:
    site.lose("experiment")
    site.silence(1, 2, 3)
    await site.wait(10)
    site.lose("lone")
    site.silence(9, pool="lone")
    await site.wait(3600)
    (told,) = await site.told()
    assert "xenbot reaches no host of any pool since" in told
    assert "xenbot's own network or machine" in told
    site.started()
    await site.wait(600)
    for name, hosts in (("experiment", (1, 2, 3)), ("lone", (9,))):
        site.find(name)
        site.hear(*hosts, pool=name)
    await site.wait(140)
    (_, back) = await site.told()
    assert "xenbot reaches its pools again" in back
    assert "All 5 guests that ran there run" in back
    await site.wait(3600)
    assert len(await site.told()) == 2


async def test_what_stays_away_when_the_rest_is_back_is_named_and_told_back_by_itself(site: Site) -> None:
    site.lose("experiment")
    site.lose("lone")
    site.silence(1, 2, 3)
    site.silence(9, pool="lone")
    await site.wait(100)
    site.find("experiment")
    site.hear(1, 2)
    await site.wait(100)
    site.host(2, enabled=False)
    await site.wait(60)
    assert len(await site.told()) == 1, "a host that its guests ran on is not settled"
    site.host(2, enabled=True)
    await site.wait(140)
    (_, back) = await site.posts()
    assert "Not yet: lone" in text(back)
    assert "Still silent: xenserver3" in text(back)
    site.find("lone")
    site.hear(9, pool="lone")
    site.hear(3)
    await site.wait(140)
    (_, _, third, fourth) = await site.told()
    assert "xenserver3 of experiment answers again" in third
    assert "lone can be asked again" in fourth


async def test_a_pool_that_falls_silent_long_after_another_is_told_as_itself(site: Site) -> None:
    site.lose("lone")
    site.silence(9, pool="lone")
    await site.wait(300)
    site.lose("experiment")
    site.silence(1, 2, 3)
    await site.wait(300)
    assert ["cannot be asked" in one for one in await site.told()] == [True, True]
    (_, second) = await site.posts()
    assert "it may be xenbot's own network as well" in text(second)


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


async def test_what_stays_silent_is_told_by_itself_where_nobody_wants_to_hear_that_the_rest_is_back(site: Site) -> None:
    for kind, lost in (("POOL_SILENT", ("experiment",)), ("ALL_SILENT", ("experiment", "lone"))):
        before = len(await site.told())
        for name in lost:
            site.lose(name)
        site.silence(1, 2, 3)
        site.silence(9, pool="lone")
        await site.wait(100)
        assert len(await site.told()) == before + 1
        await site.store.mute(kind, "", site.wall.now + DAY_S, NOTE)
        for name in lost:
            site.find(name)
        site.hear(1, 2)
        site.hear(9, pool="lone")
        await site.wait(600)
        (*_, told) = await site.told()
        assert len(await site.told()) == before + 2, kind
        assert "xenserver3 of experiment is silent" in told
        site.hear(3)
        await site.wait(1000)


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


async def test_a_pool_that_answered_a_new_bot_for_a_moment_only_is_told_with_its_guests(site: Site) -> None:
    known = site.views["experiment"]
    site.change("experiment", state=FeedState.LOADING, pool=None, hosts=(), vms=(), members=())
    site.started()
    await site.wait(3)
    site.change("experiment", pool=known.pool, hosts=known.hosts, vms=known.vms, members=known.members)
    site.lose("experiment")
    site.silence(1, 2, 3)
    await site.wait(70)
    (told,) = await site.told()
    assert "4 guests there are unconfirmed" in told
