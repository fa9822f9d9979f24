import asyncio

import pytest
from slack_clients import Json, Socket, bot, make_button, open_socket, person

from bot.lab.slack import Clock, Workplace


def _input(name: str, *, optional: bool = False) -> Json:
    label = {"type": "plain_text", "text": name}
    element = {"type": "plain_text_input", "action_id": name}
    return {"type": "input", "block_id": name, "label": label, "element": element, "optional": optional}


def _view(*blocks: Json, **more: object) -> Json:
    shown = blocks or (_input("why"), _input("note", optional=True))
    words = {key: {"type": "plain_text", "text": key} for key in ("title", "submit", "close")}
    return {"type": "modal", **words, "callback_id": "migrate", "blocks": list(shown), **more}


def _values(**texts: str) -> Json:
    return {name: {name: {"type": "plain_text_input", "value": text}} for name, text in texts.items()}


async def _take_trigger(workplace: Workplace, socket: Socket) -> str:
    ops = workplace.channels["ops"]
    operator = person(workplace, "operator")
    typed = asyncio.create_task(operator.post("chat.command", channel=ops, command="/xen", text="migrate"))
    frame = await socket.read()
    await socket.ack(frame)
    assert (await typed)["ok"]
    return str(frame["payload"]["trigger_id"])


async def _open(workplace: Workplace, socket: Socket, view: Json) -> Json:
    trigger = await _take_trigger(workplace, socket)
    opened = await bot(workplace).post("views.open", trigger_id=trigger, view=view)
    assert opened["ok"], opened
    shown: Json = opened["view"]
    return shown


async def _submit(workplace: Workplace, socket: Socket, view: Json, answer: Json, **texts: str) -> tuple[Json, Json]:
    """Submit, answer with ``answer``, and return what the person's client got and the payload."""
    operator = person(workplace, "operator")
    values = _values(**(texts or {"why": "because"}))
    submitted = asyncio.create_task(operator.post("views.submit", view_id=view["id"], values=values))
    frame = await socket.read()
    await socket.ack(frame, answer)
    assert frame["accepts_response_payload"] is True
    return await submitted, frame["payload"]


async def _stack(workplace: Workplace) -> list[Json]:
    screen = await person(workplace, "operator").post("lab.screen")
    views: list[Json] = screen["views"]
    return views


async def test_trigger_opens_once(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        trigger = await _take_trigger(workplace, socket)
    assert (await bot(workplace).post("views.open", trigger_id=trigger, view=_view()))["ok"]
    again = await bot(workplace).post("views.open", trigger_id=trigger, view=_view())
    assert again["error"] == "exchanged_trigger_id"
    unknown = await bot(workplace).post("views.open", trigger_id="1.2.3", view=_view())
    assert unknown["error"] == "invalid_trigger_id"


async def test_trigger_dies_after_three_seconds(still_workplace: Workplace, clock: Clock) -> None:
    async with open_socket(still_workplace) as socket:
        trigger = await _take_trigger(still_workplace, socket)
    await clock.advance(3.1)
    answer = await bot(still_workplace).post("views.open", trigger_id=trigger, view=_view())
    assert answer["error"] == "expired_trigger_id"


async def test_submission_holds_every_input_and_an_empty_answer_closes(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view(private_metadata="request 7"))
        answer, payload = await _submit(workplace, socket, view, {})
    assert answer["ok"]
    assert payload["type"] == "view_submission"
    assert payload["response_urls"] == []
    assert payload["view"]["private_metadata"] == "request 7"
    assert payload["view"]["callback_id"] == "migrate"
    assert payload["view"]["state"]["values"] == {
        "why": {"why": {"type": "plain_text_input", "value": "because"}},
        "note": {"note": {"type": "plain_text_input", "value": None}},
    }
    assert await _stack(workplace) == []


async def test_client_does_not_submit_while_a_required_field_is_empty(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view())
        answer = await person(workplace, "operator").post("views.submit", view_id=view["id"], values={})
    assert list(answer["errors"]) == ["why"]
    assert not [entry for entry in workplace.log() if entry["what"] == "interactive"]


async def test_field_errors_keep_the_modal_and_its_inputs(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view())
        refusal = {"response_action": "errors", "errors": {"why": "Too short"}}
        answer, _ = await _submit(workplace, socket, view, refusal)
    assert answer["errors"] == {"why": "Too short"}
    [shown] = await _stack(workplace)
    assert shown["errors"] == {"why": "Too short"}
    assert shown["state"]["values"]["why"]["why"]["value"] == "because"


@pytest.mark.parametrize(
    "broken",
    [
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "dance"},
        {"response_action": "update", "view": {"type": "modal", "blocks": []}},
        {"text": "done"},
    ],
)
async def test_broken_answer_shows_trouble_and_keeps_the_modal(workplace: Workplace, broken: Json) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view())
        answer, _ = await _submit(workplace, socket, view, broken)
    assert answer["error"] == "We had some trouble connecting. Try again?"
    [shown] = await _stack(workplace)
    assert shown["id"] == view["id"]


async def test_unacked_submission_keeps_the_modal(still_workplace: Workplace, clock: Clock) -> None:
    async with open_socket(still_workplace) as socket:
        view = await _open(still_workplace, socket, _view())
        operator = person(still_workplace, "operator")
        values = _values(why="because")
        submitted = asyncio.create_task(operator.post("views.submit", view_id=view["id"], values=values))
        await socket.read()
        await clock.advance(3)
        assert (await submitted)["error"].startswith("We had some trouble")
    assert len(await _stack(still_workplace)) == 1


async def test_update_push_and_clear(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view())
        update = {"response_action": "update", "view": _view(_input("why"), callback_id="second")}
        await _submit(workplace, socket, view, update)
        [updated] = await _stack(workplace)
        assert (updated["id"], updated["callback_id"]) == (view["id"], "second")
        assert updated["hash"] != view["hash"]
        await _submit(workplace, socket, updated, {"response_action": "push", "view": _view(callback_id="third")})
        stack = await _stack(workplace)
        assert [each["callback_id"] for each in stack] == ["second", "third"]
        assert stack[1]["previous_view_id"] == stack[1]["root_view_id"] == view["id"]
        await _submit(workplace, socket, stack[1], {"response_action": "clear"})
    assert await _stack(workplace) == []


async def test_push_stops_at_three(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view())
        for _ in range(2):
            push = {"response_action": "push", "view": _view()}
            await _submit(workplace, socket, (await _stack(workplace))[-1], push)
        assert len(await _stack(workplace)) == 3
        answer, _ = await _submit(workplace, socket, (await _stack(workplace))[-1], push)
        assert not answer["ok"]
        trigger = await _take_trigger(workplace, socket)
        pushed = await bot(workplace).post("views.push", trigger_id=trigger, view=view)
        assert pushed["error"] == "invalid_trigger_id"


async def test_action_in_a_modal_brings_the_view_and_a_trigger_for_push(workplace: Workplace) -> None:
    button = {"type": "button", "action_id": "go", "value": "7", "text": {"type": "plain_text", "text": "Go"}}
    row = {"type": "actions", "block_id": "row", "elements": [button]}
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view(row, _input("why")))
        operator = person(workplace, "operator")
        where = {"view_id": view["id"], "block_id": "row", "action_id": "go"}
        state = {"values": _values(why="half typed")}
        pressed = asyncio.create_task(operator.post("blocks.actions", **where, state=state))
        frame = await socket.read()
        await socket.ack(frame)
        assert (await pressed)["ok"]
        payload = frame["payload"]
        pushed = await bot(workplace).post("views.push", trigger_id=payload["trigger_id"], view=_view())
    assert payload["container"] == {"type": "view", "view_id": view["id"]}
    assert not {"channel", "message", "state", "response_url"} & set(payload)
    assert payload["view"]["state"]["values"]["why"]["why"]["value"] == "half typed"
    assert pushed["view"]["previous_view_id"] == view["id"]


async def test_stale_hash_conflicts(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view(external_id="job-7"))
    first = await bot(workplace).post("views.update", view_id=view["id"], hash=view["hash"], view=_view())
    assert first["ok"]
    stale = await bot(workplace).post("views.update", view_id=view["id"], hash=view["hash"], view=_view())
    assert stale["error"] == "hash_conflict"


async def test_view_is_found_by_the_apps_own_id(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view(external_id="job-7"))
    found = await bot(workplace).post("views.update", external_id="job-7", view=_view(external_id="job-7"))
    assert found["view"]["id"] == view["id"]
    missing = await bot(workplace).post("views.update", external_id="job-8", view=_view())
    assert missing["error"] == "not_found"


async def test_closing_is_told_only_when_asked_for(workplace: Workplace) -> None:
    operator = person(workplace, "operator")
    async with open_socket(workplace) as socket:
        silent = await _open(workplace, socket, _view())
        assert (await operator.post("views.close", view_id=silent["id"]))["ok"]
        told = await _open(workplace, socket, _view(notify_on_close=True))
        closing = asyncio.create_task(operator.post("views.close", view_id=told["id"]))
        frame = await socket.read()
        await socket.ack(frame)
        assert (await closing)["ok"]
    assert frame["payload"]["type"] == "view_closed"
    assert frame["payload"]["is_cleared"] is False
    assert await _stack(workplace) == []


async def test_modal_of_one_person_is_not_anothers(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        view = await _open(workplace, socket, _view())
    stranger = person(workplace, "approver")
    assert (await stranger.post("views.submit", view_id=view["id"], values={}))["error"] == "view_not_found"
    assert (await stranger.post("lab.screen"))["views"] == []


async def test_control_on_the_home_tab_brings_the_home_view(workplace: Workplace) -> None:
    reader = workplace.people["operator"].id
    view = {"type": "home", "blocks": make_button("7")}
    published = await bot(workplace).post("views.publish", user_id=reader, view=view)
    where = {"view_id": published["view"]["id"], "block_id": "row", "action_id": "go"}
    async with open_socket(workplace) as socket:
        pressed = asyncio.create_task(person(workplace, "operator").post("blocks.actions", **where))
        frame = await socket.read()
        await socket.ack(frame)
        assert (await pressed)["ok"]
    assert frame["payload"]["container"]["type"] == "view"
    assert frame["payload"]["view"]["type"] == "home"
    assert "channel" not in frame["payload"]


async def test_home_takes_no_modal_words(workplace: Workplace) -> None:
    reader = workplace.people["operator"].id
    answer = await bot(workplace).post("views.publish", user_id=reader, view={**_view(), "type": "home"})
    assert "[json-pointer:/view/submit]" in answer["response_metadata"]["messages"][1]
