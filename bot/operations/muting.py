"""What an alert is about, as people name it when they mute one."""

from __future__ import annotations

import re

from bot.domain.inventory import PoolView
from bot.operations.ports import Fleet
from bot.operations.subjects import subject

#: A code as XAPI writes it. An alert may come from anybody who can write into the pool, and be called anything.
_KIND = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_kind(code: str) -> bool:
    """Whether alerts of that code can be muted: what is written otherwise is no word of a command."""
    return _KIND.fullmatch(code) is not None


def about(fleet: Fleet, text: str) -> str:
    """The UUID of the pool, host or guest of that name; a UUID stands for itself. Raises NotFound, Ambiguous."""
    plain = text.strip()
    if not plain or _UUID.fullmatch(plain.casefold()):
        return plain.casefold()
    found = subject(fleet, plain)
    if isinstance(found, PoolView):
        return found.pool.uuid if found.pool is not None else ""
    return found.uuid
