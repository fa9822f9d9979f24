"""A pool that cannot be asked is told once; where nobody answers, xenbot doubts itself and accuses nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from absence_bench import PATIENCE, Site, buttons, opened, text

from bot.domain.audit import Tag
from bot.domain.inventory import FeedState, PowerState
from bot.store import Note

DAY_S = 86_400.0
NOTE = Note(Tag.ALERT_MUTED, "T1", "U1")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path) as made:
        yield made


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
