"""Three of 64 hosts are dead: the check of the pool and that of a join answer, and name what they could not judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from large_world import NEWCOMER, POOL, with_a_newcomer
from xen_lab import PASSWORD, following, loaded, pool_settings, until

from bot.domain.plain_text import text_of
from bot.domain.plan import Grade
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.operations import pool_join
from bot.operations.health import report
from bot.operations.joining import report as joining
from bot.operations.joining.rules import rules
from bot.xen import Pools

HOSTS = 64
DEAD = ("host010", "host031", "host064")


@pytest.fixture
async def wounded(tmp_path: Path, certificates: Path) -> AsyncIterator[Pools]:
    """The large pool, followed, two of its hosts without power and one behind a cut cable, and the host outside."""
    world = tmp_path / "large.toml"
    world.write_text(with_a_newcomer(HOSTS, 128), encoding="utf-8")
    lab = Datacentre(world=str(world), port=0, speed=1, password=PASSWORD, certificates=certificates)
    lab.login_delay_s = 0.01
    await lab.start()
    listed = [f"host{number:03}" for number in range(1, HOSTS + 1)]
    settings = (pool_settings(lab, *listed, name=POOL), pool_settings(lab, NEWCOMER))
    async with following(*settings, probe_every_s=0.5) as pools:
        await loaded(pools)
        for name in DEAD[:2]:
            await lab.do({"do": "kill_host", "host": name})
        await lab.do({"do": "cut_network", "host": DEAD[2]})
        yield pools
    await lab.stop()


def _silent(pools: Pools) -> set[str]:
    return {one.name for one in pools.pool(POOL).hosts if one.silent_since is not None}


async def test_checks_of_a_pool_and_of_a_join_name_the_hosts_that_do_not_answer_and_judge_the_others(
    wounded: Pools,
) -> None:
    pool = wounded.pool(POOL).pool
    assert pool is not None
    # At once, before our own probe knows: nobody waits for a host that is gone.
    facts = await wounded.health(pool.uuid)
    rows = {row.key: row for row in report.rows(facts)}
    assert rows["clocks"].grade is not Grade.OK
    await until(wounded, lambda: _silent(wounded) == set(DEAD))
    facts = await wounded.health(pool.uuid)
    found = report.rows(facts)
    live = next(row for row in found if row.key == "live")
    assert live.grade is Grade.BLOCKED
    told = text_of(report.message(facts, found, whole=True))
    assert all(name in told for name in DEAD)
    told_time = {one.host.name for one in facts.hosts if one.clock_ahead_s is not None}
    assert told_time
    assert not told_time & set(DEAD)
    # And a join can be judged by what the pool itself knows.
    read = await wounded.joining(wounded.host(NEWCOMER).uuid, pool.uuid)
    amiss = [one for one in rules(read) if one.grade is not Grade.OK]
    assert [(one.key, one.grade) for one in amiss] == [("members", Grade.WARNING)]
    assert all(name in plain(amiss[0].theirs) for name in DEAD)
    card = text_of(joining.message(read, whole=False))
    assert f"{NEWCOMER} can join {POOL}" in card
    assert all(name in card for name in DEAD)
    plan = pool_join.decide(read, ApprovalSettings())
    assert not plan.blocked
    assert any(check.key == "members" and check.grade is Grade.WARNING for check in plan.checks)
