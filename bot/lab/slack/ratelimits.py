"""Slack's rate limits: a bucket per method by tier, and one per channel for posting.

Slack tolerates bursts; so do these buckets. A bot that paces itself never meets them, one that edits in a loop does.
"""

import math
from enum import Enum

from bot.lab.slack.clock import Clock
from bot.lab.slack.errors import RateLimitedError


class Tier(Enum):
    """How many calls of a method an app may make per minute in one workspace."""

    ONE = 1
    TWO = 20
    THREE = 50
    FOUR = 100
    MANY = 600


_POSTS_PER_S = 1.0
_POST_BURST = 8


class _Bucket:
    """Fills at ``rate_per_s`` up to ``burst`` calls."""

    def __init__(self, rate_per_s: float, burst: int, now: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._level = float(burst)
        self._at = now

    def take(self, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * self._rate_per_s)
        self._at = now
        if self._level < 1:
            raise RateLimitedError(max(1, math.ceil((1 - self._level) / self._rate_per_s)))
        self._level -= 1


class RateLimits:
    """Counts the calls of the app; people's own clients are not limited here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self.on = True

    def count_call(self, method: str, tier: Tier) -> None:
        """Count one call; ``RateLimitedError`` when the method is used up."""
        self._take(method, tier.value / 60, tier.value)

    def count_post(self, channel: str) -> None:
        """Count one posted message: about one per second and channel."""
        self._take(f"post in {channel}", _POSTS_PER_S, _POST_BURST)

    def _take(self, key: str, rate_per_s: float, burst: int) -> None:
        if not self.on:
            return
        now = self._clock.now()
        self._buckets.setdefault(key, _Bucket(rate_per_s, burst, now)).take(now)
