import json
from pathlib import Path

import msgspec
import pytest
from slack_sdk.errors import SlackApiError

from bot.slack import RoleSettings, SlackSettings, manifest, manifest_text
from bot.slack.faults import Fault, code_of, judge, retry_after_s
from bot.slack.manifest import BOT_SCOPES
from bot.slack.pacing import Pace
from bot.slack.payloads import read_clicks


def test_manifest_is_json_with_socket_mode_and_one_command() -> None:
    read = json.loads(manifest_text())
    assert read == manifest()
    assert read["settings"]["socket_mode_enabled"]
    assert [command["command"] for command in read["features"]["slash_commands"]] == ["/xen"]
    assert read["features"]["slash_commands"][0]["should_escape"] is False
    assert set(read["oauth_config"]["scopes"]["bot"]) == set(BOT_SCOPES)


def test_manifest_keeps_slack_limits() -> None:
    info = manifest()["display_information"]
    assert len(info["name"]) <= 35
    assert len(info["description"]) <= 140


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"team": "T1", "channels": [], "chanels": []}, SlackSettings)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"operators": []}, RoleSettings)


class Answer:
    def __init__(self, status_code: int, data: object, headers: dict[str, str]) -> None:
        self.status_code = status_code
        self.data = data
        self.headers = headers


@pytest.mark.parametrize(
    ("status", "data", "fault"),
    [
        (429, {"ok": False, "error": "ratelimited"}, Fault.LIMITED),
        (200, {"ok": False, "error": "message_limit_exceeded"}, Fault.LIMITED),
        (503, {}, Fault.LOST),
        (200, {}, Fault.LOST),
        (200, {"ok": False, "error": "internal_error"}, Fault.LOST),
        (200, {"ok": False, "error": "token_revoked"}, Fault.ACCOUNT),
        (200, {"ok": False, "error": "invalid_blocks"}, Fault.SHAPE),
        (200, {"ok": False, "error": "message_not_found"}, Fault.GONE),
        (200, {"ok": False, "error": "is_archived"}, Fault.CHANNEL),
        (200, {"ok": False, "error": "channel_not_found"}, Fault.CHANNEL),
        (200, {"ok": False, "error": "restricted_action_non_threadable_channel"}, Fault.UNTHREADED),
        (200, {"ok": False, "error": "a_code_of_tomorrow"}, Fault.FATAL),
    ],
)
def test_every_failure_has_one_meaning(status: int, data: object, fault: Fault) -> None:
    assert judge(SlackApiError("no", Answer(status, data, {}))) is fault


def test_broken_connection_leaves_the_outcome_open() -> None:
    assert judge(TimeoutError()) is Fault.LOST
    assert code_of(ConnectionResetError()) == "ConnectionResetError"


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "7"}, 7.0), ({"retry-after": "x"}, 30.0), ({}, 30.0)]
)
def test_retry_after_is_read_from_the_header(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_s(SlackApiError("no", Answer(429, {}, headers))) == seconds


def test_progress_leaves_half_of_a_burst_of_edits_to_results() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    for number in range(5):
        assert pace.edit_wait_s(f"m{number}", urgent=False) == 0
        pace.edited(f"m{number}")
    assert pace.edit_wait_s("m5", urgent=False) == pytest.approx(1.5)
    for number in range(5, 10):
        assert pace.edit_wait_s(f"m{number}", urgent=True) == 0
        pace.edited(f"m{number}")
    assert pace.edit_wait_s("m10", urgent=True) == pytest.approx(1.5)
    now[0] += 1.5
    assert pace.edit_wait_s("m10", urgent=True) == pytest.approx(0)
    assert pace.edit_wait_s("m10", urgent=False) == pytest.approx(7.5)


def test_no_minute_sees_more_than_fifty_edits_however_urgent() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    sent: list[float] = []
    while now[0] < 300:
        wait_s = pace.edit_wait_s(f"m{len(sent)}", urgent=True)
        now[0] += wait_s
        if wait_s <= 0:
            pace.edited(f"m{len(sent)}")
            sent.append(now[0])
    assert max(sum(start <= at < start + 60 for at in sent) for start in sent) <= 50


def test_after_a_pause_only_a_trickle_goes_out() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.posted("C1")
    pace.pause("chat.postMessage", 3)
    now[0] += 3
    for _ in range(3):
        assert pace.post_wait_s("chat.postMessage", "C1") == pytest.approx(0)
        pace.posted("C1")
    assert pace.post_wait_s("chat.postMessage", "C1") == pytest.approx(1)


def test_limited_method_stops_even_urgent_edits() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.pause("chat.update", 10)
    assert pace.edit_wait_s("m", urgent=True) == 10
    assert pace.post_wait_s("chat.postMessage", "C1") == 0


def test_click_of_another_workspace_counts_as_foreign_wherever_it_says_so() -> None:
    body = {
        "user": {"id": "U1", "team_id": "T1"},
        "team": {"id": "T2"},
        "container": {"type": "message", "message_ts": "1.0", "channel_id": "C1"},
        "actions": [{"action_id": "approve#2", "value": "key"}],
    }
    ((click, place),) = read_clicks(body, "T1", 5.0)
    assert click.team == "T2"
    assert (click.action, click.target, place.channel) == ("approve", "key", "C1")


def test_select_gives_the_value_of_its_option() -> None:
    body = {
        "user": {"id": "U1", "team_id": "T1"},
        "team": {"id": "T1"},
        "container": {"message_ts": "1.0", "channel_id": "C1", "is_ephemeral": True},
        "actions": [{"action_id": "pick", "selected_option": {"text": {}, "value": "7:uuid"}}],
        "response_url": "http://127.0.0.1/x",
    }
    ((click, _),) = read_clicks(body, "T1", 5.0)
    assert (click.action, click.target) == ("pick", "7:uuid")


def test_slack_libraries_are_used_nowhere_else() -> None:
    root = Path(__file__).parents[3]
    found = [
        path.relative_to(root).as_posix()
        for folder in ("bot", "handlers")
        for path in (root / folder).rglob("*.py")
        if "slack_sdk" in path.read_text() and not path.is_relative_to(root / "bot" / "slack")
    ]
    assert [path for path in found if "/lab/" not in path] == []


def test_manifest_for_an_address_names_it_everywhere_and_leaves_socket_mode() -> None:
    url = "https://bot.example/slack/events"
    read = json.loads(manifest_text(url))
    assert read["settings"]["socket_mode_enabled"] is False
    assert read["features"]["slash_commands"][0]["url"] == url
    assert read["settings"]["event_subscriptions"]["request_url"] == url
    interactivity = read["settings"]["interactivity"]
    assert (interactivity["request_url"], interactivity["message_menu_options_url"]) == (url, url)
    assert read["oauth_config"] == manifest()["oauth_config"]
