import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.lab.slack.blocks import complete_message_blocks, read_view
from bot.lab.slack.errors import ApiError, InvalidContentError
from bot.lab.slack.forms import state_values, walk

BLOCKS = [
    "section",
    "actions",
    "input",
    "context",
    "header",
    "table",
    "rich_text",
    "markdown",
    "card",
    "carousel",
    "plan",
]
ELEMENTS = ["button", "static_select", "multi_static_select", "overflow", "plain_text_input", "number_input", "image"]
KEYS = [
    *("text", "fields", "elements", "element", "accessory", "block_id", "action_id", "options", "option_groups"),
    *("value", "confirm", "placeholder", "label", "rows", "min_value", "max_value", "max_files", "min_length"),
    *("initial_date", "child_blocks", "actions", "alt_text", "style", "initial_option", "initial_options"),
    *("focus_on_load", "max_selected_items", "initial_value", "is_decimal_allowed", "column_settings", "tasks"),
]
ODD: list[object] = [None, True, -1, "", "x", "x" * 4000, [], [None], [[]], {}, {"type": "plain_text"}]
JUNK = st.sampled_from(ODD)
TEXT: dict[str, object] = {"type": "plain_text", "text": "x"}


def _things(kinds: list[str], inside: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    fields = st.dictionaries(st.sampled_from(KEYS), inside, max_size=4)
    return st.builds(lambda kind, rest: {**rest, "type": kind}, st.sampled_from(kinds) | JUNK, fields)


PIECES = st.sampled_from([*ODD, TEXT, [TEXT]])
PARTS = _things(ELEMENTS, PIECES | st.lists(_things(ELEMENTS, PIECES), max_size=2))
json_values = JUNK | st.lists(_things([*BLOCKS, "container"], PIECES | PARTS | st.lists(PARTS, max_size=3)), max_size=4)


@settings(max_examples=100)
@given(json_values)
def test_any_json_is_taken_or_refused_with_pointers(value: object) -> None:
    messages: list[str] = []
    try:
        blocks = complete_message_blocks(value)
    except InvalidContentError as refused:
        messages, blocks = refused.messages, []
    assert all("[json-pointer:/blocks" in message for message in messages)
    assert all(element["action_id"] for _, element in walk(blocks))
    state_values(blocks, {})


@settings(max_examples=50)
@given(json_values, JUNK)
def test_any_view_is_taken_or_refused(blocks: object, word: object) -> None:
    with contextlib.suppress(ApiError):
        read_view({"type": "modal", "title": word, "submit": word, "blocks": blocks}, ("modal",))
