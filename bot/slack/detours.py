"""What cannot be posted where it belongs: kept for its channel, and told in another place meanwhile.

A private channel that the bot was taken out of looks to it like one that never was. Nothing meant for it is given up:
it is tried again until somebody lets the bot in, and decisions and results go to the alerts channel as well, or to the
person who asked for the job.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec
import structlog

from bot.domain.message import Choices, Facts, File, Message, Select
from bot.domain.parcel import Parcel
from bot.domain.texts import Code, say
from bot.slack.richtext import is_user

_TOLD_LIMIT = 1000
log = structlog.get_logger(__name__)


class Detours:
    """Knows which channels are shut, and where else to tell. `alerts` is the channel for alerts."""

    def __init__(self, alerts: str = "", clock: Callable[[], float] = time.time) -> None:
        self._alerts = alerts
        self._clock = clock
        # The store knows for good what was told; this spares asking it with every round.
        self._told: OrderedDict[int, None] = OrderedDict()
        self._shut: dict[str, tuple[str, float]] = {}

    @property
    def shut(self) -> Mapping[str, str]:
        """Channels that refuse the bot now, and the code with which they do."""
        return {channel: code for channel, (code, _) in self._shut.items()}

    def refused(self, channel: str, code: str) -> None:
        """A channel did not take a message."""
        if channel not in self._shut:
            log.error("channel_shut", channel=channel, error=code)
            self._shut[channel] = code, self._clock()

    def taken(self, channel: str) -> None:
        """A channel took a message."""
        found = self._shut.pop(channel, None)
        if found is not None:
            log.info("channel_open_again", channel=channel, shut_s=round(self._clock() - found[1]))

    def around(self, parcel: Parcel) -> tuple[str, Message] | None:
        """Where else a refused parcel is told, and as what; None for one that only its own channel needs.

        The card of a job says all that its thread does, so of a job only cards go round.
        """
        news = parcel.urgent and not parcel.edit_only and parcel.kind in {"card", "post"}
        if not news:
            return None
        # A schedule that asked for a job is nobody to write to.
        asker = parcel.asker if is_user(parcel.asker) else ""
        ways = [one for one in (self._alerts, asker) if one and one not in {parcel.channel, *self._shut}]
        if not ways or parcel.id in self._told:
            return None
        self._told[parcel.id] = None
        while len(self._told) > _TOLD_LIMIT:
            self._told.popitem(last=False)
        return ways[0], _elsewhere(parcel)


def is_channel(channel: str) -> bool:
    """Whether a message goes to a channel and not to one person."""
    return bool(channel) and not is_user(channel)


def _elsewhere(parcel: Parcel) -> Message:
    """The message without its buttons, which work in its own place alone."""
    kept = [part for part in parcel.message.parts if not isinstance(part, Choices | Select | File)]
    why = say(
        "Told here because the channel {channel} does not let me in: invite me again.", channel=Code(parcel.channel)
    )
    return msgspec.structs.replace(parcel.message, parts=(*kept, Facts((why,))))
