"""Which hosts a pool may be asked by: those that are its members, and no longer than they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings, until

from bot.lab.xapi import Datacentre
from bot.xen import Pools


@pytest.fixture
async def both(lab: Datacentre) -> AsyncIterator[Pools]:
    """A pool, and a host that is a pool of its own."""
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        yield pools


def database(lab: Datacentre, host: str) -> tuple[Any, str]:
    return next((pool.database, one.ref) for pool in lab._pools for one in pool.machines.values() if one.name == host)


def recorded(lab: Datacentre, *, live: bool) -> tuple[str, str]:
    """A record of xenserver4 in the pool; gives its reference and that of its metrics."""
    (theirs, host), (ours, _) = database(lab, "xenserver4"), database(lab, "xenserver1")
    metrics = ours.create("host_metrics", live=live)
    known = {name: theirs.get("host", host, name) for name in ("uuid", "name_label", "address", "hostname")}
    return ours.create("host", metrics=metrics, enabled=True, **known), metrics


def names(pools: Pools) -> list[str]:
    return sorted(view.name for view in pools.pools())


def asked(pools: Pools) -> set[str]:
    """The addresses that may be logged in to with the password of the pool."""
    entry = next(one for one in pools._pools.every if one.name == "experiment")
    return {host.address for host in entry.sessions._pool.hosts} | {host.address for host in entry.brief._pool.hosts}


async def test_a_host_that_a_pool_remembers_and_that_answers_as_its_own_gets_no_password_of_the_pool(
    lab: Datacentre, both: Pools
) -> None:
    before = asked(both)
    recorded(lab, live=False)
    there = lambda: any(host.name == "xenserver4" for host in both.pool("experiment").hosts)  # noqa: E731  a condition
    await until(both, there)
    assert names(both) == ["experiment", "xenserver4"]
    assert asked(both) == before


async def test_a_host_that_has_left_a_pool_is_not_asked_for_it_any_more(lab: Datacentre, both: Pools) -> None:
    before = asked(both)
    host, _ = recorded(lab, live=True)
    await until(both, lambda: names(both) == ["experiment"])
    assert asked(both) > before
    database(lab, "xenserver1")[0].delete("host", host)
    await until(both, lambda: names(both) == ["experiment", "xenserver4"])
    assert asked(both) == before
