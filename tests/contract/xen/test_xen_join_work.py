"""A join that does not go as it should: what is waited for, for how long, and what is told of it in the end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from xen_lab import EXPERIMENT, arm, executions, following, host_settings, loaded, pool_settings, settled, until

from bot.domain.plan import Grade, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations import pool_join
from bot.operations.base import Look, Seen
from bot.operations.join_work import JoinWork, Patience
from bot.operations.joining.rules import rules
from bot.operations.work import Errand, Reached
from bot.xen import Pools

SOON = Patience(whole=20.0, long=0.2, plugged=0.5, apart=0.5, pause=0.05)


class Joining:
    """A join of `xenserver4` to `experiment` as its worker does it, without the engine around it."""

    def __init__(self, pools: Pools, planned: Plan, patience: Patience) -> None:
        self.pools = pools
        self.plan = planned
        self.worker = JoinWork(pools.members, patience).workers()[pool_join.JOIN]
        self.told: list[Reached] = []
        self.noted = ""

    @property
    def errand(self) -> Errand:
        plan = self.plan
        end = (plan.names, "U1", "", self.told.append, lambda: None, self.noted, self._note)
        return Errand(1, "", plan.pool, plan.steps[0], "", *end)

    async def _note(self, text: str) -> None:
        self.noted = text

    async def run(self) -> None:
        async with asyncio.timeout(30):
            await self.worker.run(self.errand)

    async def follow(self) -> None:
        assert self.worker.follow is not None
        async with asyncio.timeout(30):
            await self.worker.follow(self.errand)

    async def look(self) -> Look:
        return await pool_join.OPERATION.look(self.plan, self.plan.steps[0], self.pools)

    def said(self) -> str:
        return " | ".join(plain(one.stalled or one.phase) for one in self.told)


@asynccontextmanager
async def both(lab: Datacentre, patience: Patience = SOON) -> AsyncIterator[Joining]:
    """The pool and the host that fits it, and the plan of its join."""
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings, probe_every_s=0.2) as pools:
        await loaded(pools)
        target = pools.pool("experiment")
        assert target.pool is not None
        facts = await pools.joining(pools.host("xenserver4").uuid, target.pool.uuid)
        yield Joining(pools, pool_join.decide(facts, ApprovalSettings()), patience)


def told(look: Look) -> str:
    return " | ".join(map(plain, (look.headline, *look.evidence)))


def members(lab: Datacentre) -> list[str]:
    """The hosts of the pool by the truth, a half-joined one left out."""
    state = lab.state()
    pool = next(one for one in state["pools"] if one["name"] == "experiment")
    return [one["name"] for one in state["hosts"] if one["pool"] == pool["uuid"] and one["address"]]


async def soon(condition: Callable[[], object]) -> None:
    """Waits for what rings no bell."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  nothing rings for it
            await asyncio.sleep(0.02)


async def has_joined(lab: Datacentre) -> None:
    await settled(lab, lambda _: "xenserver4" in members(lab))


async def test_a_join_that_breaks_off_names_the_record_it_left_and_keeps_a_second_one_away(lab: Datacentre) -> None:
    await arm(lab, "Async.pool.join", "fail", "during", error=["REPOSITORY_CLEANUP_FAILED"])
    async with both(lab) as joining:
        host, pools = joining.plan.targets[0], joining.pools
        door = await arm(lab, "event.from", "hold", host="xenserver1", times="forever")
        await soon(lambda: any(one["name"] == door and one["holding"] for one in lab.state()["faults"]))
        with pytest.raises(XapiFailure, match="REPOSITORY_CLEANUP_FAILED"):
            await joining.run()
        # The feed still shows a pool without it: nobody is told that it is none of its members.
        with pytest.raises(CannotTell, match="a record of the host that was not read yet"):
            await joining.look()
        await lab.do({"do": "release", "name": door})
        await until(pools, lambda: any(not one.address for one in pools.pool("experiment").hosts))
        look = await joining.look()
        assert look.seen is Seen.HARMED
        assert "joined experiment only half-way" in told(look)
        assert "is a pool of its own still" in told(look)
        assert f"xe host-forget uuid={host.uuid}" in told(look)
        # The host is found by its name, as the one that works, and XAPI is not asked to try it again.
        assert pools.host("xenserver4").uuid == host.uuid
        facts = await pools.joining(host.uuid, joining.plan.pool)
        (broken,) = [one for one in rules(facts) if one.grade is Grade.BLOCKED]
        assert broken.key == "left-over"
        assert f"xe host-forget uuid={host.uuid}" in plain(broken.check(facts).fix or "")
        # Nor is it a place for a guest.
        placed = await pools.placements(pools.vm("centos54").uuid)
        assert {one.target.name for one in placed} == {"xenserver3"}
        leaving = await pools.leaving(pools.host("xenserver1").uuid)
        assert {one.name for one in leaving.others} == {"xenserver3"}
        record = await pools._live(joining.plan.pool).resolve("host", host.uuid)
        await pools._live(joining.plan.pool).sessions.read("host.destroy", record)
        await until(pools, lambda: all(one.address for one in pools.pool("experiment").hosts))
        await joining.run()
        assert (await joining.look()).seen is Seen.DONE


async def test_for_how_long_a_join_goes_on_is_said_only_once_that_is_more_than_a_moment(lab: Datacentre) -> None:
    forever = msgspec.structs.replace(SOON, whole=1e6, long=1e6, plugged=1e6, apart=1e6)
    async with both(lab) as joining:
        # Each look at this clock is four seconds after the one before.
        clock = itertools.count(0.0, 4.0).__next__
        joining.worker = JoinWork(joining.pools.members, forever, clock).workers()[pool_join.JOIN]
        await joining.run()
        first = [plain(one.phase) for one in joining.told[:3]]
        assert first == ["xenserver4 is joining", "xenserver4 is joining", "xenserver4 is joining, for 12 s"]


async def test_a_lost_answer_of_a_join_that_happened_is_made_up_for_by_looking(lab: Datacentre) -> None:
    await arm(lab, "Async.pool.join", "drop", "after")
    async with both(lab) as joining:
        await joining.run()
        assert (await joining.look()).seen is Seen.DONE
        assert executions(lab, "Async.pool.join") <= 1


async def test_a_join_that_never_arrived_is_given_up_when_the_host_stays_apart_and_is_not_sent_again(
    lab: Datacentre,
) -> None:
    await arm(lab, "Async.pool.join", "drop", "before")
    async with both(lab) as joining:
        await joining.run()
        look = await joining.look()
        assert look.seen is Seen.NOT_DONE
        assert "answers as a pool of its own" in told(look)
        assert "looking whether that stays so" in joining.said()
        assert executions(lab, "Async.pool.join") == 0


async def test_a_join_that_goes_on_is_not_taken_for_half_a_one_by_a_bot_that_was_started_again(lab: Datacentre) -> None:
    async with both(lab) as joining:
        await lab.do({"do": "stop_clock"})
        begun = asyncio.create_task(joining.run())
        pools = joining.pools
        await settled(lab, lambda state: any(task["name"] == "Async.pool.join" for task in state["tasks"]))
        await lab.do({"do": "advance", "seconds": 2})
        await until(pools, lambda: any(not one.address for one in pools.pool("experiment").hosts))
        await soon(lambda: pools.members.membership(joining.plan.pool, joining.plan.targets[0].uuid).joining)
        begun.cancel()
        assert (await joining.look()).seen is Seen.GOING_ON
        facts = await pools.joining(joining.plan.targets[0].uuid, joining.plan.pool)
        (waits,) = [one for one in rules(facts) if one.grade is Grade.BLOCKED]
        assert plain(waits.fix or "") == "Wait until it has ended."
        joining.noted = ""  # it died before it could write down the task
        following_it = asyncio.create_task(joining.follow())
        await soon(lambda: "works on joining" in joining.said())
        await lab.do({"do": "run_clock"})
        await following_it
        assert (await joining.look()).seen is Seen.DONE


async def test_a_join_that_fails_after_the_bot_was_started_again_still_says_why(lab: Datacentre) -> None:
    await arm(lab, "Async.pool.join", "fail", "during", error=["REPOSITORY_CLEANUP_FAILED"])
    async with both(lab) as joining:
        await lab.do({"do": "stop_clock"})
        begun = asyncio.create_task(joining.run())
        await soon(lambda: joining.noted)
        begun.cancel()
        following_it = asyncio.create_task(joining.follow())
        await lab.do({"do": "run_clock"})
        with pytest.raises(XapiFailure, match="REPOSITORY_CLEANUP_FAILED"):
            await following_it
        await until(joining.pools, lambda: any(one.half_joined for one in joining.pools.pool("experiment").hosts))
        assert (await joining.look()).seen is Seen.HARMED


async def test_a_toolstack_that_never_comes_back_is_not_waited_for_for_ever(lab: Datacentre) -> None:
    async with both(lab, msgspec.structs.replace(SOON, whole=3.0)) as joining:
        await lab.do({"do": "stop_clock"})
        running = asyncio.create_task(joining.run())
        await settled(lab, lambda state: any(task["name"] == "Async.pool.join" for task in state["tasks"]))
        await lab.do({"do": "advance", "seconds": 9})
        await has_joined(lab)
        await running
        look = await joining.look()
        assert look.seen is Seen.HARMED
        assert "is a member of experiment, but not live" in told(look)
        assert "xe-toolstack-restart" in told(look)
        assert "Look at the console of xenserver4" in joining.said()
        # And when somebody has looked after it, it is seen.
        await lab.do({"do": "run_clock"})
        async with asyncio.timeout(60):
            while (await joining.look()).seen is not Seen.DONE:
                await joining.pools.changed()


async def test_storage_that_does_not_attach_to_the_new_member_is_the_headline(lab: Datacentre) -> None:
    async with both(lab) as joining:
        await lab.do({"do": "nfs", "server": "nfsserver", "clients": ["xenserver1", "xenserver3"]})
        await joining.run()
        look = await joining.look()
        assert look.seen is Seen.DONE
        assert "is a member of experiment, but nfs-vhd did not attach there" in told(look)
        # Names may have spaces: what is to be copied has none.
        host, pool = joining.plan.targets
        (sr,) = joining.pools.members.membership(pool.uuid, host.uuid).unplugged
        assert f"/xen plug {sr} on {host.uuid} tries nfs-vhd again" in told(look)
        assert "waiting for nfs-vhd" in joining.said()


async def test_another_coordinator_in_the_middle_of_a_join_changes_nothing(lab: Datacentre) -> None:
    async with both(lab) as joining:
        await lab.do({"do": "stop_clock"})
        running = asyncio.create_task(joining.run())
        await settled(lab, lambda state: any(task["name"] == "Async.pool.join" for task in state["tasks"]))
        await lab.do({"do": "advance", "seconds": 2})
        await lab.do({"do": "move_coordinator", "host": "xenserver3", "pool": "experiment"})
        await lab.do({"do": "run_clock"})
        await running
        assert (await joining.look()).seen is Seen.DONE
        assert sorted(members(lab)) == ["xenserver1", "xenserver3", "xenserver4"]


async def test_a_host_that_is_silent_is_said_so_before_it_is_asked_for_its_facts(lab: Datacentre) -> None:
    async with both(lab) as joining:
        pools, host = joining.pools, joining.plan.targets[0].uuid
        await lab.do({"do": "kill_host", "host": "xenserver4"})
        await until(pools, lambda: pools.host("xenserver4").silent_since is not None)
        with pytest.raises(Unreachable, match=f"{host_settings(lab, 'xenserver4').address} is silent"):
            await pools.joining(host, joining.plan.pool)
