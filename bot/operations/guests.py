"""Choosing among all guests: the filters of `/xen vms` and the report of `/xen tools`. Pure, from memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from bot.domain.inventory import PoolView, PowerState, Vm
from bot.domain.texts import Phrase, many, say
from bot.domain.words import counted
from bot.operations.drivers import Drivers, drivers
from bot.operations.lookalike import folded

STATES = {
    "running": PowerState.RUNNING,
    "on": PowerState.RUNNING,
    "halted": PowerState.HALTED,
    "off": PowerState.HALTED,
    "stopped": PowerState.HALTED,
    "suspended": PowerState.SUSPENDED,
    "paused": PowerState.PAUSED,
}


class Wanted(msgspec.Struct, frozen=True):
    """What a guest must be to be listed; what is left out does not matter. `text` is looked for in names and tags."""

    pool: str = ""
    host: str = ""
    state: PowerState | None = None
    tag: str = ""
    text: str = ""
    without_tools: bool = False


class Found(msgspec.Struct, frozen=True):
    """A guest with its pool and the name of its host, "" where it has none.

    `unconfirmed` says that the host does not answer, so that nobody knows whether the guest still runs.
    """

    vm: Vm
    pool: str
    host: str
    unconfirmed: bool = False

    @property
    def place(self) -> Phrase:
        """The host for a cell of a table."""
        return say("{host} (silent)", host=self.host) if self.unconfirmed else say("{host}", host=self.host)


def matching(views: Iterable[PoolView], wanted: Wanted, now: float) -> list[Found]:
    """All guests that fit, by name."""
    found = []
    for view in views:
        if wanted.pool and (view.pool is None or view.pool.uuid != wanted.pool):
            continue
        hosts = {one.uuid: one.name for one in view.hosts}
        silent = {one.uuid for one in view.hosts if one.silent_since is not None}
        found += [
            Found(vm, view.name, hosts.get(vm.host or "", ""), vm.host in silent)
            for vm in view.vms
            if _fits(vm, wanted, now)
        ]
    return sorted(found, key=lambda one: (one.vm.name.casefold(), one.vm.uuid))


def _fits(vm: Vm, wanted: Wanted, now: float) -> bool:
    if wanted.host and vm.host != wanted.host:
        return False
    if wanted.state is not None and vm.power_state is not wanted.state:
        return False
    if wanted.tag and folded(wanted.tag) not in {folded(tag) for tag in vm.tags}:
        return False
    if wanted.without_tools and drivers(vm, now) not in {Drivers.NONE, Drivers.NO_AGENT}:
        return False
    text = folded(wanted.text)
    return not text or text in folded(vm.name) or any(text in folded(tag) for tag in vm.tags)


def counts(states: Iterable[Drivers]) -> Phrase:
    """How many guests are in which state, as the end of a headline."""
    number = Counter(states)
    words: list[Phrase] = []
    if number[Drivers.NONE]:
        words.append(counted(number[Drivers.NONE], "guest has no tools", "guests have no tools"))
    if number[Drivers.NO_AGENT]:
        words.append(counted(number[Drivers.NO_AGENT], "agent does not answer", "agents do not answer"))
    if number[Drivers.SETTLING]:
        words.append(counted(number[Drivers.SETTLING], "guest has just booted", "guests have just booted"))
    if not words:
        answering = number[Drivers.PRESENT]
        return say("all {n} answer", n=answering) if answering else say("no guest is running")
    return say("{words}", words=many([*words, counted(number[Drivers.PRESENT], "answers", "answer")]))
