import asyncio
import json

import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout
from slack_clients import Json, bot, open_socket, person
from slack_sdk.errors import SlackApiError

from bot.lab.slack import Workplace


async def _history(workplace: Workplace) -> list[str]:
    answer = await bot(workplace).post("conversations.history", channel=workplace.channels["ops"])
    return [message["text"] for message in answer["messages"]]


async def _post_raw(workplace: Workplace, text: str, timeout_s: float = 5) -> Json:
    """Post without the SDK, which repeats a call whose connection broke."""
    header = {"Authorization": f"Bearer {workplace.bot_token}"}
    body = {"channel": workplace.channels["ops"], "text": text}
    async with (
        ClientSession(timeout=ClientTimeout(total=timeout_s)) as session,
        session.post(f"{workplace.api_url}chat.postMessage", headers=header, json=body) as response,
    ):
        answer: Json = await response.json()
        return answer


async def test_429_and_500_take_no_effect_and_count_down(workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "429", "times": 2, "retry_after": 7})
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "500"})
    statuses = []
    for _ in range(3):
        with pytest.raises(SlackApiError) as refused:
            await bot(workplace).web.chat_postMessage(channel=workplace.channels["ops"], text="x")
        statuses.append((refused.value.response.status_code, refused.value.response.headers.get("Retry-After")))
    assert statuses == [(429, "7"), (429, "7"), (500, None)]
    assert (await _post_raw(workplace, "well"))["ok"]
    assert await _history(workplace) == ["well"]


@pytest.mark.parametrize(("kind", "effect"), [("drop_before", []), ("drop_after", ["lost"])])
async def test_lost_answer_takes_effect_or_not(workplace: Workplace, kind: str, effect: list[str]) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": kind})
    with pytest.raises(ClientConnectionError):
        await _post_raw(workplace, "lost")
    assert await _history(workplace) == effect


async def test_answer_that_never_comes_has_taken_effect(workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "timeout_after"})
    with pytest.raises(TimeoutError):
        await _post_raw(workplace, "held", timeout_s=0.3)
    assert await _history(workplace) == ["held"]


async def test_clearing_releases_what_is_held(workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "timeout_after"})
    since = workplace.revision()
    held = asyncio.create_task(_post_raw(workplace, "held"))
    await workplace.changed(since)
    await workplace.do({"do": "clear_faults"})
    with pytest.raises(ClientConnectionError):
        await held


async def test_response_url_can_fail_too(workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "response_url", "kind": "500"})
    async with (
        ClientSession() as session,
        session.post(f"{workplace.url}/hooks/commands/T1/any", json={"text": "x"}) as response,
    ):
        assert response.status == 500


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "explode"},
        {"do": "fail", "method": "chat.postMessage", "kind": "418"},
        {"do": "fail", "method": "chat.postMessage", "kind": "429", "times": 0},
        {"do": "fail", "method": "chat.postMesage", "kind": "429"},
        {"do": "drop_sockets", "when": "now"},
        {"do": "delay_next", "seconds": -1},
        {"do": "person", "key": "nobody", "deleted": True},
        {"do": "usergroup", "name": "nobody", "members": []},
        {"do": "usergroup", "name": "xen-admins", "members": ["nobody"]},
        {"do": "channel", "name": "nowhere"},
    ],
)
async def test_unknown_control_is_refused_with_a_sentence(workplace: Workplace, request_: Json) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].+\.$"):
        await workplace.do(request_)


async def test_inspector_keeps_frames_and_calls_without_secrets(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        ops = workplace.channels["ops"]
        operator = person(workplace, "operator")
        typed = asyncio.create_task(operator.post("chat.command", channel=ops, command="/xen", text="status"))
        frame = await socket.read()
        await socket.ack(frame)
        await typed
    entries = workplace.log()
    assert {"http", "frame_out", "frame_in", "socket"} <= {entry["kind"] for entry in entries}
    text = json.dumps(entries)
    tokens = [workplace.bot_token, workplace.app_token, *(one.token for one in workplace.people.values())]
    assert not [token for token in tokens if token in text]
    assert frame["payload"]["response_url"] not in text
    assert "ticket=…" in json.dumps(entries, ensure_ascii=False)
    shown = await operator.post("lab.log", since=entries[-1]["n"] - 1)
    assert shown["entries"][0] == entries[-1]
