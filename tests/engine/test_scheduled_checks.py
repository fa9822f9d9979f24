"""Scheduled checks of pools: the changes alone are told, once, also over downtime, and not to look is never green."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import msgspec
from engine_bench import ADMIN, APPROVER, Bench, World

from bot.domain.audit import Tag
from bot.domain.health import HealthFacts
from bot.domain.inventory import FeedState, Pool, PoolView
from bot.domain.plain_text import text_of
from bot.domain.record import Freeze
from bot.domain.recurrence import next_after, read
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.domain.texts import plain
from bot.errors import Unreachable
from bot.jobs.schedules import PATIENCE_S, Runner
from bot.store import Note

RULE = read("daily 08:00", "UTC")
DAY = 86_400.0
POOL = Pool("p1", "experiment", "experiment", "h1", ha_enabled=False, upgrading=False, default_sr=None)
WITHOUT_DEFAULT = "the pool has none"


@dataclasses.dataclass
class Scene:
    """A bench, and a pool that can be broken: it has no default storage, and disks that its dom0 holds."""

    bench: Bench
    held: Mapping[str, str] = dataclasses.field(default_factory=dict)
    feed: FeedState = FeedState.LIVE
    known: Pool | None = POOL
    silent: bool = False
    looked: int = 0

    def pools(self) -> tuple[PoolView, ...]:
        return (PoolView("experiment", self.feed, 700.0, "it does not answer", self.known, (), (), ()),)

    async def health(self, _pool: str) -> HealthFacts:
        self.looked += 1
        if self.silent:
            raise Unreachable("nobody answers")
        empty = msgspec.convert({}, dict[str, tuple[str, ...]])
        return HealthFacts(POOL, (), (), (), (), (), (), (), (), dict(self.held), empty, (), (), self.bench.now, 0.0)

    def runner(self) -> Runner:
        bench = self.bench
        return Runner(bench.store, bench.engine, self, self, bench.world, bench.approval)  # type: ignore[arg-type]  # what a check asks of them

    async def made(self, owner: str = ADMIN, pool: str = "p1") -> Schedule:
        """A check that is due."""
        number = await self.bench.propose()
        await self.bench.press(number, "withdraw")
        due = next_after(RULE, self.bench.now - DAY)
        covered = Covered(pool=pool, name="experiment", check=True)
        one = Schedule(0, f"m{pool}", covered, RULE, "", owner, "T", "C7", number, self.bench.now, due)
        return await self.bench.store.add_schedule(one, Note(Tag.SCHEDULE_MADE, "T", owner))

    async def told(self) -> list[str]:
        """What was posted since this was asked last."""
        posts = [one for one in await self.bench.store.due(100) if one.kind == "post"]
        assert all(post.channel == "C7" for post in posts)
        for post in posts:
            await self.bench.store.delivered(post.id, "1.0")
        return [text_of(post.message) for post in posts]

    async def next_day(self) -> list[str]:
        self.bench.now = (await self.bench.store.schedule(1)).next_run
        await self.runner().look()
        return await self.told()


async def test_the_first_look_tells_everything_and_later_ones_only_what_changed(bench: Bench) -> None:
    scene = Scene(bench)
    await scene.made()
    await scene.runner().look()
    await scene.runner().look()
    (first,) = await scene.told()
    assert "first look" in first
    assert WITHOUT_DEFAULT in first
    assert await scene.next_day() == [], "it is not fine, and nothing changed"
    scene.held = {"v1": "root"}
    (news,) = await scene.next_day()
    assert "1 new" in news
    assert "new: root is attached to a control domain" in news
    assert WITHOUT_DEFAULT not in news
    scene.held = {}
    (gone,) = await scene.next_day()
    assert "1 gone" in gone
    assert "No longer so: root is attached to a control domain" in gone
    assert scene.looked == 4, "once a day, though it was looked for more often"
    runs = [entry for entry in await bench.store.audit(limit=50) if entry.tag == Tag.SCHEDULE_RUN]
    assert len(runs) == 4


async def test_what_was_told_is_remembered_over_a_death_and_missed_days_are_one_look(bench: Bench) -> None:
    scene = Scene(bench)
    await scene.made()
    await scene.runner().look()
    assert len(await scene.told()) == 1
    await bench.crash()
    bench.now += 4 * DAY
    await bench.open()
    await scene.runner().look()
    assert await scene.told() == []
    assert scene.looked == 2
    one = await bench.store.schedule(1)
    assert [plain(line) for line in one.last_said] == ["3 runs were missed and are made up for by this one"]
    assert one.next_run > bench.now


async def test_a_pool_that_cannot_be_looked_at_is_told_each_time_and_nothing_is_called_gone(bench: Bench) -> None:
    scene = Scene(bench, held={"v1": "root"})
    await scene.made()
    await scene.runner().look()
    await scene.told()
    scene.feed, scene.held = FeedState.LOST, {}
    bench.now = (await bench.store.schedule(1)).next_run + DAY
    runner = scene.runner()
    await runner.look()
    assert await scene.told() == [], "right after a start a pool may need a moment, however late it is"
    bench.now += PATIENCE_S
    await runner.look()
    (lost,) = await scene.told()
    assert "experiment was not checked" in lost
    assert "Contact with experiment is lost: it does not answer" in lost
    said = [plain(line) for line in (await bench.store.schedule(1)).last_said]
    assert said == ["A run was missed and is made up for by this one", "experiment was not checked"]
    scene.feed, scene.silent = FeedState.LIVE, True
    (silent,) = await scene.next_day()
    assert "It could not be asked: nobody answers" in silent
    scene.silent = False
    (back,) = await scene.next_day()
    assert "1 gone" in back


async def test_a_freeze_holds_no_look_up_and_a_paused_check_looks_no_more(bench: Bench) -> None:
    scene = Scene(bench)
    await scene.made()
    await bench.store.set_freeze(Freeze(ADMIN, bench.now, "storage"), Note(Tag.FREEZE, "T", ADMIN))
    await scene.runner().look()
    assert len(await scene.told()) == 1
    await bench.store.set_schedule(1, ScheduleState.PAUSED, Note(Tag.SCHEDULE_PAUSED, "T", ADMIN), next_run=bench.now)
    scene.held = {"v1": "root"}
    await scene.runner().look()
    assert await scene.told() == []


async def test_a_pool_that_is_configured_no_more_and_an_owner_who_left_are_told(bench: Bench, world: World) -> None:
    scene = Scene(bench)
    await scene.made(owner=APPROVER, pool="p9")
    del world.roles[APPROVER]
    await scene.runner().look()
    owner, gone = await scene.told()
    assert "can no longer be asked" in owner
    assert "No pool of that name is configured now: /xen schedule remove 1." in gone
