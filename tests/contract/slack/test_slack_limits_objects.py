"""The rest of the limits table: which properties there are, what must fit together, and what sits inside others."""

from collections.abc import Iterator

import pytest
from slack_clients import Json, bot
from slack_sdk.models.blocks import Block, BlockElement
from slack_sdk.models.blocks.basic_components import ConfirmObject, Option

from bot.lab.slack import Workplace
from bot.lab.slack.blocks import complete_message_blocks, read_view
from bot.lab.slack.errors import InvalidContentError
from bot.lab.slack.properties import BLOCKS, ELEMENTS, INLINE

WORD = {"type": "plain_text", "text": "x"}
OPTION = {"text": WORD, "value": "v"}


def _input(**element: object) -> list[Json]:
    return [{"type": "input", "label": WORD, "element": {"action_id": "a", **element}}]


def _row(**element: object) -> list[Json]:
    return [{"type": "actions", "elements": [{"action_id": "a", **element}]}]


def _rich(*elements: Json, kind: str = "rich_text_section", **more: object) -> list[Json]:
    return [{"type": "rich_text", "elements": [{"type": kind, "elements": list(elements), **more}]}]


def _number(**more: object) -> list[Json]:
    return _input(type="number_input", is_decimal_allowed=False, **more)


# what is wrong, the pointer of the fault, and the same within the rules
CASES: list[tuple[list[Json], str, list[Json]]] = [
    ([{"type": "divider", "colour": "red"}], "/blocks/0", [{"type": "divider"}]),
    (_row(type="button", text=WORD, href="x"), "/blocks/0/elements/0", _row(type="button", text=WORD, url="x")),
    (
        [{"type": "header", "text": {**WORD, "verbatim": True}}],
        "/blocks/0/text",
        [{"type": "header", "text": {**WORD, "emoji": False}}],
    ),
    (
        _row(type="static_select", options=[{**OPTION, "url": "https://a"}]),
        "/blocks/0/elements/0/options/0",
        _row(type="overflow", options=[{**OPTION, "url": "https://a"}]),
    ),
    (
        _row(type="static_select", options=[OPTION], initial_option={**OPTION, "value": "w"}),
        "/blocks/0/elements/0/initial_option",
        _row(type="static_select", options=[OPTION], initial_option=OPTION),
    ),
    (
        _row(type="checkboxes", options=[OPTION], initial_options=[OPTION, {**OPTION, "value": "w"}]),
        "/blocks/0/elements/0/initial_options/1",
        _row(type="checkboxes", options=[OPTION], initial_options=[OPTION]),
    ),
    (
        _row(type="multi_users_select", max_selected_items=0),
        "/blocks/0/elements/0/max_selected_items",
        _row(type="multi_users_select", max_selected_items=1),
    ),
    (_number(min_value="3", max_value="2"), "/blocks/0/element/min_value", _number(min_value="2", max_value="3")),
    (_number(min_value="low"), "/blocks/0/element/min_value", _number(min_value="-5")),
    (_number(initial_value="1.5"), "/blocks/0/element/initial_value", _number(initial_value="1")),
    (
        _input(type="plain_text_input", min_length=3, max_length=2),
        "/blocks/0/element/min_length",
        _input(type="plain_text_input", min_length=2, max_length=2),
    ),
    (
        _input(type="datepicker", initial_date="2026-02-30"),
        "/blocks/0/element/initial_date",
        _input(type="datepicker", initial_date="2026-02-28"),
    ),
    (
        _input(type="timepicker", initial_time="24:61"),
        "/blocks/0/element/initial_time",
        _input(type="timepicker", initial_time="23:59"),
    ),
    (
        _input(type="datetimepicker", initial_date_time=170000000),
        "/blocks/0/element/initial_date_time",
        _input(type="datetimepicker", initial_date_time=1700000000),
    ),
    (
        [*_input(type="plain_text_input", focus_on_load=True)] * 2,
        "/blocks",
        [*_input(type="plain_text_input", focus_on_load=True), *_input(type="plain_text_input")],
    ),
    (
        [{"type": "image", "alt_text": "a", "image_url": "https://a", "slack_file": {"id": "F1"}}],
        "/blocks/0",
        [{"type": "image", "alt_text": "a", "slack_file": {"id": "F1"}}],
    ),
    (
        _rich({"type": "blink", "text": "x"}),
        "/blocks/0/elements/0/elements/0/type",
        _rich({"type": "text", "text": "x", "style": {"code": True}}),
    ),
    (
        _rich(kind="rich_text_list", style="dots"),
        "/blocks/0/elements/0/style",
        _rich({"type": "rich_text_section", "elements": []}, kind="rich_text_list", style="ordered"),
    ),
    (
        [{"type": "context_actions", "elements": [{"type": "button", "text": WORD}]}],
        "/blocks/0/elements/0/type",
        [{"type": "context_actions", "elements": [{"type": "icon_button", "icon": "trash", "text": WORD}]}],
    ),
    (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]], "column_settings": [{"align": "middle"}]}],
        "/blocks/0/column_settings/0/align",
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]], "column_settings": [{"align": "right"}]}],
    ),
    (
        [{"type": "task_card", "task_id": "1", "title": "Move", "status": "maybe"}],
        "/blocks/0/status",
        [{"type": "task_card", "task_id": "1", "title": "Move", "status": "in_progress"}],
    ),
    (
        [{"type": "carousel", "elements": [{"type": "card", "title": WORD}] * 11}],
        "/blocks/0/elements",
        [{"type": "carousel", "elements": [{"type": "card", "title": WORD}] * 10}],
    ),
]


@pytest.mark.parametrize(("wrong", "pointer", "right"), CASES, ids=[f"{n}:{case[1]}" for n, case in enumerate(CASES)])
def test_rule_is_kept_with_its_pointer(wrong: list[Json], pointer: str, right: list[Json]) -> None:
    with pytest.raises(InvalidContentError) as refused:
        complete_message_blocks(wrong)
    assert any(message.endswith(f"[json-pointer:{pointer}]") for message in refused.value.messages)
    assert len(complete_message_blocks(right)) == len(right)


def _subclasses(base: type) -> Iterator[type]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def test_every_property_of_the_sdks_models_is_known() -> None:
    """The stock client is right: what its models send, the workplace takes."""
    tables = {**INLINE, **ELEMENTS, **BLOCKS}
    compared = set()
    for model in (*_subclasses(Block), *_subclasses(BlockElement)):
        kind = getattr(model, "type", None)
        made = model.__new__(model)
        if not isinstance(kind, str) or kind not in tables or (kind == "url" and "text" not in made.attributes):
            continue
        # "text" and "image" name a block or an element: either table may hold the property.
        known = {name for table in (INLINE, ELEMENTS, BLOCKS) for name in table.get(kind, ())}
        assert set(made.attributes) <= known, kind
        compared.add(kind)
    assert len(compared) > 50


def test_objects_of_the_sdk_are_taken() -> None:
    sure = ConfirmObject(title="Sure?", text="It moves.", confirm="Move", deny="Stay", style="danger")
    option = Option(label="Host 1", value="h1", description="quiet")
    blocks = _row(type="static_select", options=[option.to_dict()], confirm=sure.to_dict())
    assert complete_message_blocks(blocks)


async def test_blocks_inside_attachments_are_checked_too(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    wrong = [{"color": "#f00", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}]
    answer = await bot(workplace).post("chat.postMessage", channel=ops, text="x", attachments=wrong)
    assert answer["error"] == "invalid_blocks"
    assert "[json-pointer:/attachments/0/blocks/0/text/text]" in answer["errors"][0]
    right = [{"color": "#f00", "blocks": [{"type": "divider"}]}]
    posted = await bot(workplace).post("chat.postMessage", channel=ops, text="x", attachments=right)
    assert posted["message"]["attachments"][0]["blocks"][0]["block_id"]


async def test_hundred_attachments_and_no_more(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    for count, error in ((100, None), (101, "too_many_attachments")):
        given = [{"text": "x"}] * count
        answer = await bot(workplace).post("chat.postMessage", channel=ops, text="x", attachments=given)
        assert answer.get("error") == error


async def test_long_text_is_cut_when_posted_and_refused_when_updated(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    posted = await bot(workplace).post("chat.postMessage", channel=ops, text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    updated = await bot(workplace).post("chat.update", channel=ops, ts=posted["ts"], text="x" * 40_001)
    assert updated["error"] == "msg_too_long"


def test_view_takes_back_what_the_api_returned_and_nothing_else() -> None:
    view = {"type": "modal", "title": WORD, "blocks": [], "id": "V1", "hash": "1.a", "state": {"values": {}}}
    assert read_view(view, ("modal",)).title == {**WORD, "emoji": True}
    with pytest.raises(InvalidContentError, match="invalid_arguments") as refused:
        read_view({**view, "colour": "red"}, ("modal",))
    assert refused.value.messages == ["invalid additional property: colour [json-pointer:/view]"]
