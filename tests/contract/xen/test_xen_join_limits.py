"""What a join is told of beside its rules: hosts that are not alone, and guests that come along."""

from __future__ import annotations

import asyncio

import pytest
from join_changes import authority, database_of, guests, together, trusted
from xen_lab import EXPERIMENT, following, joined, judged, loaded, pool_settings, until

from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.xen import Pools


async def test_suspended_guests_come_along(lab: Datacentre) -> None:
    guests("Suspended")(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, amiss = await judged(pools, "xenserver2", "experiment")
        assert amiss == []
        await joined(pools, facts)


async def test_what_both_sides_trust_without_contradiction_lets_the_host_in_and_is_trusted_once(
    lab: Datacentre,
) -> None:
    together(
        authority("xenserver4", "AA:01"),
        authority("xenserver1", "AA:01"),
        trusted("xenserver4", "ldaps"),
        trusted("xenserver1", "licensing"),
        trusted("xenserver4", kind="ca", mark="AA:04"),
        trusted("xenserver1", kind="ca", mark="AA:04"),
    )(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, amiss = await judged(pools, "xenserver4", "experiment")
        assert amiss == []
        host = facts.joining.coordinator.uuid
        await joined(pools, facts)
        await until(pools, lambda: any(one.uuid == host and one.address for one in pools.pool("experiment").hosts))
        database, _ = database_of(lab, "xenserver4")
    found = [one for _, one in database.items("Certificate") if one["type"] in {"ca", "pinned"}]
    assert sorted((one["name"], one["fingerprint"], *one["purpose"]) for one in found) == [
        ("", "AA:03", "ldaps"),
        ("", "AA:03", "licensing"),
        ("", "AA:04"),
        ("company", "AA:01"),
    ]


@pytest.mark.parametrize(
    ("host", "target", "said", "refusal"),
    [
        (
            "xenserver1",
            "xenserver4",
            "Eject the other hosts from its pool",
            ["JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"],
        ),
        ("xenserver3", "xenserver4", "Eject xenserver3 from experiment first", []),
        ("xenserver3", "experiment", "a member already", ["OPERATION_NOT_ALLOWED", "Host is already part of a pool"]),
        (
            "xenserver4",
            "xenserver4",
            "a member already",
            ["OPERATION_NOT_ALLOWED", "Host cannot become slave of itself"],
        ),
    ],
)
async def test_a_host_that_is_not_alone_is_told_what_it_is_instead(
    both: Pools, host: str, target: str, said: str, refusal: list[str]
) -> None:
    facts, (first, *_) = await judged(both, host, target)
    assert first.key == "alone"
    assert said in plain(first.fix or "")
    if not refusal:  # a member takes no such call: it names its coordinator
        return
    here, there = (next(live for live in both._pools if live.pool == side.pool) for side in (facts.joining, facts.pool))
    address = facts.pool.coordinator.address
    task = await here.sessions.join(address, there.sessions)
    record = {"status": "pending"}
    async with asyncio.timeout(60):
        while record["status"] == "pending":
            record = await here.sessions.read("task.get_record", task)
    assert record["error_info"] == refusal
