"""A server without JSON-RPC: everything it gets at any path goes to its XML-RPC handler."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from xen_lab import behind, following, loaded, until

from bot.lab.xapi import Datacentre
from bot.xen import Pools


@pytest.fixture
async def old(lab: Datacentre) -> AsyncIterator[Pools]:
    """The pool `experiment` through a door that knows no JSON."""

    async def pass_on(http: aiohttp.ClientSession, request: web.Request) -> web.Response:
        body = await request.read()
        async with http.post(lab.hosts["xenserver1"].http, data=body, headers={"Content-Type": "text/xml"}) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)

    async with behind(pass_on) as door, following(door) as pools:
        yield pools


async def test_an_old_server_is_followed_by_xml(lab: Datacentre, old: Pools) -> None:
    await loaded(old)
    uuid = old.vm("日本語サーバー").uuid
    assert old.host("xenserver1").memory_total == next(
        host["memory_total"] for host in lab.state()["hosts"] if host["name"] == "xenserver1"
    )
    assert old.vm(uuid).started_at is not None
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "name_label", "value": "renamed & <b>"})
    await until(old, lambda: old.vm(uuid).name == "renamed & <b>")
    await lab.do({"do": "expire_sessions"})
    await lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "name_label", "value": "again"})
    await until(old, lambda: old.vm(uuid).name == "again")
