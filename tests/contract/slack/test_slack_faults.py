import asyncio

import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout
from slack_clients import Json, bot, open_socket, person, until_logged
from slack_sdk.errors import SlackApiError

from bot.lab.slack import Clock, Workplace


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
        {"do": "misdeliver", "kind": "late", "seconds": -1},
        {"do": "person", "key": "nobody", "deleted": True},
        {"do": "usergroup", "name": "nobody", "members": []},
        {"do": "usergroup", "name": "xen-admins", "members": ["nobody"]},
        {"do": "channel", "name": "nowhere"},
    ],
)
async def test_unknown_control_is_refused_with_a_sentence(workplace: Workplace, request_: Json) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].+\.$"):
        await workplace.do(request_)


async def test_fault_with_a_name_strikes_until_it_is_released(workplace: Workplace) -> None:
    armed = await workplace.do({"do": "fail", "method": "*", "kind": "503", "times": None, "name": "outage"})
    assert armed["name"] == "outage"
    for method in ("chat.postMessage", "auth.test", "users.list"):
        with pytest.raises(SlackApiError) as refused:
            await bot(workplace).web.api_call(method)
        assert refused.value.response.status_code == 503
    # People go on: only the app's calls are struck.
    ops = workplace.channels["ops"]
    assert (await person(workplace, "operator").post("chat.postMessage", channel=ops, text="still here"))["ok"]
    with pytest.raises(ValueError, match="armed already"):
        await workplace.do({"do": "fail", "method": "*", "kind": "500", "name": "outage"})
    await workplace.do({"do": "release", "name": "outage"})
    assert (await bot(workplace).post("auth.test"))["ok"]
    with pytest.raises(ValueError, match=r"^No fault named 'outage' is armed\.$"):
        await workplace.do({"do": "release", "name": "outage"})


async def test_error_code_can_be_armed(workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "users.info", "kind": "error", "error": "fatal_error"})
    assert (await bot(workplace).post("users.info", user=workplace.bot_user_id))["error"] == "fatal_error"


async def test_slow_answer_waits_on_the_workplaces_clock(still_workplace: Workplace, clock: Clock) -> None:
    await still_workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "slow", "seconds": 20})
    asked = asyncio.create_task(_post_raw(still_workplace, "slow"))
    await clock.wait_for_sleepers(1)
    assert await _history(still_workplace) == []
    await clock.advance(20)
    assert (await asked)["ok"]
    assert await _history(still_workplace) == ["slow"]


async def test_call_held_before_its_effect_has_none(workplace: Workplace) -> None:
    armed = await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "timeout_before"})
    held = asyncio.create_task(_post_raw(workplace, "held"))
    await until_logged(workplace, lambda log: any(entry["what"].endswith("timeout_before") for entry in log))
    [listed] = await _list_faults(workplace)
    assert (listed["name"], listed["left"], listed["holding"]) == (armed["name"], 0, 1)
    await workplace.do({"do": "release", "name": armed["name"]})
    with pytest.raises(ClientConnectionError):
        await held
    assert await _history(workplace) == []
    assert await _list_faults(workplace) == []


async def test_deliveries_of_one_type_are_disturbed_and_others_not(still_workplace: Workplace, clock: Clock) -> None:
    await still_workplace.do({"do": "misdeliver", "kind": "lost", "type": "slash_commands", "times": 2})
    async with open_socket(still_workplace) as socket:
        operator, ops = person(still_workplace, "operator"), still_workplace.channels["ops"]
        typed = asyncio.create_task(operator.post("chat.command", channel=ops, command="/xen", text="lost"))
        await clock.wait_for_sleepers(1)
        await operator.post("lab.home")
        assert (await socket.read())["payload"]["event"]["type"] == "app_home_opened"
        await clock.advance(3)
        assert "dispatch_failed" in (await typed)["error"]
    [listed] = await _list_faults(still_workplace)
    assert (listed["do"], listed["left"]) == ("misdeliver", 1)


async def test_clock_can_be_held_and_moved_by_scripts(workplace: Workplace) -> None:
    held_at = (await workplace.do({"do": "hold_clock", "on": True}))["now"]
    operator, ops = person(workplace, "operator"), workplace.channels["ops"]
    async with open_socket(workplace) as socket:
        typed = asyncio.create_task(operator.post("chat.command", channel=ops, command="/xen", text="status"))
        frame = await socket.read()
        moved = await workplace.do({"do": "advance_clock", "seconds": 3})
        assert moved["now"] == pytest.approx(held_at + 3)
        assert "dispatch_failed" in (await typed)["error"]
    word = {"type": "plain_text", "text": "Form"}
    late = {"trigger_id": frame["payload"]["trigger_id"], "view": {"type": "modal", "title": word, "blocks": []}}
    await workplace.do({"do": "advance_clock", "seconds": 1})
    assert (await bot(workplace).post("views.open", **late))["error"] == "expired_trigger_id"
    assert (await workplace.do({"do": "hold_clock", "on": False}))["now"] >= held_at + 4


async def test_catalogue_offers_every_control_with_words_and_choices(workplace: Workplace) -> None:
    shown = await _describe(workplace)
    controls = {control["do"]: control for control in shown["controls"]}
    assert set(controls) >= {"fail", "misdeliver", "release", "drop_sockets", "person", "advance_clock"}
    for control in controls.values():
        assert control["label"]
        assert control["meaning"].endswith(".")
        assert "`" not in control["meaning"]
        assert all(field["label"] and field["kind"] for field in control["fields"])
    fields = {field["name"]: field for field in controls["fail"]["fields"]}
    methods = {choice["value"] for choice in fields["method"]["choices"]}
    assert methods >= {"*", "response_url", "chat.postMessage"}
    assert "chat.command" not in methods
    assert (fields["times"]["kind"], fields["times"]["min"], fields["times"]["null"]) == ("number", 1, True)
    assert {"value": "drop_after", "label": "took effect, answer lost"} in fields["kind"]["choices"]
    assert shown["signing_secret"] == workplace.signing_secret


async def test_every_choice_that_the_catalogue_offers_is_understood(workplace: Workplace) -> None:
    """What a panel would send, with the first of each choice: no offer is refused as not understood."""
    first = {"number": 1, "switch": True, "list": []}
    for control in (await _describe(workplace))["controls"]:
        if control["do"] in ("deliver_by_http", "ssl_check", "release"):
            continue
        choosing = [field for field in control["fields"] if field.get("choices") and field["kind"] == "choice"]
        for chosen in choosing or [None]:
            for choice in chosen["choices"] if chosen else [{"value": None}]:
                request = {"do": control["do"]}
                for field in control["fields"]:
                    if field["required"] or field is chosen:
                        value = field["choices"][0]["value"] if field["kind"] == "choice" else first[field["kind"]]
                        request[field["name"]] = choice["value"] if field is chosen else value
                assert (await workplace.do(request))["ok"]
        await workplace.do({"do": "clear_faults"})


async def _describe(workplace: Workplace) -> Json:
    async with ClientSession() as session, session.get(f"{workplace.url}/lab/slack") as response:
        shown: Json = await response.json()
        return shown


async def _list_faults(workplace: Workplace) -> list[Json]:
    faults: list[Json] = (await _describe(workplace))["faults"]
    return faults
