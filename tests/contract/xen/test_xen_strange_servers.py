"""Servers that tell less than we know of, and servers that tell more: looked at all the same, and never called well."""

from __future__ import annotations

import json
import xmlrpc.client
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from xen_lab import behind, following, loaded, pool_settings

from bot.domain.inventory import PowerState
from bot.domain.plain_text import text_of
from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.operations import guests, tools_report
from bot.operations.guests import Wanted
from bot.operations.health import report
from bot.operations.health.row import Row
from bot.operations.joining import report as joining
from bot.xen import Pools

pytestmark = pytest.mark.usefixtures("unhurried")
Change = Callable[[dict[str, Any]], dict[str, Any]]

#: Fields that came with newer servers, and some that every server has and a broken one might not tell.
YOUNG = frozenset(
    {"pending_guidances", "latest_synced_updates_applied", "updates", "updates_requiring_reboot", "multipathing"}
    | {"certificates", "tls_verification_enabled", "domain_type", "current_domain_type", "PV_drivers_detected"}
    | {"virtual_hardware_platform_versions", "capabilities", "cpu_info", "license_params", "carrier", "features"}
    | {"is_tools_sr", "purpose", "physical_size", "physical_utilisation", "virtual_allocation", "restrictions"}
    | {"last_boot_CPU_flags", "sm_config", "not_after", "software_version", "external_auth_type", "edition"}
)
#: What a server of some later day might call things.
TOMORROW: dict[str, Any] = {
    "domain_type": "tdx",
    "current_domain_type": "tdx",
    "latest_synced_updates_applied": "partly",
    "pending_guidances": ["reboot_universe"],
    "allowed_operations": ["teleport"],
    "ip_configuration_mode": "Telepathy",
    "ha_cluster_stack": "quorum",
    "content_type": "dreams",
}


def older(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in YOUNG}


def newer(record: dict[str, Any]) -> dict[str, Any]:
    told = {key: TOMORROW.get(key, value) for key, value in record.items()}
    if record.get("name_label") == "sleeper":
        told["power_state"] = "Hibernated"
    if record.get("name_label") == "centos54":
        told["current_operations"] = {"OpaqueRef:00000000-0000-4000-8000-000000000001": "teleport"}
    return told | {"a_field_of_tomorrow": {"deeply": ["nested", {"as": 1}]}}


def _changed(value: Any, change: Change) -> Any:
    """All records inside an answer as the other server would tell them; a record is what has a UUID."""
    if isinstance(value, list):
        return [_changed(one, change) for one in value]
    if isinstance(value, dict):
        inside = {key: _changed(one, change) for key, one in value.items()}
        return change(inside) if "uuid" in inside else inside
    return value


def _answer(body: bytes, change: Change) -> bytes:
    if body.lstrip().startswith(b"{"):
        return json.dumps(_changed(json.loads(body), change)).encode()
    (answer,), _ = xmlrpc.client.loads(body)
    return xmlrpc.client.dumps((_changed(answer, change),), methodresponse=True).encode()


@asynccontextmanager
async def strange(lab: Datacentre, change: Change) -> AsyncIterator[Pools]:
    """The pool `experiment` behind a door that changes what it tells, and the host beside it as it is."""

    async def pass_on(http: aiohttp.ClientSession, request: web.Request) -> web.Response:
        kind = {"Content-Type": request.headers.get("Content-Type", "text/xml")}
        there = lab.hosts["xenserver1"].http + request.path
        async with http.post(there, data=await request.read(), headers=kind) as answer:
            told = _answer(await answer.read(), change)
            return web.Response(body=told, status=answer.status, content_type=answer.content_type)

    async with behind(pass_on) as door, following(door, pool_settings(lab, "xenserver4")) as pools:
        await loaded(pools)
        yield pools


async def _rows(pools: Pools) -> dict[str, Row]:
    pool = pools.pool("experiment").pool
    assert pool is not None
    facts = await pools.health(pool.uuid)
    found = report.rows(facts)
    assert text_of(report.message(facts, found, whole=True))
    return {row.key: row for row in found}


def _says(row: Row) -> str:
    return plain(row.check().fact)


async def _join(pools: Pools) -> str:
    pool = pools.pool("experiment").pool
    assert pool is not None
    return text_of(joining.message(await pools.joining(pools.host("xenserver4").uuid, pool.uuid), whole=True))


async def test_what_an_older_server_does_not_tell_is_named_and_nothing_of_it_is_called_well(lab: Datacentre) -> None:
    async with strange(lab, older) as pools:
        rows = await _rows(pools)
        for key, words in {
            "versions": "no host told its version",
            "cpu-vendor": "no host told its CPU",
            "hvm": "no host told whether it can run HVM guests",
            "certificates": "no host told until when its certificate is good",
            "space": "how full nfs-vhd is was not told",
            "links": "cards do not tell their links",
        }.items():
            assert rows[key].grade is Grade.UNKNOWN, key
            assert words in _says(rows[key])
        # What such servers do not know is nothing that they lack.
        assert rows["updates"].grade is Grade.OK
        assert rows["dom0"].grade is Grade.OK
        found = guests.matching(pools.pools(), Wanted(), 0.0)
        assert {one.found.vm.name for one in tools_report.judged(found, 0.0)} >= {"centos54", "winxp"}
        assert "xenserver4" in await _join(pools)


async def test_words_of_a_newer_server_are_told_as_they_are_and_judged_as_unknown(lab: Datacentre) -> None:
    async with strange(lab, newer) as pools:
        rows = await _rows(pools)
        assert rows["updates"].grade is Grade.UNKNOWN
        assert "what xenserver1 says of its updates is not understood" in _says(rows["updates"])
        assert "still has to: reboot universe" in _says(rows["updates"])
        assert "sleeper is in a state that is not known here" in _says(rows["paused"])
        assert "guest centos54 claims to be in teleport" in _says(rows["stuck"])
        assert pools.vm("sleeper").power_state is PowerState.UNKNOWN
        found = guests.matching(pools.pools(), Wanted(pool=pools.vm("centos54").pool), 0.0)
        judged = {one.found.vm.name: one for one in tools_report.judged(found, 0.0)}
        assert plain(judged["centos54"].means) == "not known for this mode"
        assert "xenserver4" in await _join(pools)
