"""Response URLs: five uses in thirty minutes, for the person and place of one interaction."""

import secrets

import msgspec

from bot.lab.slack.clock import Clock
from bot.lab.slack.errors import ApiError

_LIFE_S = 30 * 60.0
_USES = 5


class ResponsePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer goes: ``message_ts`` is the message with the clicked control, None after a slash command."""

    kind: str
    channel: str
    person: str
    message_ts: str | None
    thread_ts: str | None
    expires: float


class ResponseUrls:
    """The URLs that were given out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[str, ResponsePlace] = {}
        self._uses: dict[str, int] = {}

    def give(
        self, kind: str, *, channel: str, person: str, message_ts: str | None = None, thread_ts: str | None = None
    ) -> str:
        """Return the secret of a new URL; ``kind`` is ``commands`` or ``actions``."""
        secret = secrets.token_urlsafe(18)
        self._places[secret] = ResponsePlace(
            kind=kind,
            channel=channel,
            person=person,
            message_ts=message_ts,
            thread_ts=thread_ts,
            expires=self._clock.now() + _LIFE_S,
        )
        self._uses[secret] = 0
        return secret

    def use(self, secret: str) -> ResponsePlace:
        """Use a URL once; ``used_url`` after five uses, ``expired_url`` after thirty minutes."""
        place = self._places.get(secret)
        if place is None:
            raise ApiError("no_service")
        if self._clock.now() > place.expires:
            raise ApiError("expired_url")
        if self._uses[secret] >= _USES:
            raise ApiError("used_url")
        self._uses[secret] += 1
        return place
