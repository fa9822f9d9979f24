"""How long it takes to judge every host of a 64-host pool for one guest, and how long the event loop is held meanwhile.

The peer is the official client asking XAPI host by host, as wizards of other tools do: it learns the first reason only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import XenAPI
from measuring import LARGE, StoryLab, quantile, spread, story_lab, table

from bot.domain.inventory import PowerState, Vm
from bot.domain.policy import ApprovalSettings
from bot.operations import choosing, migrate, why
from bot.xen import HostSettings, Pools, PoolSettings

pytestmark = pytest.mark.bench
ROUNDS = 8
TICK_S = 0.002


def _first_reasons(lab: StoryLab, vm: str, hosts: list[str]) -> float:
    """Milliseconds the official client needs to ask `VM.assert_can_boot_here` for every host, one after the other."""
    session = XenAPI.Session(lab.info["hosts"]["host001"]["https"], ignore_ssl=True)
    session.xenapi.login_with_password(lab.info["user"], lab.info["password"], "1.0", "bench")
    try:
        began = time.perf_counter()
        ref = session.xenapi.VM.get_by_uuid(vm)
        for host in hosts:
            try:
                session.xenapi.VM.assert_can_boot_here(ref, session.xenapi.host.get_by_uuid(host))
            except XenAPI.Failure:
                continue
        return (time.perf_counter() - began) * 1000
    finally:
        session.xenapi.session.logout()
        session("close")()


async def _timed(work: Callable[[], Awaitable[object]], lags: list[float]) -> float:
    """Milliseconds until it is done; how late the loop was meanwhile goes to `lags`."""
    done = asyncio.Event()

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while not done.is_set():
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            lags.append((loop.time() - due) * 1000)

    ticking = asyncio.create_task(tick())
    began = time.perf_counter()
    await work()
    took = (time.perf_counter() - began) * 1000
    done.set()
    await ticking
    return took


def _running(pools: Pools) -> Vm:
    vms = (vm for view in pools.pools() for vm in view.vms)
    return next(vm for vm in vms if vm.power_state is PowerState.RUNNING and vm.host is not None)


def _settings(lab: StoryLab) -> PoolSettings:
    found = lab.info["hosts"]["host001"]
    url = urlsplit(found["https"])
    return PoolSettings("large", (HostSettings(url.hostname or "", url.port or 443),), insecure=True)


@pytest.mark.timeout(600)
async def test_plan_of_a_64_host_pool(tmp_path: Path) -> None:
    approval = ApprovalSettings()
    async with story_lab(tmp_path, "--no-bot", "--world", LARGE) as lab:
        pools = Pools((_settings(lab),), passwords={"large": lab.info["password"]})
        await pools.start()
        try:
            async with asyncio.timeout(120):
                while not pools.ready():
                    await pools.changed()
            vm = _running(pools)
            hosts = [host.uuid for host in pools.pools()[0].hosts if host.uuid != vm.host]
            lags: list[float] = []
            every = [await _timed(lambda: choosing.candidates(vm.uuid, pools, approval), lags) for _ in range(ROUNDS)]
            one = [await _timed(lambda: migrate.plan(vm.uuid, hosts[0], pools, approval), []) for _ in range(ROUNDS)]
            found = await choosing.candidates(vm.uuid, pools, approval)
            why.explained(vm, found)
            peer = [await asyncio.to_thread(_first_reasons, lab, vm.uuid, hosts) for _ in range(ROUNDS)]
        finally:
            await pools.stop()
    checks = sum(len(candidate.plan.checks) for candidate in found)
    rows = [
        spread(f"xenbot, {len(found)} hosts, {checks} checks", every),
        spread("xenbot, one named host", one),
        spread(f"official client, {len(hosts)} hosts, first reason each", peer),
    ]
    table(f"Plan for one guest, {LARGE}", ["ms", "rounds", "median", "p99", "max"], rows)
    ratio = [
        first / second if isinstance(first, float) else ""
        for first, second in zip(rows[0][2:], rows[2][2:], strict=True)
    ]
    table("xenbot : official client", ["", "median", "p99", "max"], [["ratio, every host", *ratio]])
    table(
        "Event loop late meanwhile",
        ["ms", "median", "p99", "max"],
        [["", quantile(lags, 0.5), quantile(lags, 0.99), max(lags)]],
    )
    assert len(found) == len(hosts)
