"""The store of messages: channels, threads, messages that one person sees, and every earlier version.

Earlier versions are kept because a click may come from a client that has not yet seen an edit.
"""

import re
from typing import Any

import msgspec

from bot.lab.slack.clock import Clock

Json = dict[str, Any]

_VERSIONS = 50


_TS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def is_ts(text: str) -> bool:
    """Return whether a text has the shape of a ``ts``, the microseconds left out or not."""
    return _TS.fullmatch(text) is not None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a message, texts and blocks exactly as the sender gave them, ids filled in.

    ``audience`` is the one person who sees an ephemeral message. Slack names a message by ``ts``, a string that is
    unique within its channel.
    """

    channel: str
    ts: str
    user: str
    team: str
    text: str
    by_app: bool
    blocks: list[Json] = []
    attachments: list[Json] = []
    files: tuple[str, ...] = ()
    thread_ts: str | None = None
    is_broadcast: bool = False
    metadata: Json | None = None
    edited_ts: str | None = None
    subtype: str | None = None
    audience: str | None = None
    client_msg_id: str | None = None
    reactions: dict[str, tuple[str, ...]] = {}


class MessageStore:
    """Messages by channel and ``ts``; ``ts`` grows, so insertion order is time order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_us = 0
        self._channels: dict[str, dict[str, list[Message]]] = {}
        self._read: dict[tuple[str, str], str] = {}

    def make_ts(self) -> str:
        """Return the next ``ts``: seconds and microseconds, never the same twice."""
        self._last_us = max(self._last_us + 1, int(self._clock.now() * 1_000_000))
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def add(self, message: Message) -> None:
        """Store a new message, or a new version of one."""
        versions = self._channels.setdefault(message.channel, {}).setdefault(message.ts, [])
        versions.append(message)
        del versions[:-_VERSIONS]

    def remove(self, message: Message) -> None:
        """Forget a message and its versions."""
        self._channels.get(message.channel, {}).pop(message.ts, None)

    def find(self, channel: str, ts: str) -> Message | None:
        """Return the current version of a message, ephemeral ones included."""
        versions = self._channels.get(channel, {}).get(ts)
        return versions[-1] if versions else None

    def versions(self, channel: str, ts: str) -> list[Message]:
        """Return all versions of a message, newest first."""
        return list(reversed(self._channels.get(channel, {}).get(ts, [])))

    def all_in(self, channel: str, *, audience: str | None = None) -> list[Message]:
        """Return the messages of a channel, oldest first, with those that only ``audience`` sees."""
        current = (versions[-1] for versions in self._channels.get(channel, {}).values())
        return [message for message in current if message.audience in (None, audience)]

    def thread(self, channel: str, root_ts: str) -> list[Message]:
        """Return the replies to a message, oldest first, ephemeral ones left out."""
        return [each for each in self.all_in(channel) if each.thread_ts == root_ts and each.ts != root_ts]

    def root_ts(self, channel: str, ts: str) -> str | None:
        """Return the ``ts`` of the thread a message belongs to; None when there is no such message."""
        found = self.find(channel, ts)
        return None if found is None or found.audience else found.thread_ts or found.ts

    def mark_read(self, person_id: str, channel: str, ts: str) -> None:
        """Move a person's read mark; it never goes back."""
        key = (person_id, channel)
        self._read[key] = max(self._read.get(key, ""), ts)

    def last_read(self, person_id: str, channel: str) -> str:
        """Return the ``ts`` of a person's read mark, "" before the first."""
        return self._read.get((person_id, channel), "")

    def unread(self, person_id: str, channel: str) -> int:
        """Count the messages of others that the person has not read, thread replies left out."""
        mark = self.last_read(person_id, channel)
        return sum(
            each.ts > mark and each.user != person_id and (each.thread_ts in (None, each.ts) or each.is_broadcast)
            for each in self.all_in(channel, audience=person_id)
        )
