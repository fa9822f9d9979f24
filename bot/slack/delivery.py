"""The way out to Slack: drains the outbox within Slack's limits, in order, losing nothing.

Last station of job → outbox → delivery. Progress waits its turn and may be overtaken by newer progress; decisions and
results wait for nothing but Slack's own 429.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.parcel import Parcel
from bot.errors import StoreError
from bot.slack.cards import Rendered, render
from bot.slack.detours import Detours, is_channel
from bot.slack.faults import CALL_ERRORS, Fault, code_of, judge, retry_after_s
from bot.slack.lanes import Outbox, by_lane, method_of, place_of
from bot.slack.pacing import Pace
from bot.slack.sending import Sender, fingerprint

log = structlog.get_logger(__name__)

# Enough for a result to be seen behind the posts that wait for their second, when a whole room has jobs.
BATCH = 200
IDLE_S = 5.0
_SHOWN_LIMIT = 1000
_ACCOUNT_RETRY_S = 60.0


class Delivery:
    """Delivers until cancelled. `clock` is monotonic seconds; `on_card` is called when a card was posted.

    `alerts` is the channel in which is told what another channel does not take.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
        *,
        on_card: Callable[[], None] = lambda: None,
        alerts: str = "",
    ) -> None:
        self._detours = Detours(alerts)
        self._on_card = on_card
        self._sender = Sender(client)
        self._outbox = outbox
        self._clock = clock
        self._pace = Pace(clock)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, float] = {}
        self._freed = asyncio.Event()
        # Parcels Slack is known to have refused: they need not be looked for before the next try.
        self._refused: set[int] = set()
        self._shown: OrderedDict[str, bytes] = OrderedDict()

    @property
    def shut(self) -> Mapping[str, str]:
        """Channels that refuse the bot now, and the code with which they do."""
        return self._detours.shut

    async def let_in(self, channel: str) -> None:
        """The bot has become a member of a channel: what waits for it goes now."""
        self._detours.taken(channel)
        self._held.clear()
        await self._outbox.try_again(channel)
        self._freed.set()

    async def run(self) -> None:
        """Drains the outbox until cancelled; calls under way are let finish."""
        try:
            while True:
                try:
                    wake_s, _ = await self._round(hurry=False)
                except StoreError as error:
                    log.warning("outbox_unreadable", error=str(error))
                    wake_s = IDLE_S
                await self._rest(wake_s)
        finally:
            if self._lanes:
                await asyncio.wait(set(self._lanes.values()), timeout=IDLE_S)

    async def flush(self, timeout_s: float) -> None:
        """Sends what can be sent now, pacing aside; for the moments before the bot ends, after `run` was cancelled."""
        deadline = self._clock() + timeout_s
        while (left := deadline - self._clock()) > 0:
            _, busy = await self._round(hurry=True)
            if not busy:
                return
            await asyncio.wait(set(self._lanes.values()), timeout=left)

    async def _rest(self, wake_s: float) -> None:
        tasks = {
            asyncio.ensure_future(self._outbox.wait(wake_s)),
            asyncio.ensure_future(self._freed.wait()),
        }
        try:
            await asyncio.wait(tasks, timeout=wake_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self, *, hurry: bool) -> tuple[float, bool]:
        """Starts every lane that has something to do; when to look again, and whether any lane is busy."""
        self._freed.clear()
        wake_s = IDLE_S
        # A lane that ends while the outbox is being read would find its parcels in there, sent already.
        busy = set(self._lanes)
        for lane, parcels in by_lane(await self._outbox.due(BATCH)).items():
            if lane in busy:
                continue
            held_s = self._held.get(lane, 0.0) - self._clock()
            if held_s > 0:
                wake_s = min(wake_s, held_s)
                await self._news_around(parcels)
                continue
            self._held.pop(lane, None)
            ready, wait_s = self._choose(parcels, hurry=hurry)
            wake_s = min(wake_s, wait_s)
            if ready:
                self._open(lane, ready)
        return max(wake_s, 0.01), bool(self._lanes)

    def _choose(self, parcels: Iterable[Parcel], *, hurry: bool) -> tuple[list[Parcel], float]:
        """What of a lane may go now, counted as begun, and the seconds until more may.

        Posts stay in order. An edit neither waits for the posts before it nor holds up those behind it.
        """
        ready: list[Parcel] = []
        wake_s, post_waits = IDLE_S, False
        for parcel in parcels:
            is_post = method_of(parcel) != "chat.update"
            if is_post and post_waits:
                continue
            wait_s = self._wait_s(parcel, hurry=hurry)
            if wait_s <= 0:
                self._count(parcel)
                ready.append(parcel)
                continue
            wake_s = min(wake_s, wait_s)
            post_waits = post_waits or is_post
        return ready, wake_s

    def _count(self, parcel: Parcel) -> None:
        if method_of(parcel) == "chat.update":
            self._pace.edited(place_of(parcel))
        else:
            self._pace.posted(parcel.channel or parcel.user)

    def _open(self, lane: str, parcels: Sequence[Parcel]) -> None:
        task = asyncio.get_running_loop().create_task(self._drive(lane, parcels), name=f"delivery-{lane}")
        self._lanes[lane] = task
        task.add_done_callback(lambda ended: self._close(lane, ended))

    def _close(self, lane: str, ended: asyncio.Task[None]) -> None:
        self._lanes.pop(lane, None)
        self._freed.set()
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("delivery_lane_broke", lane=lane, exc_info=error)
            self._held[lane] = self._clock() + IDLE_S

    async def _drive(self, lane: str, parcels: Iterable[Parcel]) -> None:
        for parcel in parcels:
            retry_s = await self._deliver(parcel)
            if retry_s is not None:
                self._held[lane] = self._clock() + retry_s
                return

    def _wait_s(self, parcel: Parcel, *, hurry: bool) -> float:
        method = method_of(parcel)
        if hurry:
            return self._pace.pause_s(method)
        if method == "chat.update":
            return self._pace.edit_wait_s(place_of(parcel), urgent=parcel.urgent)
        return self._pace.post_wait_s(method, parcel.channel or parcel.user)

    async def _deliver(self, parcel: Parcel) -> float | None:
        """One parcel; None when it is settled for good, else the seconds until its next try."""
        method = method_of(parcel)
        try:
            ts = await self._send(parcel, render(parcel.message))
        except CALL_ERRORS as error:
            retry_s = self._retry_s(parcel, method, error)
            await self._outbox.failed(parcel.id, code_of(error), retry_s)
            await self._around(parcel, error)
            return retry_s
        self._refused.discard(parcel.id)
        self._detours.taken(parcel.channel)
        await self._outbox.delivered(parcel.id, ts)
        if parcel.kind == "card" and ts != parcel.message_ts:
            self._on_card()
        return None

    async def _news_around(self, parcels: Iterable[Parcel]) -> None:
        """What came up for a shut channel while it is left alone is told in another place all the same, at once."""
        for parcel in parcels:
            if parcel.channel in self._detours.shut and (way := self._detours.around(parcel)) is not None:
                await self._outbox.told_elsewhere(parcel.id, *way)

    async def _around(self, parcel: Parcel, error: BaseException) -> None:
        """Tells in another place what a channel would not take; the parcel itself is kept for its channel."""
        if judge(error) is not Fault.CHANNEL or not is_channel(parcel.channel) or parcel.kind == "private":
            return
        self._detours.refused(parcel.channel, code_of(error))
        way = self._detours.around(parcel)
        if way is not None:
            await self._outbox.told_elsewhere(parcel.id, *way)

    async def _send(self, parcel: Parcel, rendered: Rendered) -> str:
        if parcel.kind == "private":
            await self._sender.whisper(parcel, rendered)
            return ""
        if parcel.kind == "card" and parcel.message_ts:
            return await self._edit(parcel, rendered)
        return await self._place_once(parcel, rendered)

    async def _place_once(self, parcel: Parcel, rendered: Rendered) -> str:
        found = None
        if parcel.attempts and parcel.id not in self._refused:
            found = await self._sender.find(parcel)
        if not found or found == parcel.message_ts:
            return await self._post(parcel, rendered)
        log.info("lost_post_found", parcel=parcel.id)
        if parcel.kind != "card":
            return found
        # The card may have moved on since; the edit makes sure that the newest state is what stands there.
        card = msgspec.structs.replace(parcel, message_ts=found)
        self._count(card)
        return await self._edit(card, rendered)

    async def _edit(self, parcel: Parcel, rendered: Rendered) -> str:
        place = place_of(parcel)
        print_now = fingerprint(rendered)
        if self._shown.get(place) == print_now:
            return parcel.message_ts
        try:
            await self._sender.edit(parcel, rendered)
        except CALL_ERRORS as error:
            self._shown.pop(place, None)
            if judge(error) is not Fault.GONE:
                raise
            log.warning("card_gone", parcel=parcel.id, job=parcel.job, error=code_of(error))
            if parcel.edit_only:
                # Posted now, an old result would read as news, and may no longer be true.
                return parcel.message_ts
            self._pace.posted(parcel.channel)
            return await self._place_once(parcel, rendered)
        self._remember(place, print_now)
        return parcel.message_ts

    async def _post(self, parcel: Parcel, rendered: Rendered) -> str:
        await self._outbox.attempted(parcel.id)
        try:
            ts = await self._sender.post(parcel, rendered)
        except CALL_ERRORS as error:
            if judge(error) is not Fault.UNTHREADED:
                raise
            log.warning("thread_gone", parcel=parcel.id, job=parcel.job, error=code_of(error))
            ts = await self._sender.post(parcel, rendered, threaded=False)
        self._remember(f"{parcel.channel}:{ts}", fingerprint(rendered))
        return ts

    def _remember(self, place: str, print_now: bytes) -> None:
        self._shown[place] = print_now
        self._shown.move_to_end(place)
        while len(self._shown) > _SHOWN_LIMIT:
            self._shown.popitem(last=False)

    def _retry_s(self, parcel: Parcel, method: str, error: BaseException) -> float | None:
        fault = judge(error)
        known = {"parcel": parcel.id, "kind": parcel.kind, "job": parcel.job, "error": code_of(error)}
        if fault is Fault.LIMITED:
            self._refused.add(parcel.id)
            wait_s = retry_after_s(error)
            self._pace.pause(method, wait_s)
            log.warning("slack_limits", method=method, retry_s=wait_s, **known)
            return wait_s
        if fault is Fault.LOST:
            self._refused.discard(parcel.id)
            wait_s = min(60.0, float(2 ** min(parcel.attempts, 6)))
            log.warning("delivery_unclear", retry_s=wait_s, **known)
            return wait_s
        self._refused.add(parcel.id)
        # A person who cannot be written to stays so; a channel is opened again by whoever shut it.
        if fault is Fault.ACCOUNT or (fault is Fault.CHANNEL and is_channel(parcel.channel)):
            log.error("slack_refuses_the_bot", channel=parcel.channel, retry_s=_ACCOUNT_RETRY_S, **known)
            return _ACCOUNT_RETRY_S
        log.error("delivery_given_up", channel=parcel.channel, **known)
        return None
