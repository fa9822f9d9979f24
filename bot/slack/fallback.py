"""Phrases as mrkdwn: for notifications, screen readers and small print, where Slack offers no literal text.

Slack's own escaping covers `&`, `<` and `>` only; asterisks, tildes and `:emoji:` of a guest's name would still style
the line or fake a status mark, so they are kept apart by a zero-width space.
"""

from __future__ import annotations

import re

from bot.domain.texts import Code, Group, Link, Moment, Phrase, Value, Who, clean, pieces, plain
from bot.slack.richtext import DATE_FORMAT, is_user, is_usergroup, stamp

TEXT_LIMIT = 3500
_GAP = "\u200b"
_MARKER = re.compile(r"([*_~`])")
_EMOJI = re.compile(r":(?=[^\s:]+:)")


def escape(text: str) -> str:
    """Text with Slack's three entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def defuse(text: str) -> str:
    """Foreign text that cannot style, mention, link, quote or fake an emoji in mrkdwn."""
    apart = _EMOJI.sub(":" + _GAP, _MARKER.sub(r"\1" + _GAP, text)).replace("://", ":" + _GAP + "//")
    escaped = escape(apart)
    return _GAP + escaped if escaped.startswith("&gt;") else escaped


def mrkdwn(phrase: Phrase, *, limit: int = TEXT_LIMIT) -> str:
    """The phrase as one line of mrkdwn; cut between pieces, never inside an entity or a mention."""
    return _joined([_own(piece) if isinstance(piece, str) else _value(piece[0]) for piece in pieces(phrase)], limit)


def sentence(text: str, *, limit: int = TEXT_LIMIT) -> str:
    """A ready sentence, made safe as a whole; its length is bounded before escaping can multiply it."""
    return defuse(clean(text, limit=limit // 6))


def is_literal(phrase: Phrase) -> bool:
    """Whether the phrase needs no markup, so that plain text can carry it."""
    return all(
        "`" not in piece if isinstance(piece, str) else not isinstance(piece[0], Who | Group | Moment | Code | Link)
        for piece in pieces(phrase)
    )


def _own(words: str) -> str:
    return escape(words)


def _value(value: Value) -> str:
    match value:
        case Who(id=identity) if is_user(identity):
            return f"<@{identity}>"
        case Group(id=identity) if is_usergroup(identity):
            return f"<!subteam^{identity}>"
        case Moment(at=at):
            return f"<!date^{int(at)}^{DATE_FORMAT}|{stamp(at)}>"
        case Link(url=url):
            return f"<{escape(url).replace('|', '%7C')}|{defuse(plain(value))}>"
        case Code():
            # A backtick would end the code span, hence the look-alike; markup is inert inside.
            return "`" + escape(plain(value).replace("`", "ʼ")) + "`"
        case _:
            return defuse(plain(value))


def _joined(parts: list[str], limit: int) -> str:
    whole = ""
    for part in parts:
        if len(whole) + len(part) > limit - 1:
            return whole + "…"
        whole += part
    return whole
