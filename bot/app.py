"""The composition root: every part is made here, by hand, and given what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from pathlib import Path

import structlog

from bot.backups import Archive, Folder, Policy, Pruner, Shelf
from bot.commands import Registry
from bot.config import Config
from bot.domain.audit import Tag
from bot.domain.inventory import FeedState
from bot.domain.job import JobState
from bot.domain.texts import Phrase
from bot.door import Door
from bot.errors import StoreError, TargetFailed
from bot.jobs.absences import AbsenceWatch
from bot.jobs.alerts import AlertWatch
from bot.jobs.console import Console
from bot.jobs.control import Control
from bot.jobs.counter import Counter
from bot.jobs.day_summary import DaySummary
from bot.jobs.decisions import Decisions
from bot.jobs.desk import Desk
from bot.jobs.engine import Engine
from bot.jobs.keeper import DAY_S, Keeper, Keeping
from bot.jobs.proposals import Proposals
from bot.jobs.reasons import Reasons
from bot.jobs.schedules import Runner
from bot.jobs.slots import Slots
from bot.jobs.watch import Watch
from bot.jobs.witness import Witness
from bot.metrics import Metrics
from bot.operations.backup_work import BackupWork
from bot.operations.clean_up_work import CleanUpWork
from bot.operations.discover import operations
from bot.operations.join_work import JoinWork
from bot.operations.move_work import MoveWork
from bot.operations.restore_work import RestoreWork
from bot.operations.schedule import ScheduleWork
from bot.operations.sr_work import SrWork
from bot.operations.verify_work import VerifyWork
from bot.operations.xapi_words import explain
from bot.slack import REQUEST_PATH, Delivery, Dialogues, Gateway, Homes, Links, People, close_client, open_client
from bot.sources import Sources
from bot.store import Note, Store
from bot.web import Health, Web

log = structlog.get_logger()

# Bolt and TCP both notice a dead link within about 45 s; beyond twice that the bot is deaf and should be replaced.
DEAF_AFTER_S = 90.0
LAG_EVERY_S = 0.05
# A file server that hangs must not keep the bot from starting: the catalogue is then as it was.
STOCK_S = 20.0


def xapi_words(error: tuple[str, ...]) -> Phrase:
    """A failure of XAPI in our words."""
    return explain(error[0], error[1:])


class App:
    """The bot, from start to stop."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = Metrics([state.value for state in JobState])
        self.store = Store(Path(config.store.path))
        kept = config.backups
        target = Folder(Path(kept.path), mounted=kept.mounted) if kept.path else None
        self.shelf = Shelf(target)
        archive = Archive(target, reserve=kept.reserve_gib << 30, identity=self.store.identity)
        self.pools = Sources(config, archive, self.shelf, self.store)
        self.client = open_client(config.slack, config.secrets.slack_bot_token)
        people = People(self.client, config.roles, config.slack.team, break_glass=config.approval.break_glass)
        known = operations()
        workers = {
            **BackupWork(self.pools.streams, self.pools, archive, self.store).workers(),
            **VerifyWork(self.shelf, self.store).workers(),
            **JoinWork(self.pools.members).workers(),
            **SrWork(self.pools.storing, self.pools.raw_disks).workers(),
            **RestoreWork(
                self.pools.streams, self.pools, self.shelf, self.pools.restoring, self._scheduled_tags
            ).workers(),
            **MoveWork(self.pools.streams, self.pools, self.shelf, self.pools.restoring).workers(),
            **ScheduleWork(self.pools).workers(),
            **CleanUpWork(self.pools, self.pools.restoring, self.pools.storing).workers(),
        }
        places = {"pool": kept.at_once_per_pool, "host": kept.at_once_per_host, "archive": kept.at_once}
        self.engine = Engine(
            self.store,
            self.pools,
            self.pools,
            people,
            known,
            config.approval,
            xapi_words,
            workers=workers,
            slots=Slots(places),
        )
        proposals = Proposals(self.store, people, known, config.approval)
        self.desk = Desk(
            self.store,
            self.pools,
            self.pools,
            people,
            Registry.discover(),
            proposals,
            Decisions(self.store, self.engine, people, proposals, self.pools, config.approval),
            Control(self.store, self.engine, self.pools, config.slack.channels[0]),
            config.approval,
            metrics=self.metrics,
            channels=config.slack.channels,
        )
        counter = Counter(self.desk, config.slack.channels[0])
        self.homes = Homes(self.client, counter)
        self.links = Links(self.client, self.store)
        self.delivery = Delivery(self.client, self.store, on_card=self.links.posted, alerts=config.slack.alerts_channel)
        self.gateway = Gateway(
            settings=config.slack,
            bot_token=config.secrets.slack_bot_token,
            app_token=config.secrets.slack_app_token,
            signing_secret=config.secrets.slack_signing_secret,
            desk=self.desk,
            dialogues=Dialogues(self.client, counter, Reasons(self.store, people, known)),
            homes=self.homes,
            client=self.client,
            observe_ack=self.metrics.observe_ack,
            on_joined=self.delivery.let_in,
        )
        alerts_channel = config.slack.alerts_channel or config.slack.channels[0]
        self.witness = Witness(self.store, alerts_channel)
        self.runner = Runner(self.store, self.engine, self.pools, self.pools, people, config.approval)
        self.summary = DaySummary(
            self.store,
            self.pools,
            alerts_channel,
            kept.time_zone,
            hour=kept.summary_hour,
            alert_days=kept.alert_days,
        )
        self.watch = Watch(self.store, self.pools, self.pools)
        self.alerts = AlertWatch(self.store, self.pools, alerts_channel)
        self.absences = AbsenceWatch(
            self.store, self.pools, alerts_channel, critical=frozenset(config.approval.critical_tags)
        )
        self.keeper = Keeper(
            self.store,
            self.shelf,
            Pruner(target, Policy(kept.rule, kept.zone, kept.trash_days), self.store.identity),
            self.pools,
            Keeping(kept.verify_days * DAY_S, kept.sample_percent / 100, kept.alert_days * DAY_S),
            team=config.slack.team,
            channel=alerts_channel,
        )
        self.door = Door(Path(config.store.path), Console(self.desk, config.slack.team).run)
        taken = self.gateway.request_url
        posts = {REQUEST_PATH: taken.answer} if taken is not None else {}
        self.web = Web(config.web, health=self.health, metrics=self.metrics, posts=posts)
        self._store_well = False

    def health(self) -> Health:
        """How the bot is, from memory."""
        link = self.gateway.status()
        findings = []
        if not link.connected:
            findings.append("Slack is not connected.")
        if not self._store_well:
            findings.append("The store cannot be written.")
        if not self.pools.ready():
            findings.append("No pool has answered yet.")
        findings += [
            f"The channel {channel} does not let the bot in ({code}); what belongs there is kept. Invite it again."
            for channel, code in self.delivery.shut.items()
        ]
        deaf = link.silent_s is not None and link.silent_s > DEAF_AFTER_S
        if deaf:
            findings.append("Slack has been silent for too long.")
        return Health(alive=not deaf, ready=not findings, findings=tuple(findings))

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set. Raises ConfigError or StoreError when it cannot start."""
        # What was loaded by now stays for good. The collector need not look through it again each time it looks through
        # everything, which it does in one go, with nobody acked meanwhile.
        gc.collect()
        gc.freeze()
        try:
            await self.store.open()
            await self.store.note(Note(Tag.STARTED, self.config.slack.team, "xenbot"))
            self._store_well = True
            await self._take_stock()
            await self.door.start()
            await self.web.start()
            await self.pools.start()
            self.metrics.watch_feeds(self._feed_ages)
            self.metrics.watch_slack(lambda: self.gateway.status().connected, lambda: self.gateway.status().inbound_s)
            await self.gateway.start()
            await self.desk.control.tell_of_freeze()
            await self._work(stop)
        finally:
            await self._end()

    async def _scheduled_tags(self) -> frozenset[str]:
        """The tags by which schedules find their guests, paused ones too: they may go on."""
        return frozenset(one.covered.tag for one in await self.store.schedules()) - {""}

    async def _take_stock(self) -> None:
        """Makes the catalogue say what the archive shows, before anybody adds to either; the archive is the truth."""
        if not self.config.backups.path:
            return
        try:
            async with asyncio.timeout(STOCK_S):
                shown = await self.shelf.listing()
        except TimeoutError:
            log.warning("archive_too_slow", after_s=STOCK_S)
        except TargetFailed as reason:
            log.warning("archive_not_read", reason=str(reason))
        else:
            changed, gone = await self.store.rebuild_backups(shown)
            log.info("archive_read", backups=len(shown.backups), unread=len(shown.unread), changed=changed, gone=gone)

    async def _work(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(self.engine.run(), name="engine"),
                group.create_task(self.delivery.run(), name="delivery"),
                group.create_task(self.links.run(), name="links"),
                group.create_task(self._measure(), name="measure"),
                group.create_task(self._measure_lag(), name="measure lag"),
                group.create_task(self.desk.settle_left_behind(), name="old clicks"),
                group.create_task(self.witness.run(), name="witness"),
                group.create_task(self.watch.run(), name="watch"),
                group.create_task(self.alerts.run(), name="alerts"),
                group.create_task(self.absences.run(), name="absences"),
                *([group.create_task(self.keeper.run(), name="keeper")] if self.config.backups.path else []),
                group.create_task(self.homes.run(), name="homes"),
                group.create_task(self.runner.run(), name="schedules"),
                group.create_task(self.summary.run(), name="summary"),
            ]
            await stop.wait()
            log.info("stopping")
            # This stops only our waiting: what a pool is doing goes on, and is found again at the next start.
            for task in running:
                task.cancel()

    async def _measure(self) -> None:
        while True:
            try:
                self.metrics.set_jobs(await self.store.counts())
                self.metrics.set_outbox_depth(await self.store.outbox_depth())
                self._store_well = True
            except StoreError as error:
                log.error("store_failed", reason=str(error))  # noqa: TRY400  a sentence is enough
                self._store_well = False
            await asyncio.sleep(5)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.metrics.observe_lag(max(0.0, loop.time() - due))

    def _feed_ages(self) -> dict[str, float | None]:
        """By pool; an entry whose hosts have joined another pool is none any more."""
        views = self.pools.pools()
        return {view.name: None if view.state is FeedState.LOADING else view.age_s for view in views}

    async def _end(self) -> None:
        await self.gateway.stop()
        with contextlib.suppress(StoreError):
            await self.delivery.flush(timeout_s=3.0)
            await self.store.note(Note(Tag.STOPPED, self.config.slack.team, "xenbot"))
        await close_client(self.client)
        await self.door.stop()
        await self.pools.stop()
        await self.web.stop()
        await self.store.close()


async def run(config: Config) -> int:
    """Runs the bot until SIGTERM or SIGINT; gives the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await App(config).run(stop)
    return 0
