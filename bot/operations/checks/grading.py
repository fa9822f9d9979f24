"""The five ways to grade, so that each check reads as one line."""

from __future__ import annotations

from bot.domain.plan import Check, Grade
from bot.domain.texts import Phrase, say


def fine(key: str, title: str, fact: Phrase) -> Check:
    """Nothing is wrong."""
    return Check(key, Grade.OK, title, fact)


def warning(key: str, title: str, fact: Phrase, fix: Phrase | None = None) -> Check:
    """It may go on, but a person should know."""
    return Check(key, Grade.WARNING, title, fact, fix)


def unknown(key: str, title: str, fact: Phrase, fix: Phrase | None = None) -> Check:
    """There is no fact at present; asking again may give one."""
    return Check(key, Grade.UNKNOWN, title, fact, fix)


def blocked(key: str, title: str, fact: Phrase, fix: Phrase) -> Check:
    """It cannot be done; `fix` is the way out."""
    return Check(key, Grade.BLOCKED, title, fact, fix)


def already(key: str, title: str, fact: Phrase) -> Check:
    """It is not done because things are so already, as `fact` says."""
    return Check(key, Grade.BLOCKED, title, fact, say("Nothing has to be done."), idle=True)
