"""A scheduled check of pools: what changed since it looked last is told, and where it could not look that is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from bot.domain.health import Checkup
from bot.domain.inventory import FeedState, PoolView
from bot.domain.message import Mark, Message, Verdict
from bot.domain.schedule import Covered, Schedule
from bot.domain.texts import Code, Phrase, Quote, say
from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.operations.health import leftovers, news, report
from bot.operations.ports import Facts
from bot.store import Outgoing, Store

log = structlog.get_logger()


class Looked(msgspec.Struct, frozen=True):
    """What a run found at pools (UUIDs), what is posted of it, and what is kept to be said of the run."""

    checked: Mapping[str, Checkup]
    story: Sequence[Outgoing]
    said: Sequence[Phrase]


def covered(pools: Sequence[PoolView], about: Covered) -> list[PoolView]:
    """The pools that a schedule checks; one that has not answered yet is known by its name alone."""
    return [
        view
        for view in pools
        if not about.pool or (view.pool.uuid == about.pool if view.pool is not None else view.name == about.name)
    ]


def unknown(pools: Sequence[PoolView], about: Covered) -> bool:
    """Whether one of them is not followed now: facts of another day would look new or gone."""
    return any(view.pool is None or view.state is not FeedState.LIVE for view in covered(pools, about))


async def look(
    one: Schedule, pools: Sequence[PoolView], facts: Facts, store: Store, before: Mapping[str, Checkup]
) -> Looked:
    """Checks the pools of a schedule. `before` is what it found there last, by UUID."""
    checked: dict[str, Checkup] = {}
    posts: list[Message] = []
    said: list[Phrase] = []
    views = covered(pools, one.covered)
    if not views:
        posts.append(news.not_looked(one.covered.name, one.number, view=None))
    for view in views:
        why: Phrase | None = None
        if view.pool is not None and view.state is FeedState.LIVE:
            try:
                health = await facts.health(view.pool.uuid)
            except (Unreachable, CannotTell, XapiFailure) as reason:
                why = say("It could not be asked: {why}", why=Quote(str(reason)))
            else:
                found = report.rows(health, await leftovers.look(health, store))
                changes = news.told(health, found, before.get(view.pool.uuid), one.number)
                checked[view.pool.uuid] = Checkup(store.clock(), news.findings(found))
                posts += [changes] if changes is not None else []
                continue
        posts.append(news.not_looked(view.name, one.number, view=view, why=why))
        said.append(say("{pool} was not checked", pool=view.name))
        log.info("pool_not_checked", pool=view.name, schedule=one.number)
    return Looked(checked, [Outgoing("post", post, channel=one.channel) for post in posts], said)


def about_owner(one: Schedule, lines: Sequence[Phrase]) -> list[Outgoing]:
    """What is wrong with who made a schedule, told where it tells what it finds."""
    heads = [say("Schedule {n}: {line}", n=Code(str(one.number)), line=line) for line in lines]
    return [
        Outgoing("post", Message(head, (Verdict(head, mark=Mark.ATTENTION),)), channel=one.channel) for head in heads
    ]
