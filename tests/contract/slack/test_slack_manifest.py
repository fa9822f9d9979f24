"""An app is installed as its manifest says: scopes, events, escaping and tabs, and limits kept as Slack keeps them."""

import copy

import pytest
from slack_clients import Json, bot, make_app, person
from slack_stock import open_stock_socket, type_command

from bot.lab.slack import Workplace
from bot.slack.manifest import manifest as make_shipped_manifest

MANIFEST: Json = {
    "_metadata": {"major_version": 2, "minor_version": 1},
    "display_information": {"name": "Jobs", "description": "Jobs", "background_color": "#1f2a44"},
    "features": {
        "app_home": {"home_tab_enabled": False, "messages_tab_enabled": True},
        "bot_user": {"display_name": "jobs", "always_online": True},
        "slash_commands": [{"command": "/job", "description": "Jobs", "should_escape": False}],
        "shortcuts": [{"name": "New job", "type": "global", "callback_id": "new", "description": "A new job"}],
    },
    "oauth_config": {"scopes": {"bot": ["commands", "chat:write", "channels:history"]}},
    "settings": {
        "event_subscriptions": {"bot_events": ["message.channels"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def _change(path: str, value: object) -> Json:
    changed = copy.deepcopy(MANIFEST)
    *way, last = path.split("/")
    holder = changed
    for step in way:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    holder[last] = value
    return changed


async def test_app_gets_what_its_manifest_asks_for_and_nothing_else() -> None:
    workplace = Workplace(port=0, manifest=MANIFEST)
    await workplace.start()
    try:
        ops = workplace.channels["ops"]
        async with open_stock_socket(workplace) as socket:
            _, payload = await socket.answer(type_command(workplace, "a & <b>", command="/job"))
            assert payload["text"] == "a & <b>"
            assert "not a valid command" in (await type_command(workplace, command="/xen"))["error"]
            operator = person(workplace, "operator")
            await operator.post("chat.postMessage", channel=ops, text=f"<@{workplace.bot_user_id}> hello")
            assert (await socket.read()).payload["event"]["type"] == "message"
            _, shortcut = await socket.answer(operator.post("shortcuts.choose", callback_id="new"))
            assert shortcut["type"] == "shortcut"
            # Not subscribed: neither the mention nor the home tab was told.
            await operator.post("lab.home")
            assert socket.requests.empty()
        asked = await bot(workplace).post("users.info", user=workplace.bot_user_id)
        assert (asked["error"], asked["provided"]) == ("missing_scope", "commands,chat:write,channels:history")
        home = {"user_id": workplace.people["viewer"].id, "view": {"type": "home", "blocks": []}}
        assert (await bot(workplace).post("views.publish", **home))["error"] == "not_enabled"
    finally:
        await workplace.stop()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("display_information/name", "x" * 36, "display_information.name"),
        ("display_information/long_description", "short", "long_description"),
        ("features/bot_user/display_name", "Big Name", "bot_user.display_name"),
        ("features/slash_commands/0/command", "job", "slash_commands"),
        ("features/slash_commands/0/command", "/" + "x" * 32, "slash_commands"),
        ("features/slash_commands/0/usage_hint", "x" * 1001, "usage_hint"),
        ("features/slash_commands/0/colour", "red", "colour"),
        ("features/slash_commands", [], "exactly one slash command"),
        ("features/shortcuts/0/description", "x" * 151, "shortcuts"),
        ("features/unfurl_domains", ["a.example"] * 6, "unfurl_domains"),
        ("settings/event_subscriptions", {"bot_events": ["app_mention"]}, "'app_mention' needs the scope"),
        ("oauth_config/scopes", {"bot": ["chat:write"]}, "needs the scope 'channels:history'"),
    ],
)
def test_manifest_outside_its_limits_is_refused_with_a_sentence(path: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"^The manifest .+\.$") as refused:
        Workplace(port=0, manifest=_change(path, value))
    assert said in str(refused.value)


async def test_shipped_manifest_is_installed() -> None:
    workplace = Workplace(port=0, manifest=make_shipped_manifest())
    await workplace.start()
    try:
        app = make_app(workplace)
        answer = await app.client.auth_test()
        granted = answer.headers["x-oauth-scopes"].split(",")
        assert granted == make_shipped_manifest()["oauth_config"]["scopes"]["bot"]
    finally:
        await workplace.stop()
