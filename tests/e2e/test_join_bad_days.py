"""The bad days of a join, through Slack's door: each is told as it is, with what to do, and nothing is tried twice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mortal_life import MORTAL, NEVER, Life
from story_lab import StoryLab, opened, story_lab, strings
from test_join import approved

JOIN = "Async.pool.join"
#: Where the job stands when the bot dies, as its store names the step, whatever else is stored beside it.
INTENT = "RUNNING INTENT 0 #0: *steps"
SENT = "RUNNING SENT 1 #0: *steps"
ENDED = "SUCCEEDED DONE 1 #0: *jobs*steps"


async def answers(lab: StoryLab, command: str, *words: str) -> str:
    """What the admin is told in private."""
    await lab.xen(command, who="admin")
    return strings(await lab.sees(*words, who="admin", private=True))


async def test_what_cannot_be_asked_for_is_refused_with_the_way_to_ask_for_it(lab: StoryLab) -> None:
    await answers(lab, "pool-join xenserver4 to experimentt", "no pool called “experimentt”", "Nearest: experiment")
    await answers(
        lab, "pool-join xenserver3 to experiment", "xenserver3 is a member of experiment", "Nothing has to be"
    )
    told = await answers(lab, "pool-join xenserver99 to experiment", "no host called “xenserver99”", "[[pools]]")
    assert 'name = "xenserver99"' in told
    assert "XENBOT_POOL_XENSERVER99_PASSWORD" in told
    await lab.xen("pool-join xenserver4 to experiment", who="operator")
    await lab.sees("pool-join", "needs the admin role", private=True)
    # A host that has gone: its facts are not those of an hour ago.
    await lab.lab("datacentre", do="kill_host", host="xenserver-fp1")
    await answers(lab, "pool-check join xenserver-fp1 to experiment", "pool xenserver-fp1 cannot be asked now")
    # A host whose password is another one: what the configuration holds does not let the bot in.
    wrong = {
        "method": "session.login_with_password",
        "action": "fail",
        "error": ["SESSION_AUTHENTICATION_FAILED", "root", "Authentication failure"],
        "host": "xenserver2",
        "times": "forever",
    }
    await lab.lab("datacentre", do="arm", fault=wrong)
    await lab.lab("bot", do="kill")
    await lab.lab("bot", do="start")

    async def tried() -> bool:
        await lab.xen("pool-check join xenserver2 to experiment", who="admin")
        return any("refused the login of root" in strings(one) for one in await lab.screen("admin"))

    await lab.until(tried, "why nobody gets in")
    told = await answers(lab, "pool-join xenserver2 to experiment", "is in the configuration", "refused the login")
    assert "XENBOT_POOL_XENSERVER2_PASSWORD" in told
    assert (await lab.state())["faults"], "the password was asked for nowhere but there"


async def test_half_a_join_is_named_by_every_look_until_somebody_has_removed_it_and_the_next_one_succeeds(
    lab: StoryLab,
) -> None:
    fault = {"method": JOIN, "when": "during", "action": "fail", "error": ["REPOSITORY_CLEANUP_FAILED"]}
    await lab.lab("datacentre", do="arm", fault=fault)
    await approved(lab)
    card = strings(await lab.sees("joined experiment only half-way", "host-forget", who="admin", private=False))
    assert "is a pool of its own still" in card
    uuid = card.partition("xe host-forget uuid=")[2].split()[0]
    assert uuid in {host["uuid"] for host in (await lab.state())["hosts"]}
    # Nothing hangs on it, whatever is asked.
    assert "joined only half-way" in await answers(lab, "pool-check experiment", "1 thing needs you", uuid)
    await answers(lab, "status experiment", "xenserver4", "joined only half-way")
    await answers(lab, "pool-join xenserver4 to experiment", "cannot join", "An earlier join", uuid)
    await asyncio.to_thread(forget, lab, uuid)

    async def fits() -> bool:
        await lab.xen("pool-check join xenserver4 to experiment", who="viewer")
        return any("xenserver4 can join experiment" in strings(one) for one in await lab.screen("viewer"))

    await lab.until(fits, "a pool without the record")
    await approved(lab)
    await lab.sees("xenserver4 is a member of experiment", "Every shared storage", who="admin", private=False)


def forget(lab: StoryLab, uuid: str) -> None:
    with opened(lab) as api:
        api.host.destroy(api.host.get_by_uuid(uuid))


class Joiner(Life):
    """A lab whose bot dies on order while a host joins."""

    async def reborn(self) -> None:
        async def dead() -> bool:
            return not await self.alive()

        await self.lab.until(dead, "a death")
        self.order(NEVER)
        await self.lab.lab("bot", do="start")

    async def strike(self) -> None:
        """Kills the bot where it stands, and starts it again."""
        await self.lab.lab("bot", do="kill")
        await self.lab.lab("bot", do="start")

    def state(self) -> str:
        return str(self.rows("SELECT state FROM jobs ORDER BY number DESC LIMIT 1")[0][0])

    async def joins(self) -> list[str]:
        return [one["outcome"] for one in await self.lab.changes() if one["method"] == JOIN]

    async def tasks(self) -> list[str]:
        return [one["name"] for one in (await self.lab.state())["tasks"]]


@pytest.mark.timeout(240)
async def test_a_bot_that_is_killed_four_times_in_one_join_still_joins_the_host_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(MORTAL))
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(story_lab(tmp_path, "--speed", "8"))
        life = Joiner(lab)
        # A bot that is started so often reads the people anew more often than Slack lets one app.
        await lab.lab("slack", do="ratelimits", on=False)
        await lab.lab("datacentre", do="stop_clock")
        # Nothing was sent when it dies for the first time: it begins again.
        life.order(("after", INTENT))
        await approved(lab)
        await life.reborn()

        async def pending() -> bool:
            return JOIN in await life.tasks()

        await lab.until(pending, "a join that has begun")
        await lab.lab("datacentre", do="advance", seconds=2)
        await life.strike()
        await lab.sees("xenserver4 is joining", who="admin", private=False)
        # The toolstack of the host is down, and it is a member already.
        await lab.lab("datacentre", do="advance", seconds=7)
        await life.strike()
        await lab.sees("xenserver4", "restarts its toolstack", who="admin", private=False)
        # The last death is at the very end, when all is done and not written down yet.
        life.order(("before", ENDED))
        await lab.lab("datacentre", do="run_clock")
        await life.reborn()
        card = await lab.sees(
            "xenserver4 is a member of experiment", "Every shared storage", who="admin", private=False
        )
        assert "job 1" in strings(card)
        assert await life.joins() == ["done"]
        assert life.state() == "SUCCEEDED"
        assert life.rows("SELECT key FROM locks") == []


@pytest.mark.timeout(240)
async def test_a_bot_that_dies_where_nobody_knows_whether_the_host_was_told_does_not_tell_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(MORTAL))
    async with story_lab(tmp_path, "--speed", "8") as lab:
        life = Joiner(lab)
        # A bot that is started so often reads the people anew more often than Slack lets one app.
        await lab.lab("slack", do="ratelimits", on=False)
        life.order(("after", SENT))
        await approved(lab)
        await life.reborn()
        await lab.sees("xenserver4 answers as a pool of its own", "looking", who="admin", private=False)
        assert await life.joins() == []
        assert life.state() == "RUNNING"


async def test_a_lost_answer_another_coordinator_and_storage_that_does_not_attach_in_one_join(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="arm", fault={"method": JOIN, "when": "after", "action": "drop"})
    await lab.lab("datacentre", do="stop_clock")
    await approved(lab)

    async def pending() -> bool:
        return any(task["name"] == JOIN for task in (await lab.state())["tasks"])

    await lab.until(pending, "a join whose answer was lost")
    await lab.lab("datacentre", do="advance", seconds=2)
    await lab.lab("datacentre", do="move_coordinator", host="xenserver3", pool="experiment")
    # The toolstacks come back, the join ends, and the host is a member whose toolstack is down.
    await lab.lab("datacentre", do="advance", seconds=7)

    async def member() -> bool:
        state = await lab.state()
        pool = next(one["uuid"] for one in state["pools"] if one["name"] == "experiment")
        return any((one["name"], one["pool"]) == ("xenserver4", pool) and one["address"] for one in state["hosts"])

    await lab.until(member, "a member")
    # The file server does not know the new member.
    known = ["xenserver1", "xenserver3"]
    await lab.lab("datacentre", do="nfs", server="nfsserver", clients=known)
    await lab.lab("datacentre", do="run_clock")
    card = await lab.sees("xenserver4 is a member; waiting for nfs-vhd", who="admin", private=False)
    assert "Cancel" not in strings(card), "what nobody can stop has no button for it"
    await answers(lab, "cancel 1", "cannot be stopped half-way")
    known.append("xenserver4")
    await lab.lab("datacentre", do="nfs", server="nfsserver", clients=known)
    await lab.lab("datacentre", do="plug_pbd", sr="nfs-vhd", host="xenserver4")
    await lab.sees("xenserver4 is a member of experiment", "Every shared storage", who="admin", private=False)
