"""What a join is told of beside its rules, what lets it pass, and what is told only once XAPI has refused it."""

from __future__ import annotations

import asyncio

import pytest
from join_changes import (
    authority,
    cluster,
    database_of,
    guests,
    host_field,
    made,
    pool_field,
    record_left,
    second_address,
    together,
    trusted,
)
from xen_lab import EXPERIMENT, following, joined, judged, loaded, pool_settings, until

from bot.domain.texts import plain
from bot.errors import XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.xapi_words import explain
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


async def test_what_xapi_lets_pass_is_not_held_against_a_host(lab: Datacentre) -> None:
    together(
        # The licence of the host counts, not that of the pool.
        pool_field("restrictions", {"restrict_pool_size": "true"}, "xenserver1"),
        record_left("xenserver1"),
        made("Cluster_host", enabled=False),
        cluster(device="eth1", joins=False),
        # Of the pool the coordinator counts, not its members.
        host_field("pending_guidances", ["reboot_host"], "xenserver3"),
        pool_field("current_operations", {"OpaqueRef:task": "sync_updates"}, "xenserver1"),
        host_field("software_version", {"xapi_build": "24.16.1", "linux": "4.19.0+2"}),
        *(host_field("external_auth_type", "AD", host) for host in ("xenserver4", "xenserver1")),
        host_field("external_auth_service_name", "Example.COM"),
        host_field("external_auth_service_name", "example.com", "xenserver1"),
        made("SDN_controller", at="xenserver1", protocol="ssl", address="192.0.2.9", port=6640),
    )(lab)
    await joins_well(lab)


async def test_a_second_address_on_the_card_of_the_cluster_but_on_another_network_lets_the_host_in(
    lab: Datacentre,
) -> None:
    together(cluster(), second_address(elsewhere=True))(lab)
    await joins_well(lab)


async def test_linux_bridges_have_no_controller_to_agree_on(lab: Datacentre) -> None:
    bridges = (
        host_field("software_version", {"network_backend": "bridge"}, host) for host in ("xenserver4", *EXPERIMENT)
    )
    together(*bridges, made("SDN_controller", protocol="ssl", address="192.0.2.9", port=6640))(lab)
    await joins_well(lab)


async def joins_well(lab: Datacentre) -> None:
    """The host is told of nothing that speaks against it, and joins."""
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, amiss = await judged(pools, "xenserver4", "experiment")
        assert amiss == []
        await joined(pools, facts)


@pytest.mark.parametrize(
    ("host", "file", "code", "said"),
    [
        ("xenserver4", "own", "CERTIFICATE_LIBRARY_CORRUPT", "look at the .pem files in /etc/xensource there"),
        ("xenserver1", "pool", "POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE", "xe pool-certificate-sync"),
        ("xenserver4", "bundle", "POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT", "/etc/stunnel/xapi-pool-ca-bundle.pem"),
    ],
)
async def test_files_that_no_record_tells_of_are_named_by_the_refusal_and_leave_nothing_behind(
    lab: Datacentre, host: str, file: str, code: str, said: str
) -> None:
    await lab.do({"do": "certificate_file", "host": host, "file": file})
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, amiss = await judged(pools, "xenserver4", "experiment")
        assert amiss == []
        with pytest.raises(XapiFailure) as refused:
            await joined(pools, facts)
        assert refused.value.code == code
        assert said in plain(explain(refused.value.code, refused.value.params))
        database, _ = database_of(lab, "xenserver1")
        assert database.count("host") == len(EXPERIMENT), "no record of half a join"
        await lab.do({"do": "certificate_file", "host": host})
        await joined(pools, facts)


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
