"""Messages that are to be posted later."""

import msgspec

from bot.lab.slack.content import Content
from bot.lab.slack.errors import ApiError
from bot.lab.slack.identity import make_id

_FARTHEST_S = 120 * 24 * 3600
_MOST = 30
_WINDOW_S = 300


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the app, to be posted at ``post_at`` in Unix seconds."""

    id: str
    channel: str
    post_at: int
    created: int
    content: Content
    thread_ts: str | None = None


class Schedule:
    """What is to be posted, by id."""

    def __init__(self) -> None:
        self._waiting: dict[str, Scheduled] = {}

    def add(self, *, channel: str, post_at: int, now: float, content: Content, thread_ts: str | None) -> Scheduled:
        """Keep a message for later.

        Raises:
            ApiError: ``time_in_past``, ``time_too_far`` (more than 120 days), or ``restricted_too_many`` (more than
                thirty in one channel within five minutes).
        """
        if post_at <= now:
            raise ApiError("time_in_past")
        if post_at > now + _FARTHEST_S:
            raise ApiError("time_too_far")
        window = post_at // _WINDOW_S
        near = [each for each in self._waiting.values() if each.channel == channel]
        if sum(each.post_at // _WINDOW_S == window for each in near) >= _MOST:
            raise ApiError("restricted_too_many")
        added = Scheduled(
            id=make_id("Q"), channel=channel, post_at=post_at, created=int(now), content=content, thread_ts=thread_ts
        )
        self._waiting[added.id] = added
        return added

    def take(self, scheduled_id: str) -> Scheduled | None:
        """Return a message that still waits and forget it; None when it was cancelled."""
        return self._waiting.pop(scheduled_id, None)

    def waiting(self) -> list[Scheduled]:
        """Return what waits, soonest first."""
        return sorted(self._waiting.values(), key=lambda each: each.post_at)
