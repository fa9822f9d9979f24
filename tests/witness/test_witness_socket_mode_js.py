"""Slack's own Socket Mode client for Node.js, without a framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from node_program import NodeProgram, node_program
from people import DEADLINE_S, Json, People

from bot.lab.slack import Workplace

pytestmark = pytest.mark.node
_PING_MS = 300


@pytest.fixture
async def client(workplace: Workplace) -> AsyncIterator[NodeProgram]:
    given = {"slack_api": workplace.api_url, "app_token": workplace.app_token, "ping_ms": _PING_MS}
    async with node_program("socket_mode.mjs", **given) as program:
        await workplace.connected()
        yield program


async def _heard(client: NodeProgram, kind: str, count: int = 1) -> list[Json]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = [one for one in await client.ask("heard") if one["kind"] == kind]
            if len(found) >= count:
                return found


async def test_it_acks_a_command_with_an_answer(client: NodeProgram, people: People) -> None:
    assert (await people.type("status"))["ok"]
    assert await people.sees("got status")
    assert await _heard(client, "command") == [{"kind": "command", "text": "status", "takes": True}]


async def test_it_stays_connected_while_pings_are_answered(workplace: Workplace, client: NodeProgram) -> None:
    assert await client.ask("stay", ms=5 * _PING_MS)
    states = await _heard(client, "state")
    assert [one["state"] for one in states] == ["connecting", "connected"]
    assert workplace.open_sockets == 1


@pytest.mark.parametrize(
    "trouble",
    [
        {"do": "disconnect", "reason": "warning"},
        {"do": "disconnect", "reason": "refresh_requested"},
        {"do": "drop_sockets"},
    ],
    ids=["warned", "refreshed", "dropped"],
)
async def test_it_comes_back(workplace: Workplace, client: NodeProgram, people: People, trouble: Json) -> None:
    await workplace.do(trouble)
    await _connected_again(client)
    assert (await people.type("again"))["ok"]
    assert await people.sees("got again")


async def test_it_comes_back_through_refused_connections(
    workplace: Workplace, client: NodeProgram, people: People
) -> None:
    await workplace.do({"do": "refuse_connections", "on": True, "link_only": True})
    await workplace.do({"do": "drop_sockets"})
    await _heard(client, "error")
    await workplace.do({"do": "refuse_connections", "on": False})
    await _connected_again(client)
    assert (await people.type("again"))["ok"]


async def test_an_event_it_did_not_ack_comes_again_and_says_so(
    workplace: Workplace, client: NodeProgram, people: People
) -> None:
    await people.call("chat.postMessage", channel=people.ops, text=f"<@{workplace.bot_user_id}> twice")
    first, second = await _heard(client, "mention", 2)
    assert (first["attempt"], second["attempt"]) == (0, 1)
    assert first["text"] == second["text"]


async def test_it_leaves_in_good_order(workplace: Workplace, client: NodeProgram) -> None:
    await client.ask("disconnect")
    states = await _heard(client, "state", 4)
    assert [one["state"] for one in states] == ["connecting", "connected", "disconnecting", "disconnected"]
    assert workplace.open_sockets == 0


async def _connected_again(client: NodeProgram) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while sum(one["state"] == "connected" for one in await _heard(client, "state")) < 2:
            continue
