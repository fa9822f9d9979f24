"""What several looks at the pools have shown of hosts and pools that do not answer, or answer again. Pure.

Times called awake are seconds that the bot has watched, so that neither a clock that is set nor a machine that stood
still makes anybody silent. Those told to people are Unix seconds, as the probe has them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from bot.domain.absence import Resident
from bot.domain.inventory import FeedState, PoolView, PowerState, Vm
from bot.operations.overview import answered


class Quiet(msgspec.Struct, frozen=True):
    """Something that does not answer: since when, awake and in Unix seconds, and the guests that ran there then."""

    seen: float
    since: float
    guests: tuple[Resident, ...]


class Heard(msgspec.Struct, frozen=True):
    """Something that answers: since when it was seen to, awake and in Unix seconds; `ready` once it takes guests."""

    seen: float
    at: float
    ready: float | None = None


class Picture(msgspec.Struct, frozen=True):
    """What several looks have shown: hosts by UUID, pools by name in the configuration."""

    awake: float = 0.0
    silent: dict[str, Quiet] = {}
    heard: dict[str, Heard] = {}
    lost: dict[str, Quiet] = {}
    live: dict[str, Heard] = {}


def looked(
    views: Sequence[PoolView], before: Picture, awake: float, now: float, critical: Collection[str] = ()
) -> Picture:
    """The picture after one more look; guests with a `critical` tag are named first."""
    silent: dict[str, Quiet] = {}
    heard: dict[str, Heard] = {}
    lost: dict[str, Quiet] = {}
    live: dict[str, Heard] = {}
    for view in views:
        is_live = view.state is FeedState.LIVE
        if is_live:
            live[view.name] = before.live.get(view.name) or Heard(awake, now)
        else:
            gone = before.lost.get(view.name)
            if gone is None or not gone.guests:
                # It may have answered for a moment, since a bot that was just started looked first.
                there = _residents(view.vms, critical)
                gone = Quiet(awake, now - view.age_s, there) if gone is None or there else gone
            lost[view.name] = gone
        for host in view.hosts:
            if host.silent_since is not None:
                was = before.silent.get(host.uuid)
                if was is None or was.since != host.silent_since:
                    ran = [vm for vm in view.vms if vm.host == host.uuid]
                    was = Quiet(awake, host.silent_since, _residents(ran, critical))
                silent[host.uuid] = was
            elif is_live and answered(host, view) is not None:
                earlier = before.heard.get(host.uuid) or Heard(awake, now)
                ready = awake if earlier.ready is None else earlier.ready
                heard[host.uuid] = Heard(earlier.seen, earlier.at, ready if host.live and host.enabled else None)
    return Picture(awake, silent, heard, lost, live)


def _residents(vms: Sequence[Vm], critical: Collection[str]) -> tuple[Resident, ...]:
    running = [vm for vm in vms if vm.host and vm.power_state in {PowerState.RUNNING, PowerState.PAUSED}]
    running.sort(key=lambda vm: (vm.tags.isdisjoint(critical), not vm.ha_protected, vm.name.casefold(), vm.uuid))
    return tuple(Resident(vm.uuid, vm.name, vm.host, vm.ha_protected) for vm in running if vm.host)
