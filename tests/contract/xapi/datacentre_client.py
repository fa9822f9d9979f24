"""A client of the simulated hosts, and what is true of them: for the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from published_model import check_parameters

from bot.lab.xapi import Datacentre

PASSWORD = "pw"
DEADLINE_S = 60.0

Connect = Callable[[str], "Rpc"]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Stock = Callable[[Callable[[Any], Any]], Awaitable[Any]]


class RpcError(Exception):
    """An API failure; `args` are code and parameters."""


@dataclass
class Rpc:
    """A JSON-RPC 2.0 client of one host."""

    http: aiohttp.ClientSession
    url: str
    session: str = ""

    async def raw(self, method: str, *params: Any, headers: dict[str, str] | None = None) -> Any:
        body = {"jsonrpc": "2.0", "method": method, "params": list(params), "id": 1}
        async with self.http.post(f"{self.url}/jsonrpc", json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            answer = await response.json()
        if "error" in answer:
            error = [answer["error"]["message"], *answer["error"]["data"]]
            check_parameters(error)
            raise RpcError(*error)
        return answer["result"]

    async def call(self, method: str, *params: Any, headers: dict[str, str] | None = None) -> Any:
        return await self.raw(method, self.session, *params, headers=headers)

    async def login(self, user: str = "root") -> "Rpc":
        self.session = await self.raw("session.login_with_password", user, PASSWORD, "1.0", "test")
        return self

    async def find(self, class_name: str, name: str) -> str:
        found = await self.call(f"{class_name}.get_by_name_label", name)
        assert len(found) == 1, found
        return found[0]

    async def fail(self, method: str, *params: Any) -> list[str]:
        """Returns code and parameters of a call that must fail."""
        with pytest.raises(RpcError) as caught:
            await self.call(method, *params)
        return list(caught.value.args)

    async def finish(self, task: str) -> dict[str, Any]:
        """Waits for the end of a task by its events; returns its record."""
        token = ""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                answer = await self.call("event.from", [f"task/{task}"], token, 10.0)
                token = answer["token"]
                for event in answer["events"]:
                    assert event["operation"] != "del", "the task vanished"
                    if event["snapshot"]["status"] != "pending":
                        if event["snapshot"]["error_info"]:
                            check_parameters(event["snapshot"]["error_info"])
                        return event["snapshot"]


@asynccontextmanager
async def running(world: str, http: aiohttp.ClientSession, **options: Any) -> AsyncIterator[tuple[Datacentre, Rpc]]:
    """Runs a datacentre of another world; gives it and a client logged in at its first host."""
    lab = Datacentre(world=world, port=0, password=PASSWORD, debug_consistency=True, **options)
    await lab.start()
    try:
        yield lab, await Rpc(http, next(iter(lab.hosts.values())).http).login()
    finally:
        await lab.stop()
    assert lab.findings == []


def guest_of(lab: Datacentre, name: str) -> dict[str, Any]:
    """Returns what is true of the only guest of that name."""
    found = [guest for guest in lab.state()["guests"] if guest["name"] == name]
    assert len(found) == 1, found
    return found[0]


def host_of(lab: Datacentre, name: str) -> dict[str, Any]:
    """Returns what is true of a host."""
    return next(host for host in lab.state()["hosts"] if host["name"] == name)
