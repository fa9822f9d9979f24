"""``trigger_id``: three seconds, one use, given with every interaction that may open a modal."""

import secrets

import msgspec

from bot.lab.slack.clock import Clock
from bot.lab.slack.errors import ApiError

_LIFE_S = 3.0
_KEPT_S = 600.0


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """Whose interaction it was, and in which view if in one: ``views.push`` needs that; ``channel`` is where."""

    person: str
    view_id: str | None
    channel: str | None
    expires: float


class Triggers:
    """The triggers that were given out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given: dict[str, Trigger] = {}
        self._used: set[str] = set()

    def give(self, person: str, view_id: str | None = None, *, channel: str | None = None) -> str:
        """Return a new trigger id, shaped as Slack's."""
        self._forget_old()
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**9)}.{secrets.token_hex(16)}"
        self._given[trigger_id] = Trigger(
            person=person, view_id=view_id, channel=channel, expires=self._clock.now() + _LIFE_S
        )
        return trigger_id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger up; an error when it is unknown, old or used. An ack does not use it up."""
        trigger = self._given.get(trigger_id)
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger_id in self._used:
            raise ApiError("exchanged_trigger_id")
        if self._clock.now() > trigger.expires:
            raise ApiError("expired_trigger_id")
        self._used.add(trigger_id)
        return trigger

    def _forget_old(self) -> None:
        long_ago = self._clock.now() - _KEPT_S
        for trigger_id in [each for each, trigger in self._given.items() if trigger.expires < long_ago]:
            del self._given[trigger_id]
            self._used.discard(trigger_id)
