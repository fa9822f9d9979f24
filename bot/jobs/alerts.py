"""Tells the channel of what the pools complain of: each complaint once, in words, with the way to look and to act."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from bot.domain.inventory import Alert, FeedState, PoolView
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Verdict
from bot.domain.texts import Code, Phrase, say
from bot.domain.words import counted
from bot.errors import StoreError
from bot.operations import alert_words
from bot.operations.ports import Fleet
from bot.store import Outgoing, Store

log = structlog.get_logger()

LOOK_S = 5.0
#: A pool that was never looked at has a past that nobody needs to be woken for.
PAST_S = 600.0
#: While the bot was down somebody may have waited for it, but not for days.
MISSED_S = 86_400.0
#: The same complaint of the same object is not told again so soon; XAPI repeats some of them by the minute.
REPEAT_S = 3600.0
_LINES = 8
_MUTED_FOR = "1d"


class AlertWatch:
    """Looks at every pool's alerts for ever; `channel` is where they are told."""

    def __init__(self, store: Store, fleet: Fleet, channel: str) -> None:
        self.store = store
        self.fleet = fleet
        self.channel = channel

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as doubt:
                log.error("store_failed", reason=str(doubt))  # noqa: TRY400  a sentence is enough
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Tells what is new at each pool; what is told and what is remembered is one transaction."""
        for view in self.fleet.pools():
            if view.pool is None or view.state is not FeedState.LIVE or not view.alerts:
                continue
            known, new = await self.store.new_alerts(view.pool.uuid, view.alerts)
            if not new:
                continue
            since = self.store.clock() - (MISSED_S if known else PAST_S)
            fresh = _once([one for one in new if one.at >= since])
            quiet = await self.store.silenced(view.pool.uuid, fresh, REPEAT_S)
            told = [one for one in fresh if one not in quiet]
            item = Outgoing("post", message(view, told), channel=self.channel) if told else None
            await self.store.keep_alerts(view.pool.uuid, new, told, item)
            log.info("alerts_seen", pool=view.name, new=len(new), told=len(told))


def _once(alerts: Sequence[Alert]) -> list[Alert]:
    """The newest of each kind and object; alerts come newest first."""
    found: dict[tuple[str, str], Alert] = {}
    for one in alerts:
        found.setdefault((one.name, one.about), one)
    return list(found.values())


def message(view: PoolView, told: Sequence[Alert]) -> Message:
    """What the channel reads: the gravest first."""
    ordered = sorted(told, key=lambda one: (one.priority, -one.at))
    lines: list[Phrase] = [alert_words.describe(one, view) for one in ordered[:_LINES]]
    if len(ordered) > _LINES:
        lines.append(say("and {n} more", n=len(ordered) - _LINES))
    headline = say("{pool}: {n}", pool=view.name, n=counted(len(told), "alert", "alerts"))
    parts: list[Part] = [Verdict(headline, (), Mark.ATTENTION), Facts(tuple(lines))]
    parts.append(Choices(tuple(_buttons(view, ordered))))
    if len(ordered) == 1:
        how = Code(f"/xen mute {ordered[0].name}")
        parts.append(Small(say("{how} silences the kind altogether.", how=how)))
    return Message(headline, tuple(parts))


def _buttons(view: PoolView, ordered: Sequence[Alert]) -> list[Button]:
    worst = ordered[0]
    pool = view.pool.uuid if view.pool is not None else view.name
    host = next((one for one in view.hosts if one.uuid == worst.about), None)
    known = {one.uuid for one in view.hosts} | {one.uuid for one in view.vms}
    about = worst.about if worst.about in known else pool
    buttons = [
        Button("Status", "ask", f"status {about}", says=say("Show what is known of it")),
        Button("Pool check", "ask", f"pool-check {pool}", says=say("Check {pool}", pool=view.name)),
    ]
    if host is not None:
        plan = say("Plan: move every guest away from {host}", host=host.name)
        buttons.append(Button("Migrate away", "ask", f"evacuate {host.uuid}", says=plan))
    if len(ordered) == 1:
        mute = f"mute {worst.name} on {worst.about} for {_MUTED_FOR}" if worst.about else f"mute {worst.name}"
        buttons.append(Button("Mute for a day", "ask", mute, says=say("Tell nothing of this for a day")))
    return buttons
