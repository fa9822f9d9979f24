"""What the check of a pool is judged by beside the feed: what hosts tell themselves, and what was found yesterday."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from join_changes import database_of
from xen_lab import EXPERIMENT, PASSWORD, following, loaded, pool_settings, until

from bot.domain.health import HealthFacts
from bot.domain.plain_text import text_of
from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.jobs.watch import Watch
from bot.lab.xapi import Datacentre
from bot.lab.xapi.values import Date
from bot.operations.health import report
from bot.operations.health.row import Row
from bot.store import Store
from bot.xen import Pools
from handlers import pool_check

GIB = 1 << 30


async def _health(pools: Pools) -> tuple[HealthFacts, dict[str, Row]]:
    (view,) = pools.pools()
    assert view.pool is not None
    facts = await pools.health(view.pool.uuid)
    return facts, {row.key: row for row in report.rows(facts)}


def _says(row: Row) -> str:
    check = row.check()
    return " | ".join(plain(one) for one in (check.fact, check.fix) if one is not None)


@pytest.mark.usefixtures("unhurried")
async def test_control_domains_tell_their_load_and_what_memory_they_have_left(lab: Datacentre, pools: Pools) -> None:
    facts, rows = await _health(pools)
    for one in facts.hosts:
        assert one.control is not None
        assert one.control.processors == 8
        assert one.control.load is not None
        assert 0 < one.control.load < 8
        assert one.control.free is not None
        assert 0.2 < one.control.free / one.host.control_memory < 0.6
    assert rows["dom0"].grade is rows["dom0-load"].grade is Grade.OK
    await lab.do({"do": "strain_dom0", "host": "xenserver3", "load": 17.5, "free_mib": 100})
    _, rows = await _health(pools)
    assert rows["dom0"].grade is Grade.BLOCKED
    assert "xenserver3 has 100 MiB left of" in _says(rows["dom0"])
    assert "xenserver3 has a load of 17.5 on 8 processors" in _says(rows["dom0-load"])
    await lab.do({"do": "strain_dom0", "host": "xenserver3"})
    _, rows = await _health(pools)
    assert rows["dom0"].grade is rows["dom0-load"].grade is Grade.OK


@pytest.mark.usefixtures("unhurried")
async def test_a_server_that_measures_no_such_thing_is_neither_called_busy_nor_silent(
    lab: Datacentre, pools: Pools
) -> None:
    for method in ("host.query_data_source", "VM.query_data_source"):
        fault = {"method": method, "action": "fail", "error": ["INTERNAL_ERROR", "Not_found"], "times": "forever"}
        await lab.do({"do": "arm", "fault": fault})
    facts, rows = await _health(pools)
    assert all(one.control is not None and (one.control.load, one.control.free) == (None, None) for one in facts.hosts)
    assert rows["dom0-load"].grade is Grade.OK
    assert "this server does not measure it" in _says(rows["dom0-load"])


async def test_of_many_hosts_some_dead_and_some_hanging_the_others_are_judged_and_these_named(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hanging ones are waited for so long; the others have to tell within that time on however busy a machine.
    monkeypatch.setattr("bot.xen.health_facts._WITHIN_S", 4.0)
    lab = Datacentre(world="large:12x24", port=0, speed=50, password=PASSWORD, certificates=certificates)
    lab.login_delay_s = 0.01
    await lab.start()
    try:
        names = sorted(lab.hosts)
        # The probe of before knows nothing of what happens now, so that all of them are asked.
        async with following(pool_settings(lab, names[0], name="large"), probe_every_s=3600) as pools:
            await loaded(pools)
            await _health(pools)
            dead = names[-3:]
            await lab.do({"do": "kill_host", "host": dead[0]})
            await lab.do({"do": "cut_network", "host": dead[1]})
            await lab.do({"do": "cut_network", "host": dead[2]})
            facts, rows = await _health(pools)
            told = {one.host.name for one in facts.hosts if one.control is not None and one.clock_ahead_s is not None}
            assert told == set(names) - set(dead)
            for key in ("clocks", "dom0", "dom0-load"):
                assert rows[key].grade is Grade.UNKNOWN
                assert f"{', '.join(dead)} did not tell" in _says(rows[key])
            assert "3 could not be told" in plain(report.verdict(list(rows.values())))
    finally:
        await lab.stop()


async def test_a_host_known_to_be_silent_is_not_asked_and_not_called_well(lab: Datacentre, pools: Pools) -> None:
    host = "xenserver3"
    await lab.do({"do": "kill_host", "host": host})
    for each in pools._pools:  # no port lets a round of probes begin
        await each.probe.look()
    facts, rows = await _health(pools)
    (silent,) = [one for one in facts.hosts if one.host.name == host]
    assert silent.host.silent_since is not None
    assert rows["clocks"].grade is Grade.UNKNOWN
    assert f"{host} did not tell its time" in _says(rows["clocks"])


@pytest.mark.usefixtures("unhurried")
async def test_what_a_pool_trusts_is_named_once_it_has_ended_by_its_name_or_its_fingerprint(lab: Datacentre) -> None:
    ended = Date("20200101T00:00:00Z")
    database, _ = database_of(lab, "xenserver1")
    database.create("Certificate", type="ca", name="company-root", fingerprint="AA:01", not_after=ended)
    mark = ":".join(["AB"] * 32)
    database.create("Certificate", type="pinned", fingerprint=mark, purpose=["licensing"], not_after=ended)
    async with following(pool_settings(lab, *EXPERIMENT, name="experiment")) as pools:
        await loaded(pools)
        _, rows = await _health(pools)
    assert rows["certificates"].grade is Grade.BLOCKED
    told = _says(rows["certificates"])
    assert "trusted authority company-root ended" in told
    assert "pinned certificate AB:AB:AB:AB:AB:AB ended" in told


@pytest.mark.usefixtures("unhurried")
async def test_a_check_tells_what_is_new_and_gone_since_the_bot_looked_by_itself_yesterday(
    lab: Datacentre, pools: Pools, tmp_path: Path
) -> None:
    now = 1_000_000.0
    store = Store(tmp_path / "xenbot.sqlite", lambda: now)
    await store.open()
    watch = Watch(store, pools, pools)

    async def asked() -> str:
        context: Any = SimpleNamespace(fleet=pools, facts=pools, journal=store, now=now)
        return text_of(await pool_check.answer(pool_check.Arguments(pools.pools()[0]), context))

    away = pools.host("xenserver3")
    await lab.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": "xenserver3"})
    await until(pools, lambda: away.uuid not in pools.sr("nfs-vhd").hosts)
    await watch.look()
    assert "since" not in await asked(), "a check of this moment is no yesterday"
    now += 86_400.0
    assert "Nothing new since" in await asked()
    await lab.do({"do": "plug_pbd", "sr": "nfs-vhd", "host": "xenserver3"})
    await lab.do({"do": "set", "class": "host", "uuid": away.uuid, "field": "enabled", "value": False})
    await until(pools, lambda: away.uuid in pools.sr("nfs-vhd").hosts and not pools.host("xenserver3").enabled)
    told = await asked()
    (gone,) = [line for line in told.splitlines() if "No longer so, compared with" in line]
    assert gone.endswith(": nfs-vhd is not attached to xenserver3"), "nobody looked what becomes of its guests now"
    assert "Hosts enabled: new: xenserver3 takes no guests" in told
    # What was found yesterday is still known when today's look is remembered too.
    await watch.look()
    assert "new: xenserver3 takes no guests" in await asked()
    await store.close()
