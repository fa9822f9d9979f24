"""Adding and trying storage, by the engine on a real pool: well, badly, in the middle of a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from storage_bench import SECOND, StorageBench, bench, told
from xen_lab import arm, held

from bot.domain.job import JobState
from bot.domain.storing import NfsPlace
from bot.domain.texts import plain
from bot.errors import UserError
from bot.lab.xapi import Datacentre


@pytest.fixture
async def jobs(lab: Datacentre, tmp_path: Path) -> AsyncIterator[StorageBench]:
    async with bench(lab, tmp_path) as made:
        yield made


async def test_storage_is_added_tried_on_every_host_and_made_the_default(jobs: StorageBench) -> None:
    record = await jobs.added(default=True)
    assert record.state is JobState.SUCCEEDED, told(record)
    assert "xenserver1, xenserver3: 8 MiB written, read back and the same, snapshot made" in told(record)
    (made,) = [one for one in jobs.storage() if one["name_label"] == "nfs-second"]
    assert (made["shared"], made["type"], made["content_type"]) == (True, "nfs", "user")
    assert not [disk for disk in made["disks"] if disk["managed"]]
    assert [plug["currently_attached"] for plug in made["plugs"]] == [True, True]
    jobs.nothing_is_left()
    now = await jobs.pools.storage.now(jobs.uuid(), made["uuid"])
    assert now is not None
    assert now.defaults.disks == made["uuid"]
    for server, users in (("NFSserver", {one.uuid for one in jobs.pools.pools()[0].hosts}), ("elsewhere", set())):
        read = await jobs.pools.storage.nfs(jobs.uuid(), NfsPlace(server, "/home/third"))
        assert read.users == users, "who uses that server already"


async def test_storage_is_seen_to_be_the_default_before_the_feed_has_heard_of_it(
    lab: Datacentre, jobs: StorageBench
) -> None:
    plan = await jobs.plan(default=True)
    feed = await arm(lab, "event.from", "hold", times="forever")
    record = await jobs.ended(await jobs.asked(plan))
    await lab.do({"do": "release", "name": feed})
    assert record.state is JobState.SUCCEEDED, told(record)
    assert "It takes new disks" in told(record)


async def test_the_second_of_two_for_one_folder_is_refused(lab: Datacentre, jobs: StorageBench) -> None:
    fault = await arm(lab, "Async.SR.create", "hold", "during")
    first = await jobs.asked(await jobs.plan())
    await held(lab)
    with pytest.raises(UserError, match="nfsserver:/home/second is busy with job 1"):
        await jobs.asked(await jobs.plan(name="another", beside=True))
    await lab.do({"do": "release", "name": fault})
    assert (await jobs.ended(first)).state is JobState.SUCCEEDED


# What goes wrong


SWITCHES = [
    ({"rpcbind": "stopped"}, "rpcbind (port 111) is stopped", "systemctl start rpcbind nfs-server"),
    ({"nfs": "stopped"}, "no NFS service answers on nfsserver (port 2049)", "systemctl start rpcbind nfs-server"),
    ({"export": "missing", "path": "/home/second"}, "nfsserver does not export /home/second", "exports /home/test"),
    ({"address": "unknown"}, "the name nfsserver cannot be resolved there", "DNS"),
    (
        {"clients": ["xenserver1"]},
        "xenserver3 cannot, xenserver1 can: nfsserver exports it, but refuses the mount",
        "It lets in",
    ),
]


@pytest.mark.parametrize(("switch", "words", "fix"), SWITCHES)
async def test_what_is_wrong_with_the_server_is_told_before_anything_is_made(
    lab: Datacentre, jobs: StorageBench, switch: dict[str, object], words: str, fix: str
) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", **switch})
    plan = await jobs.plan()
    (check,) = plan.blocked
    assert words in plain(check.fact)
    assert check.fix is not None
    assert fix in plain(check.fix)
    jobs.nothing_is_left()
    assert jobs.folders() == []


async def test_a_server_that_hangs_is_given_up_before_anything_is_made(lab: Datacentre, jobs: StorageBench) -> None:
    jobs.probe_s = 1.0
    await jobs.crash()
    await jobs.open()
    await lab.do({"do": "nfs", "server": "nfsserver", "gone": True})
    (check,) = (await jobs.plan()).blocked
    assert "no host can: no answer for 1 s" in plain(check.fact)
    assert check.fix is not None
    assert "no firewall drops" in plain(check.fix)
    jobs.nothing_is_left()


async def test_version_4_needs_no_rpcbind(lab: Datacentre, jobs: StorageBench) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", "rpcbind": "stopped"})
    record = await jobs.ended(await jobs.asked(await jobs.plan(NfsPlace("nfsserver", SECOND.path, "4"))))
    assert record.state is JobState.SUCCEEDED, told(record)


async def test_without_a_folder_the_server_is_asked_what_it_exports(lab: Datacentre, jobs: StorageBench) -> None:
    plan = await jobs.plan(NfsPlace("nfsserver", ""))
    assert {"Plan: /home/test", "Plan: /home/second"} <= {way.label for way in plan.ways}
    await lab.do({"do": "nfs", "server": "nfsserver", "rpcbind": "stopped"})
    (check,) = (await jobs.plan(NfsPlace("nfsserver", ""))).blocked
    assert "does not say what it exports: as a rule its rpcbind (port 111) is stopped" in plain(check.fact)


async def test_a_newer_host_says_so_with_another_code(lab: Datacentre, tmp_path: Path) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", "rpcbind": "stopped"})
    async with bench(lab, tmp_path, "xenserver-fp1") as jobs:
        (check,) = (await jobs.plan(pool="xenserver-fp1")).blocked
    assert "nfsserver offers no NFS 3: as a rule its rpcbind (port 111) is stopped" in plain(check.fact)
    assert "SR_BACKEND_FAILURE_72" in plain(check.fact)


@pytest.mark.parametrize(
    ("switch", "words", "fix"),
    [
        ({"root_squash": True}, "no folder for new storage could be made on its server", "no_root_squash"),
        ({"read_only": True}, "can be mounted but not written", "read-write and with no_root_squash"),
        ({"full": True, "path": "/home/second"}, "no folder for new storage could be made on its server", "space"),
    ],
)
async def test_what_shows_only_when_something_is_written_fails_the_job_and_leaves_nothing(
    lab: Datacentre, jobs: StorageBench, switch: dict[str, object], words: str, fix: str
) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", **switch})
    record = await jobs.added()
    assert record.state is JobState.FAILED
    assert words in told(record)
    assert fix in told(record)
    jobs.nothing_is_left()
    assert jobs.folders() == []


# Half success, and what is taken back


async def test_a_host_that_cannot_plug_it_in_has_all_of_it_taken_back(lab: Datacentre, jobs: StorageBench) -> None:
    fault = await arm(lab, "Async.SR.create", "hold", "during")
    number = await jobs.asked(await jobs.plan())
    await held(lab)
    await lab.do({"do": "nfs", "server": "nfsserver", "clients": ["xenserver1"]})
    await lab.do({"do": "release", "name": fault})
    record = await jobs.ended(number)
    assert record.state is JobState.FAILED
    assert "it is not attached to xenserver3" in told(record)
    assert "xenserver3: nfsserver:/home/second could not be mounted" in told(record)
    assert "Nothing is left behind: the storage is deleted again" in told(record)
    jobs.nothing_is_left()
    assert jobs.folders() == []


async def test_a_host_that_does_not_see_it_has_all_of_it_taken_back_though_disks_were_made(
    lab: Datacentre, jobs: StorageBench
) -> None:
    fault = await arm(lab, "Async.VDI.create", "hold", "end", times=1)
    number = await jobs.asked(await jobs.plan())
    await held(lab)
    await lab.do({"do": "unplug_pbd", "sr": f"xenbot storage {await nonce(jobs, number)}", "host": "xenserver3"})
    await lab.do({"do": "release", "name": fault})
    record = await jobs.ended(number)
    assert record.state is JobState.FAILED
    assert "nfs-second does not work on xenserver3, on the other host it does" in told(record)
    assert "it sends the disk on to another host" in told(record)
    jobs.nothing_is_left()
    assert jobs.folders() == []


async def nonce(jobs: StorageBench, number: int) -> str:
    return (await jobs.store.job(number)).nonce


async def test_what_somebody_else_has_put_there_meanwhile_is_kept_and_named(
    lab: Datacentre, jobs: StorageBench
) -> None:
    fault = await arm(lab, "Async.VDI.snapshot", "hold", "before", times=1)
    number = await jobs.asked(await jobs.plan())
    await held(lab)
    (made,) = [one for one in jobs.storage() if one["name_label"].startswith("xenbot")]
    await jobs.pools.storing.make_disk(jobs.uuid(), made["uuid"], "nobody", "of somebody else", 1 << 20)
    await jobs.cancel(number)
    await lab.do({"do": "release", "name": fault})
    record = await jobs.ended(number)
    assert "It holds 1 disk by now, so it is not deleted" in told(record)
    assert f"Left behind: storage called {made['name_label']}" in told(record)
    (kept,) = [one for one in jobs.storage() if one["uuid"] == made["uuid"]]
    assert [disk["name_label"] for disk in kept["disks"] if disk["managed"]] == ["of somebody else"]


async def test_what_somebody_else_has_renamed_meanwhile_is_kept_and_named(lab: Datacentre, jobs: StorageBench) -> None:
    fault = await arm(lab, "Async.VDI.snapshot", "hold", "before", times=1)
    number = await jobs.asked(await jobs.plan())
    await held(lab)
    (made,) = [one for one in jobs.storage() if one["name_label"].startswith("xenbot")]
    await jobs.pools.storing.rename(jobs.uuid(), made["uuid"], "of somebody else")
    await jobs.cancel(number)
    await lab.do({"do": "release", "name": fault})
    assert "so somebody else works with it" in told(await jobs.ended(number))
    assert jobs.folders() == [made["uuid"]]


@pytest.mark.parametrize(
    ("method", "when"),
    [
        ("Async.SR.create", "during"),
        ("Async.VDI.create", "end"),
        ("Async.VDI.snapshot", "before"),
        ("SR.set_name_label", "after"),
    ],
)
async def test_a_job_that_is_stopped_leaves_nothing(
    lab: Datacentre, jobs: StorageBench, method: str, when: str
) -> None:
    fault = await arm(lab, method, "hold", when, times=1)
    number = await jobs.asked(await jobs.plan())
    await held(lab)
    await jobs.cancel(number)
    await lab.do({"do": "release", "name": fault})
    record = await jobs.ended(number)
    assert record.state in {JobState.CANCELLED, JobState.FAILED}, told(record)
    jobs.nothing_is_left()
    assert jobs.folders() == []


async def test_a_file_server_that_hangs_while_it_is_made_is_told_and_the_job_can_be_stopped(
    lab: Datacentre, jobs: StorageBench
) -> None:
    fault = await arm(lab, "Async.SR.create", "hold")
    number = await jobs.asked(await jobs.plan())
    await held(lab)
    await lab.do({"do": "nfs", "server": "nfsserver", "gone": True})
    await lab.do({"do": "release", "name": fault})

    async def told_of() -> bool:
        return "nfsserver has not answered for" in await jobs.shown()

    await jobs.until(told_of)
    await jobs.cancel(number)
    assert (await jobs.ended(number)).state is JobState.CANCELLED
    jobs.nothing_is_left()
    assert jobs.folders() == []
