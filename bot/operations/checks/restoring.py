"""Checks before a restore: the archive, the storage, the host, and the living guests that the restored one would meet.

Sizes, names and addresses come from the archive, which may have been written by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.backup import Contents
from bot.domain.catalogue import Archived, BackupState, Proof
from bot.domain.inventory import Host
from bot.domain.plan import Check
from bot.domain.restores import RestoreFacts
from bot.domain.texts import Code, Moment, Phrase, Size, Value, many, say
from bot.domain.words import counted
from bot.operations.checks.grading import blocked, fine, unknown, warning
from bot.operations.checks.meeting import Wish, meets, replacing
from bot.operations.checks.target import supported
from bot.operations.space import THICK, free_on, holds_disks

# A guest has at most seven cards; an archive that names more is no server's.
_MOST_NICS = 16
_PLACE = re.compile(r"[0-9]{1,3}")
#: How a backup was verified, in words.
HOW = {
    Proof.STREAM: "every block, as it was made",
    Proof.FULL: "every block, read again",
    Proof.SAMPLE: "a random part of it",
}


def checks(archived: Archived, facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    """Every check, in the order in which a person would mend them."""
    contents = archived.contents
    yield _proved(archived)
    yield from _readable(contents)
    yield from _able(contents, facts, wish)
    if wish.rehearsal:
        return
    if wish.replace:
        yield replacing(archived.backup.guest, facts)
    yield from meets(contents, facts, wish)


def of_pool(contents: Contents, facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    """Those of the pool that shall take the guest, before there is an archive."""
    yield from _able(contents, facts, wish)
    yield from meets(contents, facts, wish)


def _able(contents: Contents, facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    yield supported(facts.pool, facts.hosts)
    yield _version(contents, facts)
    yield from _hardware(contents)
    yield from _storage(contents, facts)
    yield from _place(facts, wish)


def _proved(archived: Archived) -> Check:
    backup, key, title = archived.backup, "archive", "Archive"
    look, other = backup.verified, say("Choose another backup: {list}.", list=Code("/xen backups"))
    if backup.state is BackupState.DAMAGED:
        what = many(list(look.damage)) if look is not None and look.damage else say("what, was not kept")
        return blocked(
            key, "Archive damaged", say("{backup} is damaged: {what}", backup=_id(archived), what=what), other
        )
    if backup.state is not BackupState.WHOLE:
        fact = say("{backup} is {state}", backup=_id(archived), state=backup.state.value)
        return blocked(key, "Archive not there", fact, other)
    if look is None:
        fact = say("{backup} was never verified; it is checked while it is sent", backup=_id(archived))
        return warning(key, title, fact, say("{verify} first.", verify=Code(f"/xen verify {backup.id}")))
    fact = say("{backup} was found whole {at}: {how}", backup=_id(archived), at=Moment(look.at), how=say(HOW[look.how]))
    return fine(key, title, fact)


def _id(archived: Archived) -> Code:
    return Code(archived.backup.id)


def _readable(contents: Contents) -> Iterator[Check]:
    """Nothing in it that no server writes, and nothing that a restore would drop in silence."""
    key, title = "contents", "Contents"
    places = [disk.device for disk in contents.disks]
    cards = [nic.device for nic in contents.guest.nics]
    strange = not all(_PLACE.fullmatch(one) for one in (*filter(None, places), *cards))
    if strange or len(set(places)) < len(places) or len(set(cards)) < len(cards) or len(cards) > _MOST_NICS:
        fact = say("its description names places for disks or network cards that no server would write")
        yield blocked(key, title, fact, say("Look where this archive comes from before anybody imports it."))
        return
    if "" in places:
        # XAPI would make it all the same, and nothing would ever belong to it.
        fact = say("it holds a disk that has no place in the guest, such as saved memory")
        yield blocked(key, title, fact, say("Restore a backup that was made while it was off or running."))
        return
    if not places:
        yield warning(key, title, say("the archive holds no disk: what comes back is only the guest's settings"))
        return
    fact = say(
        "{disks}, {size} in all; written by {product}",
        disks=counted(len(places), "disk", "disks"),
        size=Size(size_of(contents)),
        product=contents.product or "a server that does not say which",
    )
    yield fine(key, title, fact)


def size_of(contents: Contents) -> int:
    """What the restored disks may grow to, in bytes."""
    return sum(disk.size for disk in contents.disks)


def stored_in(contents: Contents) -> int:
    """What the archive holds of the disks, in bytes: they take up at least so much."""
    return sum(disk.stored for disk in contents.disks)


def _version(contents: Contents, facts: RestoreFacts) -> Check:
    """XAPI refuses what a newer toolstack than its own has written (IMPORT_INCOMPATIBLE_VERSION)."""
    key, title = "version", "Version"
    hosts = [facts.host] if facts.host is not None else list(facts.hosts)
    archive = (contents.xapi_major, contents.xapi_minor)
    here = {host.uuid: facts.xapi.get(host.uuid, (0, 0)) for host in hosts}
    silent = [host for host in hosts if here[host.uuid] == (0, 0)]
    if silent:
        fact = say("{host} does not say which version of the toolstack it runs", host=silent[0].name)
        return warning(key, title, fact)
    older = [host for host in hosts if here[host.uuid] < archive]
    written = _number(archive)
    if older:
        fact = say(
            "the archive was written by toolstack {archive}, {host} runs {here}; XAPI refuses that",
            archive=written,
            host=older[0].name,
            here=_number(here[older[0].uuid]),
        )
        return blocked(
            key,
            "Written by a newer version",
            fact,
            say("Update {host}, or restore to a newer pool.", host=older[0].name),
        )
    return fine(key, title, say("written by toolstack {archive}, no newer than the hosts'", archive=written))


def _number(version: tuple[int, int]) -> Code:
    return Code(f"{version[0]}.{version[1]}")


def _hardware(contents: Contents) -> Iterator[Check]:
    """What names a part of the host that the guest once ran on, and may mean another one, or none, where it comes."""
    guest = contents.guest
    if guest.pci:
        fact = say("it had devices of its host passed through ({pci}); it comes back without them", pci=Code(guest.pci))
        yield warning("pci", "PCI devices", fact, say("Pass them through anew where it is to have them."))
    if guest.vgpus:
        count = counted(guest.vgpus, "virtual GPU", "virtual GPUs")
        fact = say("it has {n}, and starts only on a host with a GPU of that kind", n=count)
        yield warning("vgpu", "Virtual GPU", fact, say("Remove it from the restored guest where there is none."))


def _storage(contents: Contents, facts: RestoreFacts) -> Iterator[Check]:
    key, title, sr = "storage", "Storage", facts.sr
    if sr is None:
        fact = say("no storage was named, and {pool} has no default one", pool=facts.pool.name)
        yield blocked(key, title, fact, say("Name one: {words}.", words=Code("sr <name>")))
        return
    if not holds_disks(sr):
        yield blocked(
            key, title, say("{sr} holds CDs or devices, not disks of guests", sr=sr.name), say("Choose another SR.")
        )
        return
    able = [host for host in facts.hosts if host.uuid in sr.hosts and host.answers]
    if facts.host is not None and facts.host.uuid not in sr.hosts:
        fact = say("{sr} is not plugged on {host}", sr=sr.name, host=facts.host.name)
        fix = say("Choose an SR that {host} sees, or another host.", host=facts.host.name)
        yield blocked(key, title, fact, fix)
    elif not able:
        fact = say("no host that answers has {sr} plugged", sr=sr.name)
        yield blocked(key, title, fact, say("Repair {sr}, or choose another SR.", sr=sr.name))
    else:
        yield fine(key, title, say("{sr} is plugged on {hosts}", sr=sr.name, hosts=many([host.name for host in able])))
    yield _room(contents, facts)


def _room(contents: Contents, facts: RestoreFacts) -> Check:
    key, title, sr = "room", "Room on the storage", facts.sr
    assert sr is not None  # noqa: S101  asked for with storage only
    high = size_of(contents)
    low = high if sr.type in THICK else stored_in(contents)
    free = free_on(sr)
    if free is None:
        fact = say("{sr} does not say how much room it has", sr=sr.name)
        return unknown(key, title, fact, say("Scan {sr}.", sr=sr.name))
    values: dict[str, Value] = {"sr": sr.name, "free": Size(free)}
    if low > free:
        fact = say("{sr} has {free} free, the disks need at least {low}", low=Size(low), **values)
        return blocked(
            key, title, fact, say("Make {n} of room on {sr}, or choose another SR.", n=Size(low - free), sr=sr.name)
        )
    fact = say("{sr} has {free} free, the disks may grow to {high}", high=Size(high), **values)
    if high > free:
        return warning(key, title, fact, say("Watch {sr}, or make room on it.", sr=sr.name))
    return fine(key, title, fact)


def _place(facts: RestoreFacts, wish: Wish) -> Iterator[Check]:
    """Where it shall run: the host takes guests, answers, and has the memory."""
    key, title = "host", "Host"
    if not wish.start and facts.host is None:
        return
    seen = facts.sr.hosts if facts.sr is not None else frozenset()
    hosts = [facts.host] if facts.host is not None else [host for host in facts.hosts if host.uuid in seen]
    reasons = {host.uuid: tuple(_against(host, facts)) for host in hosts}
    able = [host for host in hosts if not reasons[host.uuid]]
    if able:
        names = many([host.name for host in able])
        fact = say("{hosts} can give the {needed} it needs", hosts=names, needed=Size(facts.needed))
        yield fine(key, title, fact)
        return
    why = many([say("{host}: {why}", host=host.name, why=many(list(reasons[host.uuid]))) for host in hosts])
    fact = say("no host can run it now. {why}", why=why) if hosts else say("no host of the pool sees that storage")
    fix = say("Choose another host, or make room on this one.")
    if wish.start:
        yield blocked(key, title, fact, say("{fix} Or leave out {start}.", fix=fix, start=Code("start")))
    else:
        yield warning(key, title, fact, fix)


def _against(host: Host, facts: RestoreFacts) -> Iterator[Phrase]:
    if not host.answers:
        yield say("it does not answer")
    elif not host.enabled:
        yield say("it is disabled (maintenance)")
    if facts.needed > host.memory_free:
        yield say(
            "it can give {free} of the {needed} needed", free=Size(max(0, host.memory_free)), needed=Size(facts.needed)
        )
