"""What a join is told of beside its rules: hosts that are not alone, processors that differ, guests that come along."""

from __future__ import annotations

import asyncio

import pytest
from join_changes import database_of, guests, host_field, joined, judged
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.operations.joining.rules import rules
from bot.xen import Pools


async def test_features_that_no_host_tells_are_not_called_alike(lab: Datacentre) -> None:
    host_field("cpu_info", {"features_hvm": "", "features_hvm_host": ""})(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await judged(pools, "xenserver4", "experiment")
        assert broken == {}
        (unclear,) = [one for one in rules(facts) if one.grade is not Grade.OK]
        assert (unclear.key, unclear.grade) == ("cpu-features", Grade.UNKNOWN)


async def test_suspended_guests_come_along(lab: Datacentre) -> None:
    guests("Suspended")(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await judged(pools, "xenserver2", "experiment")
        assert broken == {}
        await joined(pools, facts)


@pytest.mark.parametrize(
    ("host", "target", "said", "refusal"),
    [
        ("xenserver1", "xenserver4", "A coordinator of other hosts", ["JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"]),
        ("xenserver3", "xenserver4", "only ejected from there", []),
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
    facts, broken = await judged(both, host, target)
    assert said in plain(broken["alone"].fix or "")
    if not refusal:  # a member takes no such call: it names its coordinator
        return
    here, there = (next(live for live in both._pools if live.pool == side.pool) for side in (facts.joining, facts.pool))
    address = facts.pool.coordinator.address
    task = await here.sessions.join(address, there.sessions)
    record = {"status": "pending"}
    async with asyncio.timeout(15):
        while record["status"] == "pending":
            record = await here.sessions.read("task.get_record", task)
    assert record["error_info"] == refusal


async def test_what_a_weaker_processor_takes_from_the_pool_is_named_with_the_guests_that_would_have_to_restart(
    lab: Datacentre,
) -> None:
    database, machine = database_of(lab, "xenserver4")
    info = dict(database.get("host", machine.ref, "cpu_info"))
    words = info["features_hvm_host"].split("-") if "features_hvm_host" in info else info["features_hvm"].split("-")
    aes = 1 << 25
    words[1] = f"{int(words[1], 16) & ~aes:08x}"
    host_field("cpu_info", dict.fromkeys(("features_hvm", "features_hvm_host"), "-".join(words)))(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await judged(pools, "xenserver4", "experiment")
        assert broken == {}, "XAPI levels the pool, it refuses nothing"
        (weaker,) = [one for one in rules(facts) if one.grade is Grade.WARNING]
        assert weaker.key == "cpu-features"
        assert "lacks 1 feature" in plain(weaker.mine)
        assert "takes aes from the whole pool" in plain(weaker.fix or "")
        assert "in use by" in plain(weaker.fix or "")
        assert facts.restarting
        await joined(pools, facts)
