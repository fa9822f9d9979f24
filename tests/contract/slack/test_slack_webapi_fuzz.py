"""Whatever an app or a person's script sends, the answer is JSON with ``ok``: no method falls over odd arguments."""

import json
import random

import pytest
from aiohttp import ClientSession
from slack_clients import ALL_SCOPES, Json, bot, make_button

from bot.lab.slack import Shortcut, Workplace
from bot.lab.slack.webapi import METHODS

NAMES = [
    *("channel", "channel_id", "user", "users", "user_id", "ts", "timestamp", "message_ts", "thread_ts", "text"),
    *("blocks", "attachments", "metadata", "view", "view_id", "external_id", "trigger_id", "hash", "cursor", "limit"),
    *("oldest", "latest", "name", "title", "type", "link", "bookmark_id", "files", "file", "filename", "length"),
    *("post_at", "scheduled_message_id", "usergroup", "email", "types", "topic", "purpose", "unfurls", "channels"),
    *("callback_id", "command", "block_id", "action_id", "value", "values", "state", "tab", "since", "kinds", "count"),
    *("page", "initial_comment", "handle", "selected_option", "selected_options", "markdown_text", "reply_broadcast"),
]
ODD: list[object] = [
    *(None, True, -1, 0, 10**30, 1.5, "", " ", "x", "日本", "[", "{}", "[]", '[{"a": 1}]', "1.000001", "1.", ".", "²"),
    *([], [None], [[]], [{}], {}, {"a": {}}, {"a": {"b": 1}}, {"type": "modal"}, {"type": "home", "blocks": [None]}),
    *([{"id": 1}], [{"type": "section"}], {"text": None}, "x" * 5000, "next:x", "next:9", "U0,C0", "\x00", "1e999"),
]


@pytest.mark.parametrize("kind", ["bot", "person"])
async def test_no_method_falls_over_odd_arguments(kind: str) -> None:
    rng = random.Random(7)  # noqa: S311  the same odd arguments in every run
    workplace = Workplace(port=0, scopes=ALL_SCOPES, events=(), shortcuts=(Shortcut("new", "New"),))
    await workplace.start()
    await workplace.do({"do": "ratelimits", "on": False})
    ops, viewer = workplace.channels["ops"], workplace.people["viewer"]
    card = await bot(workplace).post("chat.postMessage", channel=ops, text="card", blocks=make_button("7"))
    home = {"type": "home", "blocks": make_button("7")}
    view = await bot(workplace).post("views.publish", user_id=viewer.id, view=home)
    good: dict[str, object] = {
        **dict.fromkeys(("channel", "channel_id"), ops),
        **dict.fromkeys(("ts", "timestamp", "message_ts"), card["ts"]),
        "user": viewer.id,
        "users": viewer.id,
        "user_id": viewer.id,
        "view_id": view["view"]["id"],
        "block_id": "row",
        "action_id": "go",
        "usergroup": next(iter(workplace.usergroups.values())),
    }
    channel = workplace._hub.directory.conversation(ops)
    token = workplace.bot_token if kind == "bot" else viewer.token
    header = {"Authorization": f"Bearer {token}"}
    try:
        async with ClientSession(headers=header) as session:
            for method in METHODS:
                for _ in range(25):
                    odd = {name: rng.choice(ODD) for name in rng.sample(NAMES, rng.randrange(1, 8))}
                    given: Json = {**good, **odd} if rng.random() < 0.8 else odd
                    async with session.post(f"{workplace.api_url}{method}", json=given) as response:
                        assert response.status == 200, (method, given, await response.text())
                        answer = json.loads(await response.text())
                        assert isinstance(answer["ok"], bool), (method, given)
                    # Renamed, archived or left: the next call finds the channel as it was.
                    workplace._hub.directory.replace_conversation(channel)
    finally:
        await workplace.stop()
