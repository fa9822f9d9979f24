"""Bringing a guest back from a backup: `/xen restore <backup|vm> …`. Never over a guest that lives: a new one is made.

The import makes a halted guest that bears the mark of the job until it is ready; whatever happens before that, it is
removed again with its own disks. What could wake it, or confuse it with the guest that was backed up, is taken away
before its first start.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import msgspec

from bot.domain.backup import Contents
from bot.domain.catalogue import Archived
from bot.domain.inventory import PowerState
from bot.domain.message import Button
from bot.domain.plan import LockKey, Placement, Plan, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.restores import Coming, Holder, Nic, Readiness, RestoreFacts
from bot.domain.texts import Code, Moment, Phrase, Size, many, say
from bot.domain.words import counted
from bot.operations.base import Homes, Operation, entire
from bot.operations.checks import restoring
from bot.operations.checks.meeting import Wish, mac_of, replaced
from bot.operations.checks.restoring import size_of, stored_in
from bot.operations.leavings import mends
from bot.operations.ports import Facts
from bot.operations.restore_look import look, sum_up
from bot.operations.restore_steps import ASIDE, START, backup_of, made_of, step_of, steps, wished
from bot.operations.risk import assess_restore
from bot.operations.space import THICK, free_on

NAME = "restore"
# An import goes about as fast as gigabit Ethernet, and the disk behind it often slower.
_BYTES_PER_S = 80_000_000
_LEAST_S = 15.0
_LONGEST_NAME = 512
# As many as a guest of a pool can have.
_CARDS = 7


class Where(msgspec.Struct, frozen=True):
    """Where to restore to, by UUID; "" leaves the host to XAPI and the SR to the pool's default."""

    pool: str
    host: str = ""
    sr: str = ""


def usable_name(name: str) -> str:
    """The name without characters that no call to XAPI can carry: all but these are a guest's own business."""
    kept = (one for one in name if one.isprintable() or unicodedata.category(one) in {"Cf", "Co", "Zs"})
    return "".join(kept).strip()[:_LONGEST_NAME]


async def plan(archived: Archived, where: Where, wish: Wish, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for restoring a backup. Raises as Facts.restore."""
    return decide(archived, await read(archived, where, wish, facts), wish, approval)


async def read(archived: Archived, where: Where, wish: Wish, facts: Facts) -> RestoreFacts:
    """The facts for it. Raises as Facts.restore."""
    return await facts.restore(coming(archived, wish.name), where.pool, where.host, where.sr)


def coming(archived: Archived, name: str) -> Coming:
    """The guest that shall come."""
    guest = archived.contents.guest
    return Coming(
        uuid=archived.backup.guest,
        name=name,
        macs=tuple(filter(None, map(mac_of, guest.nics))),
        memory_dynamic_min=guest.memory_dynamic_min,
        memory_static_max=guest.memory_static_max,
        vcpus=guest.vcpus,
        domain_type=guest.domain_type,
    )


def decide(archived: Archived, facts: RestoreFacts, wish: Wish, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts: every check is judged, blocked or not. Never raises."""
    backup, contents = archived.backup, archived.contents
    wish = msgspec.structs.replace(wish, networks=networks_for(archived, facts, wish))
    # Without network cards nobody can be disturbed.
    twin = any(one.running for one in facts.names) and wish.start and not wish.rehearsal
    old = next(iter(replaced(backup.guest, facts)), None) if wish.replace else None
    risk = assess_restore(facts, left_on(contents, facts), approval, twin=twin, old=old)
    sr = facts.sr.uuid if facts.sr is not None else ""
    return Plan(
        operation=NAME,
        pool=facts.pool.uuid,
        title=_title(facts, wish),
        refusal=say("{guest} cannot be restored from {backup}", guest=wish.name, backup=Code(backup.id)),
        targets=(Target("VM", backup.guest, wish.name), Target("backup", backup.id, backup.name)),
        placements=(_standing(old),) if old is not None else (),
        checks=tuple(restoring.checks(archived, facts, wish)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=tuple(steps(archived, sr, readiness_for(archived, facts, wish), start=wish.start, old=old)),
        locks=tuple(_locks(archived, facts, wish, old)),
        after=tuple(_after(archived, facts, wish)),
        estimate_s=seconds_for(backup.size),
        names={backup.guest: wish.name, backup.id: wish.name, **names_in(facts)},
        approvers=risk.approvers,
    )


def seconds_for(size: int) -> float:
    """About how long the import of an archive of so many bytes takes."""
    return max(_LEAST_S, size / _BYTES_PER_S)


def networks_for(archived: Archived, facts: RestoreFacts, wish: Wish) -> dict[str, str]:
    """The network of each card: the one that was asked for, else the only one of its old name."""
    found = {}
    for nic in archived.contents.guest.nics:
        named = [network.uuid for network in facts.networks if network.name == nic.network_name]
        same = [uuid for uuid in named if uuid == nic.network] or named
        asked = wish.networks.get(nic.device, "")
        if asked or len(same) == 1:
            found[nic.device] = asked or same[0]
    return found


def readiness_for(archived: Archived, facts: RestoreFacts, wish: Wish) -> Readiness:
    """How the guest is to be before its first start."""
    nics = tuple(
        Nic(
            nic.device,
            wish.networks.get(nic.device, ""),
            mac=mac_of(nic) if wish.keep_mac else "",
            instead_of="" if wish.keep_mac else mac_of(nic),
        )
        for nic in archived.contents.guest.nics
    )
    return Readiness(wish.name, () if wish.rehearsal else nics, facts.host.uuid if facts.host is not None else "")


def _title(facts: RestoreFacts, wish: Wish) -> Phrase:
    sr = facts.sr.name if facts.sr is not None else say("storage to be named")
    place = say(" on {host}", host=facts.host.name) if facts.host is not None else say("")
    start = say(" and start it") if wish.start else say("")
    return say("Restore {guest} to {sr}{place}{start}", guest=wish.name, sr=sr, place=place, start=start)


def left_on(contents: Contents, facts: RestoreFacts) -> int | None:
    """Which percentage of the storage stays free at least for now; None where it does not say."""
    sr = facts.sr
    free = free_on(sr) if sr is not None else None
    if sr is None or free is None:
        return None
    return (free - (size_of(contents) if sr.type in THICK else stored_in(contents))) * 100 // sr.size


def _standing(old: Holder) -> Placement:
    """That a guest that is replaced is still off is part of what is agreed to."""
    state = PowerState.RUNNING if old.running else PowerState.HALTED
    return Placement(vm=old.uuid, host=None, power_state=state.value, disks=())


def _locks(archived: Archived, facts: RestoreFacts, wish: Wish, old: Holder | None) -> Iterator[LockKey]:
    if old is not None:
        yield LockKey("VM", old.uuid, old.name)
    if wish.keep_mac and (old is None or old.uuid != archived.backup.guest):
        # Two restores with the same addresses at once would not see each other.
        yield LockKey("VM", archived.backup.guest, wish.name)
    yield from places_in(facts)


def places_in(facts: RestoreFacts) -> Iterator[LockKey]:
    """The host and the storage that a guest comes to."""
    if facts.host is not None:
        yield LockKey("host", facts.host.uuid, facts.host.name)
    if facts.sr is not None:
        yield LockKey("SR", facts.sr.uuid, facts.sr.name)


def names_in(facts: RestoreFacts) -> dict[str, str]:
    """What people call the pool that a guest comes to, its hosts, by address too, its networks and that storage."""
    found = {facts.pool.uuid: facts.pool.name}
    found |= {key: host.name for host in facts.hosts for key in (host.uuid, host.address)}
    found |= {network.uuid: network.name for network in facts.networks}
    return found | ({facts.sr.uuid: facts.sr.name} if facts.sr is not None else {})


def _after(archived: Archived, facts: RestoreFacts, wish: Wish) -> Iterator[Phrase]:
    """What will be new, and what will not happen."""
    contents, backup = archived.contents, archived.backup
    look, named = backup.verified, {network.uuid: network.name for network in facts.networks}
    yield say(
        "From backup {id}, made {at}; {found}",
        id=Code(backup.id),
        at=Moment(backup.at),
        found=say("last found whole {at}: {how}", at=Moment(look.at), how=say(restoring.HOW[look.how]))
        if look is not None and not look.damage
        else say("not found whole so far"),
    )
    host = facts.host.name if facts.host is not None else say("XAPI chooses the host")
    yield say("To pool {pool}: {host}", pool=facts.pool.name, host=host)
    if facts.sr is not None:
        disks = counted(len(contents.disks), "disk", "disks")
        yield say("{disks} of {size} on {sr}", disks=disks, size=Size(size_of(contents)), sr=facts.sr.name)
    if not wish.rehearsal:
        nics = contents.guest.nics
        cards = [
            say("{n} to {network}", n=nic.device, network=named.get(wish.networks.get(nic.device, ""), "none yet"))
            for nic in nics[:_CARDS]
        ]
        more = [say("{n} more", n=len(nics) - _CARDS)] if len(nics) > _CARDS else []
        yield say("Network cards: {cards}", cards=many([*cards, *more]) if cards else say("none"))
    addresses = say("MAC addresses kept") if wish.keep_mac else say("new MAC addresses")
    yield say("New: the guest and its disks have new UUIDs; {addresses}", addresses=addresses)
    yield say(
        "Automatic power-on, its priority in high availability, tags of schedules and marks of xenbot are taken away;"
        " until it is ready it stays halted"
    )
    if wish.replace:
        yield say("The guest that it replaces is renamed and kept with its disks; it no longer starts by itself")
    if wish.start:
        yield say("Then it is started, and looked at")


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    archived = await facts.library.archived(backup_of(earlier).uuid)
    ready, sr = wished(earlier)
    wish = Wish(
        ready.name,
        replace=step_of(earlier, ASIDE) is not None,
        start=step_of(earlier, START) is not None,
        keep_mac=any(nic.mac for nic in ready.nics),
        networks={nic.device: nic.network for nic in ready.nics},
    )
    return await plan(archived, Where(earlier.pool, ready.host, sr), wish, facts, approval)


def _running(of: Plan) -> Phrase:
    return say("Restoring {guest}", guest=of.targets[0].name)


def _then(of: Plan) -> tuple[Button, ...]:
    """A guest that was restored and not started may well be started next."""
    return () if step_of(of, START) is not None else _onward(of)


def _onward(of: Plan) -> tuple[Button, ...]:
    made = made_of(of)
    if not made:
        return ()
    name = of.targets[0].name
    return (Button("Plan: start", "ask", f"start {made[0]}", says=say("Plan the start of {guest}", guest=name)),)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=look,
    running=_running,
    when_stopped=say("What was imported so far is removed again, with its disks. Living guests are not touched."),
    settle_s=30.0,
    advanced=entire,
    then=_then,
    onward=_onward,
    mends=mends,
    sum_up=sum_up,
)
