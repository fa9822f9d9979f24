"""What the log shows, and what it never shows."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import HIDDEN, Masker, clean_text, configure

PASSWORD = 'pa"ss <word>/ü'


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for ours in ("bot", "handlers"):
        logging.getLogger(ours).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Callable[[], list[dict[str, Any]]]:
    stream = io.StringIO()
    configure([PASSWORD], stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_entry_is_one_line_with_its_event_and_values(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("bot.jobs").info("job_started", job=7, pool="実験")
    (entry,) = lines()
    assert list(entry)[:3] == ["timestamp", "level", "event"]
    assert (entry["level"], entry["event"], entry["job"], entry["pool"]) == ("info", "job_started", 7, "実験")


def fail(text: str) -> None:
    raise RuntimeError(text)


@pytest.mark.parametrize(
    "text",
    [
        "xoxb-123-abc",
        "token=xoxe.xoxp-1-abc",
        "xapp-1-A0-abc",
        "Authorization: Bearer 0123456789abcdef",
        "wss://wss.slack.example/link/?ticket=0123456789abcdef&app_id=1",
        "https://hooks.slack.com/commands/T1/2/0123456789abcdef",
        "https://root:0123456789abcdef@192.0.2.1/",
        "OpaqueRef:01234567-89ab-cdef-0123-456789abcdef",
        PASSWORD,
        "pa%22ss%20%3Cword%3E/%C3%BC",
        "pa%22ss%20%3Cword%3E%2F%C3%BC",
        'pa"ss &lt;word&gt;/ü',
        "pa&quot;ss &lt;word&gt;/ü",
        'pa\\"ss <word>/\\u00fc',
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(lines: Callable[[], list[dict[str, Any]]], text: str) -> None:
    log = structlog.get_logger("bot.any")
    event = f"event {text}"
    log.warning(event, plain=text, nested={"list": [f"a {text}"], text: 1}, error=ValueError(text))
    logging.getLogger("another.package").error("said %s", text)
    try:
        fail(text)
    except RuntimeError:
        log.exception("failed")
    shown = json.dumps(lines(), ensure_ascii=False)
    assert len(lines()) == 3
    for part in ("123-abc", "1-abc", "A0-abc", "0123456789abcdef", "89ab-cdef", "word"):
        assert part not in shown


def test_values_of_telling_keys_are_hidden_whatever_they_hold(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("bot.any").info("x", password="hunter2", headers={"Cookie": "session", "accept": "json"})
    (entry,) = lines()
    assert entry["password"] == HIDDEN
    assert entry["headers"] == {"Cookie": HIDDEN, "accept": "json"}


def test_a_hostile_name_stays_on_its_line_and_cannot_turn_it_round(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    structlog.get_logger("bot.any").info("vm_seen", name='web\n{"event": "forged"}\u202e\x1b[31m\u2028')
    (entry,) = lines()
    assert entry["name"] == 'web\\x0a{"event": "forged"}\\u202e\\x1b[31m\\u2028'


def test_a_trace_on_a_terminal_cannot_forge_an_entry() -> None:
    stream = io.StringIO()
    configure(stream=stream, as_json=False)
    try:
        fail("one\n2026-01-01 [info] forged")
    except RuntimeError:
        structlog.get_logger("bot.any").exception("failed")
    trace = stream.getvalue().splitlines()[1:]
    assert any("forged" in line for line in trace)
    assert all(line.startswith("    ") for line in trace)


def test_libraries_are_heard_from_warnings_on(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logging.getLogger("another.package").info("chatter")
    logging.getLogger("another.package").warning("trouble")
    structlog.get_logger("bot.any").debug("detail")
    assert [entry["event"] for entry in lines()] == ["trouble"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="one of debug, info"):
        configure(level="loud")


@given(st.text())
def test_cleaned_text_is_one_line_and_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert len(once.splitlines()) <= 1
    assert clean_text(once) == once


@given(st.text(min_size=4), st.text(), st.text())
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    shown = Masker([secret]).mask(before + secret + after)
    assert secret not in shown.replace(HIDDEN, "") or secret in before + after
