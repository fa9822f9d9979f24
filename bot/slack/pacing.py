"""How fast Slack may be spoken to.

chat.update is allowed about 50 times a minute for the whole workspace, a channel takes one post a second, and a 429
stops one method for as long as it says. What goes out is counted when it is begun, not when it is through: everything
that becomes possible at the same moment would otherwise go at once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable


class Bucket:
    """Tokens that come back at a steady rate; taking is allowed below zero for what may not wait."""

    def __init__(self, rate_per_s: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    def take(self) -> None:
        """Uses one token, borrowed if need be, but never more than one burst deep."""
        self._fill()
        self._tokens = max(self._tokens - 1, -self._burst)

    def empty(self) -> None:
        """Leaves no token: whoever hands them out has counted differently."""
        self._fill()
        self._tokens = min(self._tokens, 0)

    def wait_s(self, keep: float = 0) -> float:
        """Seconds until a token is there that is not among the last `keep`; 0 when one is."""
        self._fill()
        return max(0.0, (1 + keep - self._tokens) / self._rate)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class Pace:
    """When the next edit or post may go out."""

    EDIT_GAP_S = 3.0
    # Ten at once and forty a minute make fifty in the busiest minute. Progress leaves half of the ten to decisions and
    # results, which may come all at the same time.
    EDITS_PER_MINUTE = 40
    EDIT_BURST = 10
    EDITS_KEPT = 5
    _KNOWN_MESSAGES = 1000

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._edits = Bucket(self.EDITS_PER_MINUTE / 60, self.EDIT_BURST, clock)
        self._posts: defaultdict[str, Bucket] = defaultdict(lambda: Bucket(1.0, 5, clock))
        self._paused: dict[str, float] = {}
        self._edited: dict[str, float] = {}
        self._order: deque[str] = deque()

    def edit_wait_s(self, message: str, *, urgent: bool) -> float:
        """Seconds an edit has to wait; an urgent one waits only for what Slack allows."""
        pause = self.pause_s("chat.update")
        if urgent:
            return max(pause, self._edits.wait_s())
        since = self._clock() - self._edited.get(message, float("-inf"))
        return max(pause, self.EDIT_GAP_S - since, self._edits.wait_s(self.EDITS_KEPT))

    def post_wait_s(self, method: str, channel: str) -> float:
        """Seconds a post into a channel has to wait."""
        return max(self.pause_s(method), self._posts[channel].wait_s())

    def pause_s(self, method: str) -> float:
        """Seconds for which Slack refuses a method."""
        return max(0.0, self._paused.get(method, 0.0) - self._clock())

    def pause(self, method: str, seconds: float) -> None:
        """Slack answered 429. When the pause is over, only a trickle goes out, and not all that waited."""
        self._paused[method] = self._clock() + seconds
        for bucket in [self._edits] if method == "chat.update" else self._posts.values():
            bucket.empty()

    def edited(self, message: str) -> None:
        """An edit is about to go out."""
        self._edits.take()
        if message not in self._edited:
            self._order.append(message)
            if len(self._order) > self._KNOWN_MESSAGES:
                self._edited.pop(self._order.popleft(), None)
        self._edited[message] = self._clock()

    def posted(self, channel: str) -> None:
        """A post is about to go out."""
        self._posts[channel].take()
