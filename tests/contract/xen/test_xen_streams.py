"""Streams between the bot and a whole datacentre: what was exported is verified, and can be imported again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from xen_lab import until

from bot.backups import Intake, Received, Verifier
from bot.domain.backup import Contents
from bot.domain.calls import Call, Ref
from bot.errors import Damaged, StreamCut, XapiFailure, XenbotError
from bot.lab.xapi import Datacentre
from bot.operations.ports import TaskStatus, TaskView
from bot.operations.stream_ports import Compression, Ended
from bot.xen import Pools

SOME = 3_000_000


class Guests:
    """Exports and imports of the pool `experiment`, each under a task of its own."""

    def __init__(self, lab: Datacentre, pools: Pools, folder: Path) -> None:
        self.lab = lab
        self.pools = pools
        self.archive = folder / "guest.xva"
        self.uuid = pools.pool("experiment").pool.uuid  # type: ignore[union-attr]  # loaded
        self.task: TaskView | None = None

    async def stop(self, name: str) -> None:
        vm = self.pools.vm(name).uuid
        parent = await self.pools.open_task(self.uuid, "stop", "")
        await self.pools.begin(self.uuid, Call("VM.hard_shutdown", (Ref("VM", vm),)), parent=parent, job="1")
        await until(self.pools, lambda: self.pools.vm(name).power_state == "Halted")

    async def export(self, name: str, compress: Compression = Compression.NONE) -> Received[Contents]:
        task = await self.pools.open_task(self.uuid, "export", "")
        try:
            async with Intake(self.archive, Verifier()) as intake:
                await self.pools.streams.export(
                    self.uuid,
                    self.pools.vm(name).uuid,
                    intake,
                    task=task,
                    compress=compress,
                    progress=lambda _: None,
                )
                return await intake.close()
        finally:
            self.task = await self.finished(task)

    async def send(self, sr: str = "nfs-vhd") -> Ended:
        task = await self.pools.open_task(self.uuid, "import", "")
        try:
            uuid = self.pools.sr(sr).uuid
            return await self.pools.streams.send(self.uuid, uuid, self.archive, task=task, progress=lambda _: None)
        finally:
            self.task = await self.finished(task)

    async def finished(self, task: str) -> TaskView | None:
        """The task at its end, or as it stands when nothing happens to it: one that no handler took has none."""
        seen = await self.pools.task(self.uuid, task)
        while seen is not None and seen.status is TaskStatus.PENDING:
            now = await self.pools.wait(self.uuid, task, seen=seen, at_most_s=1.0)
            if now == seen:
                break
            seen = now
        return seen


@pytest.fixture
def guests(lab: Datacentre, pools: Pools, tmp_path: Path) -> Guests:
    return Guests(lab, pools, tmp_path)


async def fault(guests: Guests, action: str, stream: str = "GET /export", **more: Any) -> None:
    await guests.lab.do({"do": "arm_stream", "fault": {"stream": stream, "action": action, **more}})


@pytest.mark.parametrize("compress", list(Compression))
async def test_a_guest_goes_out_whole_and_its_task_says_so(guests: Guests, compress: Compression) -> None:
    await guests.stop("centos54")
    received = await guests.export("centos54", compress)
    contents = received.contents
    assert contents.guest.name == "centos54"
    assert contents.compression == ("none" if compress is Compression.NONE else compress.value)
    assert [disk.size for disk in contents.disks] == [8 << 30]
    assert received.size == guests.archive.stat().st_size
    assert guests.task is not None
    assert guests.task.status is TaskStatus.SUCCESS


async def test_what_went_out_comes_in_again_as_another_guest(guests: Guests) -> None:
    await guests.stop("centos54")
    await guests.export("centos54")
    before = {vm.uuid for vm in guests.pools.pools()[0].vms}
    ended = await guests.send()
    assert ended.whole
    assert guests.task is not None
    assert guests.task.status is TaskStatus.SUCCESS
    await until(guests.pools, lambda: len(guests.pools.pools()[0].vms) == len(before) + 1)
    (new,) = (vm for vm in guests.pools.pools()[0].vms if vm.uuid not in before)
    assert new.name == "centos54"
    assert [disk.size for disk in new.disks if not disk.cd] == [8 << 30]


async def test_a_guest_that_runs_is_refused_in_xapis_words(guests: Guests) -> None:
    with pytest.raises(XapiFailure) as caught:
        await guests.export("centos54")
    assert caught.value.code == "VM_BAD_POWER_STATE"
    assert caught.value.params[0] == "centos54", "its name in the place of its reference"


async def test_an_error_told_inside_the_stream_is_the_one_that_is_raised(guests: Guests) -> None:
    await guests.stop("centos54")
    await fault(guests, "fail", after=SOME, error=["VDI_IO_ERROR", "Device I/O errors"])
    with pytest.raises(XapiFailure) as caught:
        await guests.export("centos54")
    assert (caught.value.code, caught.value.params) == ("VDI_IO_ERROR", ("Device I/O errors",))
    assert guests.task is not None
    assert guests.task.status is TaskStatus.FAILURE


@pytest.mark.parametrize("compress", list(Compression))
@pytest.mark.parametrize("action", ["cut", "fail", "wrong_companion", "one_zero_block", "end_early", "garbage"])
async def test_nothing_that_goes_wrong_in_a_stream_is_taken_for_an_archive(
    guests: Guests, action: str, compress: Compression
) -> None:
    await guests.stop("centos54")
    await fault(guests, action, after=1 if compress is Compression.ZSTD else 20_000)
    with pytest.raises((Damaged, StreamCut, XapiFailure)):
        await guests.export("centos54", compress)
    # And without the fault it is one.
    guests.archive.unlink()
    assert (await guests.export("centos54", compress)).contents.guest.name == "centos54"


async def test_storage_that_runs_full_ends_an_import_in_words(guests: Guests) -> None:
    await guests.stop("centos54")
    await guests.export("centos54")
    await fault(guests, "storage_full", "PUT /import", after=SOME)
    with pytest.raises(XapiFailure, match="VDI_IO_ERROR"):
        await guests.send()
    assert guests.task is not None
    assert guests.task.status is TaskStatus.FAILURE


async def test_a_cancelled_export_is_no_work_for_the_pool_any_more(guests: Guests) -> None:
    await guests.stop("centos54")
    await fault(guests, "silence", after=SOME, seconds=86_400)
    running = asyncio.create_task(guests.export("centos54"))
    await until(guests.pools, lambda: "export" in guests.pools.vm("centos54").operations)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(guests.pools, lambda: not guests.pools.vm("centos54").operations)


async def test_a_redirect_to_where_nobody_is_listed_is_an_error_that_names_it(guests: Guests) -> None:
    await guests.stop("centos54")
    await fault(guests, "redirect", address="127.0.1.250", times="forever")
    with pytest.raises(XenbotError, match=r"127\.0\.1\.250, which is not listed"):
        await guests.export("centos54")


async def test_an_archive_that_is_none_is_refused_by_the_task(guests: Guests) -> None:
    guests.archive.write_bytes(b"<html>saved by a browser</html>" * 100)
    with pytest.raises(XapiFailure, match="IMPORT_ERROR"):
        await guests.send()
