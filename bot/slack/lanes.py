"""What the delivery is asked to deliver, and what of it must stay in order among itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from bot.domain.message import Message
from bot.domain.parcel import Parcel


class Outbox(Protocol):
    """What is to be delivered, as the store keeps it."""

    async def due(self, limit: int = 20) -> Sequence[Parcel]:
        """Parcels ready to go, urgent ones first, in order per thread; a reply only once its job's card has a ts.

        There is one pending card per job, the newest state; a newer state is a parcel with another id.
        """
        ...

    async def attempted(self, parcel: int) -> None:
        """Committed before a post whose answer may get lost."""
        ...

    async def delivered(self, parcel: int, ts: str) -> None:
        """Out; for a card the ts goes to its job too."""
        ...

    async def failed(self, parcel: int, error: str, retry_after_s: float | None) -> None:
        """Not out: to be tried again after so many seconds, or never (None)."""
        ...

    async def told_elsewhere(self, parcel: int, channel: str, message: Message) -> None:
        """Has a message posted in another place, once for a parcel that its own channel refuses."""
        ...

    async def try_again(self, channel: str) -> None:
        """What waits for a channel need wait no longer."""
        ...

    async def wait(self, timeout_s: float) -> None:
        """Returns when something new was put in, or when the time is over."""
        ...


def by_lane(parcels: Iterable[Parcel]) -> dict[str, list[Parcel]]:
    """The parcels of each lane, in order."""
    lanes: dict[str, list[Parcel]] = {}
    for parcel in parcels:
        lanes.setdefault(lane_of(parcel), []).append(parcel)
    return lanes


def lane_of(parcel: Parcel) -> str:
    """What must stay in order among itself: a job's card and thread, one person's messages, a channel's posts.

    A post is none of its job's thread: one approver who cannot be written to must hold up neither card nor the others.
    """
    if parcel.kind == "private":
        return f"user:{parcel.user}"
    if parcel.job is not None and parcel.kind != "post":
        return f"job:{parcel.job}"
    return f"channel:{parcel.channel}:{parcel.thread_ts}"


def method_of(parcel: Parcel) -> str:
    """The method of the Web API that a parcel goes out by."""
    if parcel.kind == "private":
        return "chat.postEphemeral"
    return "chat.update" if parcel.kind == "card" and parcel.message_ts else "chat.postMessage"


def place_of(parcel: Parcel) -> str:
    """The message that a parcel edits."""
    return f"{parcel.channel}:{parcel.message_ts}"
