import pytest
from slack_clients import Json, bot, person
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import Block

from bot.lab.slack import Clock, Workplace
from bot.lab.slack.blocks import complete_message_blocks, read_view
from bot.lab.slack.errors import InvalidContentError


def _text(length: int, kind: str = "plain_text") -> Json:
    return {"type": kind, "text": "x" * length}


def _section(**more: object) -> Json:
    return {"type": "section", "text": _text(1, "mrkdwn"), **more}


def _option(**more: object) -> Json:
    return {"text": _text(1), "value": "v", **more}


def _button(**more: object) -> Json:
    return {"type": "button", "action_id": "a", "text": _text(1), **more}


def _row(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def _input(element: Json, **more: object) -> Json:
    return {"type": "input", "label": _text(1), "element": element, **more}


def _confirm(**more: object) -> Json:
    whole = {"title": _text(1), "text": _text(1), "confirm": _text(1), "deny": _text(1)}
    return _row(_button(confirm={**whole, **more}))


def _select(count: int, **more: object) -> Json:
    return {"type": "static_select", "action_id": "a", "options": [_option()] * count, **more}


# what is wrong, the pointer of the fault, and the same within the limit
CASES: list[tuple[list[Json], str, list[Json]]] = [
    ([{"type": "divider"}] * 51, "/blocks", [{"type": "divider"}] * 50),
    ([{"type": "nonsense"}], "/blocks/0/type", [{"type": "divider"}]),
    ([{"type": "section"}], "/blocks/0", [_section()]),
    ([_section(text=_text(3001))], "/blocks/0/text/text", [_section(text=_text(3000))]),
    ([_section(text=_text(0))], "/blocks/0/text/text", [_section(text=_text(1))]),
    ([_section(fields=[_text(1)] * 11)], "/blocks/0/fields", [_section(fields=[_text(1)] * 10)]),
    ([_section(fields=[_text(2001)])], "/blocks/0/fields/0/text", [_section(fields=[_text(2000)])]),
    ([_section(block_id="x" * 256)], "/blocks/0/block_id", [_section(block_id="x" * 255)]),
    ([_section(block_id="b")] * 2, "/blocks/1/block_id", [_section(block_id="b"), _section(block_id="c")]),
    ([{"type": "header", "text": _text(151)}], "/blocks/0/text/text", [{"type": "header", "text": _text(150)}]),
    (
        [{"type": "header", "text": _text(1, "mrkdwn")}],
        "/blocks/0/text/type",
        [{"type": "header", "text": _text(1)}],
    ),
    (
        [{"type": "context", "elements": [_text(1)] * 11}],
        "/blocks/0/elements",
        [{"type": "context", "elements": [_text(1)] * 10}],
    ),
    (
        [_row(*[_button(action_id=str(n)) for n in range(26)])],
        "/blocks/0/elements",
        [_row(*[_button(action_id=str(n)) for n in range(25)])],
    ),
    ([_row(_button(), _button())], "/blocks/0/elements/1/action_id", [_row(_button(), _button(action_id="b"))]),
    ([_row(_button(text=_text(76)))], "/blocks/0/elements/0/text/text", [_row(_button(text=_text(75)))]),
    ([_row(_button(value="x" * 2001))], "/blocks/0/elements/0/value", [_row(_button(value="x" * 2000))]),
    ([_row(_button(url="x" * 3001))], "/blocks/0/elements/0/url", [_row(_button(url="x" * 3000))]),
    ([_row(_button(style="green"))], "/blocks/0/elements/0/style", [_row(_button(style="danger"))]),
    (
        [_row(_button(accessibility_label="x" * 76))],
        "/blocks/0/elements/0/accessibility_label",
        [_row(_button(accessibility_label="x" * 75))],
    ),
    ([_row(_button(action_id="x" * 256))], "/blocks/0/elements/0/action_id", [_row(_button(action_id="x" * 255))]),
    ([_confirm(title=_text(101))], "/blocks/0/elements/0/confirm/title/text", [_confirm(title=_text(100))]),
    ([_confirm(text=_text(301))], "/blocks/0/elements/0/confirm/text/text", [_confirm(text=_text(300))]),
    ([_confirm(confirm=_text(31))], "/blocks/0/elements/0/confirm/confirm/text", [_confirm(confirm=_text(30))]),
    ([_confirm(deny=_text(31))], "/blocks/0/elements/0/confirm/deny/text", [_confirm(deny=_text(30))]),
    ([_row(_select(101))], "/blocks/0/elements/0/options", [_row(_select(100))]),
    (
        [_row(_select(1, options=[_option(text=_text(76))]))],
        "/blocks/0/elements/0/options/0/text/text",
        [_row(_select(1, options=[_option(text=_text(75))]))],
    ),
    (
        [_row(_select(1, options=[_option(value="x" * 151)]))],
        "/blocks/0/elements/0/options/0/value",
        [_row(_select(1, options=[_option(value="x" * 150)]))],
    ),
    (
        [_row(_select(1, option_groups=[{"label": _text(1), "options": [_option()]}]))],
        "/blocks/0/elements/0",
        [_row({"type": "static_select", "option_groups": [{"label": _text(75), "options": [_option()]}]})],
    ),
    (
        [_row({"type": "static_select", "option_groups": [{"label": _text(76), "options": [_option()]}]})],
        "/blocks/0/elements/0/option_groups/0/label/text",
        [_row({"type": "static_select", "option_groups": [{"label": _text(75), "options": [_option()]}]})],
    ),
    ([_row(_select(1, placeholder=_text(151)))], "/blocks/0/elements/0/placeholder/text", [_row(_select(1))]),
    (
        [_row({"type": "overflow", "options": [_option()] * 6})],
        "/blocks/0/elements/0/options",
        [_row({"type": "overflow", "options": [_option()] * 5})],
    ),
    (
        [_row({"type": "radio_buttons", "options": [_option()] * 11})],
        "/blocks/0/elements/0/options",
        [_row({"type": "radio_buttons", "options": [_option()] * 10})],
    ),
    (
        [_row({"type": "datepicker", "initial_date": "1.2.2026"})],
        "/blocks/0/elements/0/initial_date",
        [_row({"type": "datepicker", "initial_date": "2026-02-01"})],
    ),
    ([_row({"type": "plain_text_input"})], "/blocks/0/elements/0/type", [_input({"type": "plain_text_input"})]),
    (
        [_input({"type": "plain_text_input", "max_length": 3001})],
        "/blocks/0/element/max_length",
        [_input({"type": "plain_text_input", "max_length": 3000})],
    ),
    (
        [_input({"type": "number_input"})],
        "/blocks/0/element",
        [_input({"type": "number_input", "is_decimal_allowed": False})],
    ),
    ([_input({"type": "file_input"})], "/blocks/0/element/type", [_input({"type": "datepicker"})]),
    (
        [_input({"type": "datepicker"}, label=_text(2001))],
        "/blocks/0/label/text",
        [_input({"type": "datepicker"}, label=_text(2000), hint=_text(2000))],
    ),
    (
        [{"type": "image", "image_url": "https://a"}],
        "/blocks/0/alt_text",
        [{"type": "image", "image_url": "https://a", "alt_text": "a"}],
    ),
    (
        [{"type": "markdown", "text": "x" * 6001}] * 2,
        "/blocks",
        [{"type": "markdown", "text": "x" * 6000}] * 2,
    ),
    (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}],
        "/blocks/0/rows/0",
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 20] * 100}],
    ),
    (
        [{"type": "rich_text", "elements": [{"type": "paragraph"}]}],
        "/blocks/0/elements/0/type",
        [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}],
    ),
    (
        [{"type": "container", "title": _text(1), "child_blocks": [{"type": "divider"}] * 11}],
        "/blocks/0/child_blocks",
        [{"type": "container", "title": _text(150), "child_blocks": [{"type": "divider"}] * 10}],
    ),
    ([{"type": "card", "subtitle": _text(1)}], "/blocks/0", [{"type": "card", "title": _text(150, "mrkdwn")}]),
    (
        [{"type": "alert", "text": _text(1), "level": "loud"}],
        "/blocks/0/level",
        [{"type": "alert", "text": _text(1, "mrkdwn"), "level": "warning"}],
    ),
]


@pytest.mark.parametrize(("wrong", "pointer", "right"), CASES, ids=[f"{n}:{case[1]}" for n, case in enumerate(CASES)])
def test_limit_is_kept_with_its_pointer(wrong: list[Json], pointer: str, right: list[Json]) -> None:
    with pytest.raises(InvalidContentError) as refused:
        complete_message_blocks(wrong)
    assert refused.value.code == "invalid_blocks"
    assert any(message.endswith(f"[json-pointer:{pointer}]") for message in refused.value.messages)
    assert len(complete_message_blocks(right)) == len(right)


@pytest.mark.parametrize("right", [case[2] for case in CASES], ids=[f"{n}:{case[1]}" for n, case in enumerate(CASES)])
def test_what_the_sdks_own_models_take_is_taken(right: list[Json]) -> None:
    """The SDK's models know many of the same limits: what is right here must be right there."""
    for block in Block.parse_all(complete_message_blocks(right)):
        block.validate_json()


VIEW: Json = {"type": "modal", "title": _text(1), "blocks": []}
TEXT_INPUT = _input({"type": "plain_text_input"})


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": _text(25)}, "/view/title/text"),
        ({"title": None}, "/view"),
        ({"submit": _text(25)}, "/view/submit/text"),
        ({"close": _text(25)}, "/view/close/text"),
        ({"private_metadata": "x" * 3001}, "/view/private_metadata"),
        ({"callback_id": "x" * 256}, "/view/callback_id"),
        ({"blocks": [{"type": "divider"}] * 101}, "/view/blocks"),
        ({"blocks": [TEXT_INPUT]}, "/view"),
        ({"blocks": [{"type": "table", "rows": []}]}, "/view/blocks/0/type"),
    ],
)
def test_view_limit_is_kept_with_its_pointer(change: Json, pointer: str) -> None:
    with pytest.raises(InvalidContentError) as refused:
        read_view({**VIEW, **change}, ("modal",))
    assert refused.value.code == "invalid_arguments"
    assert any(message.endswith(f"[json-pointer:{pointer}]") for message in refused.value.messages)


def test_missing_ids_are_generated_and_given_ones_kept() -> None:
    blocks = complete_message_blocks([_row(_button()), _row({"type": "button", "text": _text(1)})])
    assert blocks[0]["elements"][0]["action_id"] == "a"
    assert blocks[1]["elements"][0]["action_id"]
    assert len({block["block_id"] for block in blocks}) == 2


async def test_stock_client_sees_the_pointer(workplace: Workplace) -> None:
    with pytest.raises(SlackApiError) as refused:
        await bot(workplace).web.chat_postMessage(
            channel=workplace.channels["ops"], text="x", blocks=[{"type": "header", "text": _text(151)}]
        )
    answer = refused.value.response
    assert answer["error"] == "invalid_blocks"
    pointed = "must be less than 151 characters [json-pointer:/blocks/0/text/text]"
    assert answer["errors"] == [pointed]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {pointed}"]


async def test_posting_in_a_loop_is_limited_and_waiting_helps(still_workplace: Workplace, clock: Clock) -> None:
    web, ops = bot(still_workplace).web, still_workplace.channels["ops"]
    for number in range(8):
        await web.chat_postMessage(channel=ops, text=str(number))
    with pytest.raises(SlackApiError) as refused:
        await web.chat_postMessage(channel=ops, text="9")
    assert refused.value.response.status_code == 429
    assert refused.value.response["error"] == "ratelimited"
    await clock.advance(int(refused.value.response.headers["Retry-After"]))
    await web.chat_postMessage(channel=ops, text="again")


async def test_one_message_a_second_is_never_limited(still_workplace: Workplace, clock: Clock) -> None:
    web, ops = bot(still_workplace).web, still_workplace.channels["ops"]
    for number in range(30):
        await web.chat_postMessage(channel=ops, text=str(number))
        await clock.advance(1)


async def test_updates_are_counted_over_all_messages(still_workplace: Workplace, clock: Clock) -> None:
    client, ops = bot(still_workplace), still_workplace.channels["ops"]
    cards = [(await client.post("chat.postMessage", channel=ops, text="card"))["ts"] for _ in range(5)]

    async def update_all(pause_s: float) -> set[str | None]:
        errors = set()
        for number in range(120):
            answer = await client.post("chat.update", channel=ops, ts=cards[number % 5], text=str(number))
            errors.add(answer.get("error"))
            await clock.advance(pause_s)
        return errors

    assert await update_all(0.3) == {None, "ratelimited"}
    await clock.advance(60)
    assert await update_all(1.3) == {None}


async def test_rate_limits_can_be_switched_off(workplace: Workplace) -> None:
    await workplace.do({"do": "ratelimits", "on": False})
    for number in range(20):
        await bot(workplace).web.chat_postMessage(channel=workplace.channels["ops"], text=str(number))


async def test_people_are_not_limited(workplace: Workplace) -> None:
    operator = person(workplace, "operator")
    for _ in range(20):
        assert (await operator.post("chat.postMessage", channel=workplace.channels["ops"], text="x"))["ok"]
