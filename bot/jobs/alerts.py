"""Tells the channel of what the pools complain of: each complaint once, in words, with the way to look and to act."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

import structlog

from bot.domain.inventory import Alert, FeedState, PoolView
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Verdict
from bot.domain.texts import Code, Phrase, say
from bot.domain.words import counted
from bot.jobs.rounds import rounds
from bot.operations import alert_words, muting
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
#: In a storm a pool is told of so often within so many seconds; what comes meanwhile is told at once afterwards.
MOST_POSTS, WITHIN_S = 6, 600.0
_MOST_WAITING = 1000
_LINES = 8
_MUTED_FOR = "1d"


class AlertWatch:
    """Looks at every pool's alerts for ever; `channel` is where they are told."""

    def __init__(self, store: Store, fleet: Fleet, channel: str) -> None:
        self.store = store
        self.fleet = fleet
        self.channel = channel
        # What a pool shows are its newest alerts only; in a storm some would be gone before they are told.
        self._waiting: dict[str, Sequence[Alert]] = defaultdict(tuple)
        self._kinds: dict[tuple[str, str], float] = {}
        self._posts: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MOST_POSTS))

    async def run(self) -> None:
        """Runs until cancelled."""
        await rounds(self.look, LOOK_S)

    async def look(self) -> None:
        """Tells what is new at each pool; what is told and what is remembered is one transaction."""
        for view in self.fleet.pools():
            if view.pool is None or view.state is not FeedState.LIVE:
                continue
            pool = view.pool.uuid
            alerts = _together(view.alerts, self._waiting[pool])
            if not alerts:
                continue
            known, new = await self.store.new_alerts(pool, alerts)
            if self._storms(pool, new):
                self._waiting[pool] = new
                continue
            if new:
                await self._tell(view, pool, new, known=known)
            self._waiting[pool] = ()

    async def _tell(self, view: PoolView, pool: str, new: Sequence[Alert], *, known: bool) -> None:
        since = self.store.clock() - (MISSED_S if known else PAST_S)
        fresh = _once([one for one in new if one.at >= since])
        quiet = await self.store.silenced(pool, fresh, REPEAT_S)
        told = [one for one in fresh if one not in quiet]
        item = Outgoing("post", message(view, told), channel=self.channel) if told else None
        await self.store.keep_alerts(pool, new, told, item)
        if item is not None:
            now = self.store.clock()
            self._posts[pool].append(now)
            lately = {kind: at for kind, at in self._kinds.items() if at > now - WITHIN_S}
            self._kinds = lately | {(pool, one.name): now for one in told}
        log.info("alerts_seen", pool=view.name, new=len(new), told=len(told))

    def _storms(self, pool: str, new: Sequence[Alert]) -> bool:
        """Whether so much was told of this pool lately that what is new waits, and is told in one message.

        What is critical waits only where the same was told of something else by now.
        """
        posts, since = self._posts[pool], self.store.clock() - WITHIN_S
        if len(posts) < MOST_POSTS or posts[0] <= since:
            return False
        return all(one.priority > 1 or self._kinds.get((pool, one.name), 0.0) > since for one in new)


def _together(newest: Sequence[Alert], waiting: Sequence[Alert]) -> Sequence[Alert]:
    """Both, newest first and each once."""
    shown = {one.uuid for one in newest}
    return (*newest, *(one for one in waiting if one.uuid not in shown))[:_MOST_WAITING]


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
    if len(ordered) == 1 and muting.is_kind(ordered[0].name):
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
    if host is not None and any(one.about == host.uuid and alert_words.moving_helps(one.name) for one in ordered):
        plan = say("Plan: move every guest away from {host}", host=host.name)
        buttons.append(Button("Migrate away", "ask", f"evacuate {host.uuid}", says=plan))
    if len(ordered) == 1 and muting.is_kind(worst.name):
        mute = f"mute {worst.name} on {worst.about} for {_MUTED_FOR}" if worst.about else f"mute {worst.name}"
        buttons.append(Button("Mute for a day", "ask", mute, says=say("Tell nothing of this for a day")))
    return buttons
