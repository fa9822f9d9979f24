"""Something to be delivered to Slack, as the outbox keeps it."""

from __future__ import annotations

from typing import Literal

import msgspec

from bot.domain.message import Message


class Place(msgspec.Struct, frozen=True):
    """Where the card of a job is in Slack."""

    job: int
    channel: str
    message_ts: str


class Parcel(msgspec.Struct, frozen=True):
    """One delivery.

    A "card" is the one message of a job, edited in place (`message_ts` is "" until it was posted); a "reply" goes into
    its thread, a "post" into the channel, a "private" one is seen by `user` alone. `urgent` marks decisions and
    results, which never wait behind progress. `nonce` finds a post again whose answer was lost; `attempts` counts the
    tries. A card that is `edit_only` brings no news: where its message is gone, it is not posted again. `asker` is whom
    the news are for, where it is known.
    """

    id: int
    kind: Literal["card", "reply", "post", "private"]
    channel: str
    job: int | None
    thread_ts: str
    message_ts: str
    user: str
    urgent: bool
    message: Message
    attempts: int
    nonce: str
    edit_only: bool = False
    asker: str = ""
