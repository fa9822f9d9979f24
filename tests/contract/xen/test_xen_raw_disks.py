"""One disk as it is, through one very host of the lab."""

from __future__ import annotations

import asyncio

import pytest
from stream_front import holds
from xen_lab import EXPERIMENT, arm, following, loaded, open_sessions, pool_settings

from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.lab.xapi import Datacentre
from bot.xen import Pools
from bot.xen.session import THREADS

SIZE = 8 << 20
DATA = bytes(range(256)) * (SIZE // 256)


def pool_of(pools: Pools) -> str:
    found = pools.pool("experiment").pool
    assert found is not None
    return found.uuid


async def disk(pools: Pools, sr: str) -> str:
    storage = pools.sr(sr)
    return await pools.storing.make_disk(pool_of(pools), storage.uuid, "nobody", "raw", SIZE)


@pytest.mark.usefixtures("no_stream_is_left")
async def test_a_disk_is_written_through_one_host_and_read_through_each(lab: Datacentre, pools: Pools) -> None:
    vdi, pool = await disk(pools, "nfs-vhd"), pool_of(pools)
    assert await pools.raw_disks.write(pool, pools.host("xenserver3").uuid, vdi, DATA)
    for host in EXPERIMENT:
        assert await pools.raw_disks.read(pool, pools.host(host).uuid, vdi, SIZE) == DATA
    await pools.storing.remove_disks(pool, pools.sr("nfs-vhd").uuid, "raw")
    with pytest.raises(XapiFailure):
        await pools.raw_disks.read(pool, pools.host("xenserver1").uuid, vdi, SIZE)


async def test_a_host_that_does_not_see_the_storage_says_so_and_is_not_followed(pools: Pools) -> None:
    pool = pool_of(pools)
    local = next(sr for view in pools.pools() for sr in view.srs if sr.hosts == {pools.host("xenserver1").uuid})
    vdi = await pools.storing.make_disk(pool, local.uuid, "nobody", "raw", SIZE)
    elsewhere = pools.host("xenserver3").uuid
    assert await pools.raw_disks.write(pool, elsewhere, vdi, DATA) is False
    assert await pools.raw_disks.read(pool, elsewhere, vdi, SIZE) is None
    back = await pools.raw_disks.read(pool, pools.host("xenserver1").uuid, vdi, SIZE)
    assert back == bytes(SIZE), "nothing was written anywhere"


async def test_a_disk_that_is_longer_than_said_is_not_taken_for_what_was_written(pools: Pools) -> None:
    vdi, pool, host = await disk(pools, "nfs-vhd"), pool_of(pools), pools.host("xenserver1").uuid
    assert await pools.raw_disks.write(pool, host, vdi, DATA)
    back = await pools.raw_disks.read(pool, host, vdi, SIZE // 2)
    assert back is not None
    assert len(back) == SIZE // 2 + 1


async def test_a_host_that_is_not_listed_is_given_no_session(lab: Datacentre) -> None:
    async with following(pool_settings(lab, "xenserver1", name="experiment")) as pools:
        await loaded(pools)
        vdi, pool = await disk(pools, "nfs-vhd"), pool_of(pools)
        with pytest.raises(CannotTell, match="not listed"):
            await pools.raw_disks.read(pool, pools.host("xenserver3").uuid, vdi, SIZE)


async def test_a_host_that_is_gone_is_told_and_no_session_stays(lab: Datacentre) -> None:
    await lab.do({"do": "kill_host", "host": "xenserver3"})
    async with following(pool_settings(lab, *EXPERIMENT, name="experiment")) as pools:
        await loaded(pools)
        vdi, pool, host = await disk(pools, "nfs-vhd"), pool_of(pools), pools.host("xenserver3").uuid
        for _ in range(3 * THREADS):
            with pytest.raises(Unreachable, match=pools.host("xenserver3").address):
                await pools.raw_disks.write(pool, host, vdi, DATA)
        # One for each thread, one for the feed.
        await holds(lambda: open_sessions(lab) <= THREADS + 1)


async def test_a_login_for_a_disk_that_is_given_up_leaves_no_session(lab: Datacentre, pools: Pools) -> None:
    # No disk is made for it: nothing else logs in meanwhile.
    name, before = await arm(lab, "session.login_with_password", "hold", "after", times=1), open_sessions(lab)
    reading = asyncio.create_task(pools.raw_disks.read(pool_of(pools), pools.host("xenserver1").uuid, "none", SIZE))
    # It is logged in and has not heard so yet.
    await holds(lambda: open_sessions(lab) > before)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await lab.do({"do": "release", "name": name})
    await holds(lambda: open_sessions(lab) <= before)
