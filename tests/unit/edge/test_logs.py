"""What the log shows, and what it never shows."""

import io
import json
import logging
import unicodedata
import warnings
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
        'pa\\"ss <word>/ü',
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


UNSAFE = "\n\r\x0b\x1b\x85\u200b\u202e\u2028\U000e0041"
# Pieces, not an alphabet: of that, all signs of Unicode are drawn alike, and these never.
HOSTILE = st.lists(st.text(max_size=20) | st.sampled_from(UNSAFE)).map("".join)


def unsafe(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@given(HOSTILE)
def test_cleaned_text_has_no_unsafe_sign_and_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert unsafe(once) == []
    assert clean_text(once) == once
    assert unsafe(text) or once == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\nforged", "one\\x0aforged"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\xad", "\\xad"),
        ("\u0600", "\\u0600"),
        ("\ufeff", "\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("実験 ü 🙂", "実験 ü 🙂"),
    ],
)
def test_an_unsafe_sign_is_written_as_its_escape(text: str, shown: str) -> None:
    assert clean_text(text) == shown


@given(st.text(min_size=4), st.text(), st.text())
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    shown = Masker([secret]).mask(before + secret + after)
    assert secret not in shown.replace(HIDDEN, "") or secret in before + after


def test_a_secret_that_begins_with_another_leaves_no_tail_behind() -> None:
    assert Masker(["hunter", "hunter2-of-the-pool"]).mask("hunter2-of-the-pool, hunter") == f"{HIDDEN}, {HIDDEN}"


def test_what_is_too_short_for_a_secret_blanks_out_no_words() -> None:
    assert Masker(["job"]).mask("a job") == "a job"


def test_a_value_that_holds_itself_is_one_line_and_hides_what_lies_deep_in_it(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    endless: list[object] = [{"password": "hunter2"}]
    endless.append(endless)
    deep: object = PASSWORD
    for _ in range(20):
        deep = {"a": [deep]}
    structlog.get_logger("bot.any").info("x", endless=endless, deep=deep)
    (entry,) = lines()
    assert entry["endless"][0] == {"password": HIDDEN}
    assert HIDDEN in json.dumps(entry["deep"])
    assert "word" not in json.dumps(entry["deep"])


def test_warnings_of_python_come_as_entries_without_secrets(lines: Callable[[], list[dict[str, Any]]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        # As `configure` has it: the block around it puts back what it found.
        logging.captureWarnings(capture=False)
        configure([PASSWORD], stream=(stream := io.StringIO()))
        warnings.warn(f"{PASSWORD} is old", stacklevel=1)
        logging.captureWarnings(capture=False)
    assert lines() == []
    (entry,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert f"{HIDDEN} is old" in entry["event"]
    assert "word" not in entry["event"]
