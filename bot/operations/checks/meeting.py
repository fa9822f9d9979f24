"""Checks before a restore of what the guest would meet: living guests of its name or addresses, and its networks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from bot.domain.backup import ArchivedNic, Contents
from bot.domain.inventory import Network
from bot.domain.plan import Check
from bot.domain.restores import Holder, RestoreFacts
from bot.domain.texts import Code, Value, clean, many, say
from bot.operations.checks.grading import blocked, fine, warning

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Wish(msgspec.Struct, frozen=True):
    """What was asked for: the name, whether to start it and to keep its addresses, and networks (UUIDs) by place.

    `strange` are words about networks that mean no card or no network of the pool. With `replace` the guest that it was
    backed up from is renamed first, and kept.
    """

    name: str
    start: bool = False
    keep_mac: bool = False
    networks: Mapping[str, str] = {}
    strange: tuple[str, ...] = ()
    rehearsal: bool = False
    replace: bool = False


def mac_of(nic: ArchivedNic) -> str:
    """The address of an archived card in lower case, "" where it is none."""
    mac = nic.mac.lower()
    return mac if _MAC.fullmatch(mac) else ""


def replaced(uuid: str, facts: RestoreFacts) -> list[Holder]:
    """The guests that may be meant to be replaced: the one that was backed up, else those of the name."""
    own = [one for one in facts.names if one.uuid == uuid]
    return own or list(facts.names)


def replacing(uuid: str, facts: RestoreFacts) -> Check:
    """Exactly one guest of this pool is replaced, and it does not run."""
    key, title, found = "replace", "Guest to be replaced", replaced(uuid, facts)
    if len(found) != 1 or found[0].pool not in {facts.pool.name, facts.pool.label, facts.pool.configured}:
        fact = say("{n} guests of {pool} could be meant", n=len(found), pool=facts.pool.name)
        return blocked(key, title, fact, say("Leave out {word}, or rename the others.", word=Code("replace")))
    old = found[0].name
    if found[0].running:
        fact = say("{guest} runs; only a guest that is off is replaced", guest=old)
        return blocked(key, title, fact, say("Stop {guest} first.", guest=old))
    return fine(key, title, say("{guest} is off; it is renamed and kept with its disks", guest=old))


def meets(contents: Contents, facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    """Names, addresses and networks, in this order."""
    yield from _names(facts, wish)
    yield from _addresses(contents, facts, wish)
    yield from _networks(contents, facts, wish)


def _names(facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    key, title = "name", "Name"
    if not clean(wish.name):
        yield blocked(
            key,
            title,
            say("the guest in the archive has no name that can be shown"),
            say("Give one: {words}.", words=Code("as <name>")),
        )
        return
    if not facts.names:
        yield fine(key, title, say("no living guest is called {name}", name=wish.name))
        return
    there = many(
        [
            say(
                "{guest} ({state}, pool {pool})",
                guest=one.name,
                state=say("running" if one.running else "not running"),
                pool=one.pool,
            )
            for one in facts.names
        ]
    )
    fact = say(
        "there is already {guests}; nothing of it is changed, and the restored guest is another one", guests=there
    )
    if any(one.name == wish.name for one in facts.names):
        fix = say("Give it another name: {words}.", words=Code("as <name>"))
        yield warning(key, "A guest of that name lives", fact, fix)
    else:
        yield warning(key, "The guest it was made from lives", fact)


def _addresses(contents: Contents, facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    key, title, nics = "mac", "MAC addresses", contents.guest.nics
    if not nics:
        return
    if not wish.keep_mac:
        yield fine(key, title, say("its network cards get new addresses, and the guest a mac_seed of its own"))
        return
    bad = [nic for nic in nics if not mac_of(nic)]
    if bad or len({mac_of(nic) for nic in nics}) < len(nics):
        fact = say("an address in the archive is none, or stands there twice")
        yield blocked(key, title, fact, say("Leave out {keep}.", keep=Code("keep-mac")))
        return
    for nic in nics:
        holders = facts.macs.get(mac_of(nic), ())
        running = [one for one in holders if one.running]
        who = many([say("{guest} (pool {pool})", guest=one.name, pool=one.pool) for one in running or holders])
        values: dict[str, Value] = {"mac": Code(mac_of(nic)), "who": who}
        which = f"{key}:{nic.device}"
        if running:
            fact = say("{who} runs with {mac}; two guests with one address disturb each other", **values)
            yield blocked(
                which,
                "MAC address in use",
                fact,
                say("Leave out {keep}, or stop and remove that guest first.", keep=Code("keep-mac")),
            )
        elif holders:
            fact = say("{who} has {mac} too; it does not run, and must not be started beside this one", **values)
            yield warning(
                which,
                "MAC address of another guest",
                fact,
                say("Leave out {keep}, or remove that guest.", keep=Code("keep-mac")),
            )
    if not facts.macs:
        # XAPI gives each guest that is imported as a new one another seed: none can clash (DUPLICATE_MAC_SEED).
        fact = say("kept; no living guest has one of them, and the guest gets a mac_seed of its own")
        yield fine(key, title, fact)


def _networks(contents: Contents, facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    key, title = "network", "Networks"
    if wish.strange:
        fact = say(
            "{words} does not name a network card of the guest and a network of {pool}",
            words=many(list(wish.strange)),
            pool=facts.pool.name,
        )
        yield blocked(key, title, fact, say("Write {words}.", words=Code("network <old name or number>=<network>")))
    known = {network.uuid: network for network in facts.networks}
    for nic in contents.guest.nics:
        which = f"{key}:{nic.device}"
        network = known.get(wish.networks.get(nic.device, ""))
        if network is None:
            fact = say(
                "network card {n} was on {old}, and {pool} has no network of that name, or several",
                n=nic.device,
                old=nic.network_name or "a network without a name",
                pool=facts.pool.name,
            )
            words = Code(f"network {nic.device}=<network>")
            yield blocked(which, title, fact, say("Say which one instead: {words}.", words=words))
            continue
        yield _reached(which, nic, network, facts)


def _reached(key: str, nic: ArchivedNic, network: Network, facts: RestoreFacts) -> Check:
    fact = say("network card {n} ({old}) goes to {new}", n=nic.device, old=nic.network_name, new=network.name)
    if facts.host is not None and not network.internal and facts.host.uuid not in network.hosts:
        why = say("{fact}, which {host} is not on", fact=fact, host=facts.host.name)
        return blocked(key, "Network", why, say("Choose a network of {host}, or another host.", host=facts.host.name))
    return fine(key, "Network", fact)
