"""Set-up of logging: what any part of the bot logs leaves here as one line on standard error, without secrets.

Called once by the command line, before anything else starts. A log call names its event and gives values:
`structlog.get_logger().info("job_started", job=7, pool="experiment")`. Libraries that use `logging` pass through the
same processors, so neither their tokens nor the names they quote get past.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, TextIO
from urllib.parse import quote
from xml.sax.saxutils import escape

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN: Final = "[hidden]"
LEVELS: Final = ("debug", "info", "warning", "error")

# A shorter secret would blank out parts of ordinary words; the configuration refuses such passwords.
SHORTEST_SECRET: Final = 4

_SECRET_KEYS: Final = re.compile(r"passw|token|secret|authorization|cookie|ticket|response_url", re.IGNORECASE)
_PATTERNS: Final = (
    # Slack: bot, user, refresh, configuration and app-level tokens.
    (re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]+|\bxapp-[A-Za-z0-9-]+"), HIDDEN),
    # Slack: anyone who has a response_url may post with it for half an hour; a Socket Mode ticket opens the socket.
    (re.compile(r"(https?://hooks\.slack\.com/)\S+"), rf"\1{HIDDEN}"),
    (re.compile(r"([?&](?:ticket|token|session_id|secret)=)[^&\s\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s@]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    # XAPI: a session's reference is as good as its password and looks like any other; the first digits tell them apart.
    (re.compile(r"(OpaqueRef:[0-9a-f]{8})[0-9a-f-]+", re.IGNORECASE), r"\1…"),
)
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_DEEPEST: Final = 6


class Masker:
    """Takes secrets and unsafe characters out of text and log entries.

    Args:
        secrets: Secrets known by value; they are hidden as they are and as they look in a URL, in XML and in JSON.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _spell(secret)}
        # The longest first: a secret that contains another must not leave its tail behind.
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Returns the entry with every value and every foreign key safe to print."""
        return {self.clean(str(key)): self._walk(str(key), value, 0) for key, value in event.items()}

    def mask(self, text: str) -> str:
        """Returns `text` with its secrets hidden."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, shown in _PATTERNS:
            text = pattern.sub(shown, text)
        return text

    def clean(self, text: str) -> str:
        """Returns `text` on one line, secrets hidden, control and direction characters written as escapes."""
        return clean_text(self.mask(text))

    def _walk(self, key: str, value: object, depth: int) -> object:
        if isinstance(value, bool | int | float | None):
            return value
        if key in _TRACES and isinstance(value, str):
            return self._indent(value)
        if _SECRET_KEYS.search(key):
            return HIDDEN
        if isinstance(value, Mapping) and depth < _DEEPEST:
            return {self.clean(str(name)): self._walk(str(name), item, depth + 1) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
            return [self._walk("", item, depth + 1) for item in value]
        if isinstance(value, BaseException):
            return self.clean(f"{type(value).__name__}: {value}")
        return self.clean(value if isinstance(value, str) else repr(value))

    def _indent(self, trace: str) -> str:
        # Text from outside may stand in a trace, with line breaks: no line of it may look like an entry of its own.
        return "\n".join(f"    {self.clean(line)}" for line in trace.splitlines())


_TRACES: Final = frozenset({"exception", "stack"})


def clean_text(text: str) -> str:
    """Returns `text` with control, direction, invisible and line-breaking characters written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE_CATEGORIES else char for char in text)


def configure(
    secrets: Iterable[str] = (), level: str = "info", *, stream: TextIO | None = None, as_json: bool | None = None
) -> None:
    """Sends everything that is logged from now on to standard error. Calling it again replaces the earlier set-up.

    Args:
        secrets: Values that must never be printed.
        level: The lowest level of our own events that is printed; libraries are heard from warnings on.
        stream: Where to write instead of standard error.
        as_json: Whether to write JSON lines; without it, JSON is written unless the stream is a terminal.

    Raises:
        ValueError: The level is none of `LEVELS`.
    """
    if level not in LEVELS:
        raise ValueError(f"the log level must be one of {', '.join(LEVELS)}")
    target = stream or sys.stderr
    lines = not target.isatty() if as_json is None else as_json
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                Masker(secrets),
                structlog.processors.EventRenamer("event"),
                _render_json if lines else structlog.dev.ConsoleRenderer(colors=target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("bot", "handlers"):
        logging.getLogger(ours).setLevel(level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    # Time, level and event first: people read these lines too.
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return json.dumps({**first, **event}, ensure_ascii=False)


def _spell(secret: str) -> tuple[str, ...]:
    return (
        secret,
        quote(secret),
        quote(secret, safe=""),
        escape(secret),
        escape(secret, {'"': "&quot;", "'": "&#x27;"}),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    )


def _escape(char: str) -> str:
    code = ord(char)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
