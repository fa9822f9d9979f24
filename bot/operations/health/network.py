"""What can be wrong with the networks of a pool: cables, cards, bonds, and networks that not every host has."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.health import HealthFacts
from bot.domain.inventory import Network, PowerState
from bot.domain.plan import Grade
from bot.domain.texts import say
from bot.domain.words import counted
from bot.operations.health.row import Item, Row, row


def rows(facts: HealthFacts) -> Iterator[Row]:
    """The rows about networks."""
    yield _cables(facts)
    yield _bonds(facts)
    yield _everywhere(facts)


def _cables(facts: HealthFacts) -> Row:
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    items = []
    for one in facts.cables:
        if not one.used or one.host not in names:
            continue
        of = say(" (part of {bond})", bond=one.bond) if one.bond else say("")
        what = say("{card} of {host}{of}", card=one.device, host=names[one.host], of=of)
        key = f"{one.host}:{one.device}"
        # What is left of a bond carries on; a card by itself takes its guests, or the host, off the network.
        grade = Grade.WARNING if one.bond else Grade.BLOCKED
        if one.carrier is False:
            items.append(Item(f"carrier:{key}", say("{what} has no link", what=what), grade))
        elif not one.attached and not one.bond:
            items.append(Item(f"pif:{key}", say("{what} is not plugged", what=what), grade))
    mute = [one for one in facts.cables if one.used and one.host in names and one.carrier is None]
    if mute:
        cards = counted(len(mute), "card does not tell its link", "cards do not tell their links")
        items.append(Item("carrier:unknown", say("{cards}", cards=cards), Grade.UNKNOWN))
    fix = say("Look at the cable, the switch port and the card.")
    return row("links", "Network links", items, say("every card in use has its link"), fix)


def _bonds(facts: HealthFacts) -> Row:
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    items = []
    for one in facts.bonds:
        if one.up < one.parts:
            says = say(
                "{bond} of {host}: {up} of {all} links up",
                bond=one.device,
                host=names.get(one.host, ""),
                up=one.up,
                all=one.parts,
            )
            grade = Grade.BLOCKED if one.up == 0 else Grade.WARNING
            items.append(Item(f"bond:{one.host}:{one.device}", says, grade))
    fix = say("Mend the missing link before the next one goes: the bond works on what is left.")
    well = say("all links up") if facts.bonds else say("there are none")
    return row("bonds", "Bonds", items, well, fix)


def _everywhere(facts: HealthFacts) -> Row:
    hosts = {one.host.uuid: one.host.name for one in facts.hosts}
    used: dict[str, Network] = {
        network.uuid: network
        for vm in facts.vms
        if vm.power_state is PowerState.RUNNING
        for network in vm.networks
        if not network.internal
    }
    items = []
    for network in sorted(used.values(), key=lambda one: (one.name, one.uuid)):
        without = sorted(name for uuid, name in hosts.items() if uuid not in network.hosts)
        if without:
            says = say("{network} is missing on {hosts}", network=network.name, hosts=", ".join(without[:3]))
            items.append(Item(f"network:{network.uuid}", says))
    fix = say("Connect the network there: guests on it cannot move to such a host.")
    return row("networks", "Networks of guests", items, say("on every host"), fix)
