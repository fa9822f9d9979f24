"""Adding shared storage to a pool: `/xen sr-add nfs <server>:<path>`.

Every host looks for itself first: what one host can mount another may not, and the machine of the bot is none of them.
Storage that lies there already is attached again rather than made anew, but only where no other pool can hold it: two
coordinators that write to one storage destroy it. What is made bears the job's mark until every host has tried it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bot.domain.calls import Ref
from bot.domain.inventory import Host
from bot.domain.plan import LockKey, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.storing import NfsFacts, NfsPlace, SrNow
from bot.domain.texts import Code, Phrase, Span, many, say
from bot.domain.words import counted, first
from bot.operations.base import Homes, Look, Operation, Seen, buttons_of, entire
from bot.operations.checks.target import supported
from bot.operations.leavings import mends
from bot.operations.ports import Facts
from bot.operations.risk import assess_storage
from bot.operations.risk_reasons import Factor
from bot.operations.sr_add_checks import Wish, checks, up
from bot.operations.sr_add_steps import ATTACH, CREATE, INTRODUCE, NAME, PREFER, REMOVE, SR, steps
from bot.operations.sr_add_words import ways
from bot.operations.storage_words import NAMED, trouble
from bot.operations.trying import SWEEP, TRY, look_at_sweep, look_at_trial, mark_of

OPERATION_NAME: Final = "sr-add"
_FORGOTTEN: Final = "Nothing is left behind: the storage is forgotten again, and what lies in it is as it was"


async def plan(pool: str, place: NfsPlace, wish: Wish, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for adding storage to a pool (UUID). Raises as StorageReads.nfs."""
    return decide(await facts.storage.nfs(pool, place), wish, approval)


def decide(read: NfsFacts, wish: Wish, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    pool, place, hosts = read.pool, read.place, up(read)
    words = "Attach {place} again to {pool} as {name}" if wish.existing else "Add {place} to {pool} as {name}"
    title = say(words, place=place.shown, pool=pool.name, name=wish.name)
    risk = assess_storage(read, list(_factors(read, wish)), approval)
    lead = next((host for host in read.hosts if host.coordinator), None)
    made: tuple[Step, ...] = ()
    if lead is not None and place.path:
        made = steps(
            place,
            wish.name,
            coordinator=Ref("host", lead.uuid),
            existing=wish.existing,
            attached=[host.uuid for host in hosts],
            tried=[host.uuid for host in hosts if host.uuid in read.listed],
            preferred=_preferred(read, wish),
        )
    return Plan(
        operation=OPERATION_NAME,
        pool=pool.uuid,
        title=title,
        refusal=say("{place} cannot be added to {pool}", place=place.shown, pool=pool.name),
        targets=(Target("pool", pool.uuid, pool.name),),
        placements=(),
        checks=(supported(pool, read.hosts), *checks(read, wish)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=made,
        # Of two for the same folder one would find, or take back, what the other has just made.
        locks=(LockKey("export", place.text.casefold(), place.text),),
        after=tuple(_after(read, wish, hosts)),
        estimate_s=10.0 + 3.0 * len(hosts),
        names={pool.uuid: pool.name} | {host.uuid: host.name for host in read.hosts},
        approvers=risk.approvers,
        ways=tuple(ways(read, wish)),
    )


def _factors(read: NfsFacts, wish: Wish) -> Iterator[Factor]:
    if wish.existing:
        yield Factor(
            Risk.CRITICAL,
            say(
                "whoever approves says that no other pool uses this storage: two coordinators on one storage destroy it"
            ),
        )
    new = len([host for host in read.hosts if host.uuid not in read.users])
    if new:
        words = (
            "{n} of {pool} mounts a server that is new to it"
            if new == 1
            else "{n} of {pool} mount a server that is new to them"
        )
        yield Factor(Risk.MEDIUM, say(words, n=counted(new, "host", "hosts"), pool=read.pool.name))
    else:
        words = "the hosts of {pool} mount one more folder of {server}, which they use already"
        yield Factor(Risk.MEDIUM, say(words, pool=read.pool.name, server=Code(read.place.server)))


def _preferred(read: NfsFacts, wish: Wish) -> tuple[bool, bool, bool] | None:
    """Whether it becomes the default, and then whether suspended guests and crash dumps go there too, as asked for.

    Today's tools move all three; what somebody has set on purpose stays unless it was asked for.
    """
    if not (wish.default or wish.everything):
        return None
    now, all_of_it = read.defaults, wish.everything
    return all_of_it or not now.suspend, all_of_it or not now.crash, all_of_it


def _after(read: NfsFacts, wish: Wish, hosts: tuple[Host, ...]) -> Iterator[Phrase]:
    n, pool = counted(len(hosts), "host", "hosts"), read.pool.name
    yield say("{n}: each writes a small disk there, reads it back and compares; the disks are removed again.", n=n)
    if wish.existing:
        yield say("Its disks become known to {pool} as they are; guests are not part of it.", pool=pool)
    preferred = _preferred(read, wish)
    if preferred is not None:
        roles = list(zip(("suspended guests", "crash dumps"), preferred, strict=False))
        taken = many(["new disks", *(role for role, taken in roles if taken)])
        yield say("{pool} puts there from then on: {roles}.", pool=pool, roles=taken)
        kept = [role for role, taken in roles if not taken]
        if kept:
            moves = Code("all-defaults")
            yield say("Its {roles} go where they went before; {word} moves them too.", roles=many(kept), word=moves)
    elif not read.defaults.disks:
        word = Code("default")
        yield say("{pool} has no default storage; with {word} this becomes it.", pool=pool, word=word)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    place, wish = asked(earlier)
    return await plan(earlier.pool, place, wish, facts, approval)


def asked(of: Plan) -> tuple[NfsPlace, Wish]:
    """What a plan was made for, read from its steps."""
    config = _config(of)
    place = NfsPlace(config["server"], config["serverpath"], config.get("nfsversion", ""))
    first, last = of.steps[0], of.steps[-1]
    existing = first.call.texts[0] if first.kind == INTRODUCE else ""
    beside = any(check.key == "existing" for check in of.checks) and not existing
    preferred = last.call.flags if last.kind == PREFER else []
    wish = Wish(_name(of), existing, beside, default=bool(preferred), everything=any(preferred[2:]))
    return place, wish


def _config(of: Plan) -> dict[str, str]:
    return _step(of, ATTACH).call.options[0]


def _name(of: Plan) -> str:
    return _step(of, NAME).call.texts[0]


def _step(of: Plan, kind: str) -> Step:
    return next(step for step in of.steps if step.kind == kind)


# What is true of it


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    if step.kind in {CREATE, INTRODUCE}:
        return await _made(of, step, facts)
    if step.kind == TRY:
        return await look_at_trial(of, step, _name(of), facts)
    if step.kind == SWEEP:
        return await look_at_sweep(of, step, _name(of), facts)
    (sr,) = step.call.uuids("SR")
    now = await facts.storage.now(of.pool, sr)
    if step.kind == REMOVE:
        return _gone(of, now)
    if now is None:
        return Look(Seen.NOT_DONE, say("The storage that was made is gone"), ())
    name = _name(of)
    if step.kind == ATTACH:
        return _attached(of, step, now)
    if step.kind == NAME:
        called = now.name == name
        told = say("It is called {name}", name=name) if called else say("It is not called {name} yet", name=name)
        return Look(Seen.DONE if called else Seen.NOT_DONE, told, ())
    if now.defaults.disks == sr:
        return Look(Seen.DONE, say("New disks go to {name}", name=name), ())
    return Look(Seen.NOT_DONE, say("{name} is not the default storage", name=name), ())


async def _made(of: Plan, step: Step, facts: Facts) -> Look:
    found = await facts.storage.named(of.pool, mark_of(step))
    if found:
        made = say("The storage is known to {pool}", pool=of.targets[0].name)
        return Look(Seen.DONE, made, (), {SR: found[0]})
    return Look(Seen.NOT_DONE, say("{pool} has no storage from it", pool=of.targets[0].name), ())


def _attached(of: Plan, step: Step, now: SrNow) -> Look:
    wanted = step.call.uuids("host")
    missing = [of.names.get(host, host) for host in wanted if host not in now.attached]
    n = counted(len(wanted), "host", "hosts")
    if missing:
        return Look(Seen.NOT_DONE, say("it is not attached to {hosts}", hosts=first(missing, NAMED)), ())
    return Look(Seen.DONE, say("It is attached to {n}", n=n), ())


def _gone(of: Plan, now: SrNow | None) -> Look:
    made_here = of.steps[0].kind == CREATE
    if now is None:
        what = "Nothing is left behind: the storage is deleted again" if made_here else _FORGOTTEN
        return Look(Seen.DONE, say(what), ())
    left = say("Left behind: storage called {name} ({uuid})", name=now.name, uuid=Code(now.uuid))
    return Look(Seen.NOT_DONE, left, ())


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """The storage as the pool has it, whatever the steps said."""
    name, kinds = _name(of), {of.steps[index].kind for index in done}
    made = _step(of, ATTACH).call.uuids("SR")
    now = await facts.storage.now(of.pool, made[0]) if made else None
    pool = of.targets[0].name
    if now is None:
        return Look(Seen.NOT_DONE, say("{pool} has no storage {name}", pool=pool, name=name), ())
    attached = counted(len(now.attached), "host", "hosts")
    away = [of.names.get(one.host, one.host) for one in now.plugs if not one.attached]
    preferred = of.steps[-1].kind == PREFER
    fine = now.name == name and (not preferred or now.defaults.disks == now.uuid)
    lines = [say("Storage {uuid} on {place}", uuid=Code(now.uuid), place=asked(of)[0].shown)]
    if away:
        lines.append(say("Not attached to {hosts}: it is plugged in there when it boots", hosts=first(away, NAMED)))
    if preferred and now.defaults.disks == now.uuid:
        roles = {"new disks": True, "suspended guests": now.defaults.suspend == now.uuid}
        roles["crash dumps"] = now.defaults.crash == now.uuid
        lines.append(
            say("It takes {roles} of {pool}", roles=many([role for role, is_so in roles.items() if is_so]), pool=pool)
        )
    elif preferred:
        lines.append(say("It is not the default storage"))
    if REMOVE in kinds or now.name != name:
        lines.append(say("It is called {name}", name=now.name))
    headline = say("{name} is attached to {n} of {pool}", name=name, n=attached, pool=pool)
    return Look(Seen.DONE if fine else Seen.NOT_DONE, headline, tuple(lines))


def _foreseen(of: Plan, code: str) -> Phrase:
    """What mends a failure of the driver: what shows only when something is written, or has come up since the plan."""
    place = asked(of)[0]
    known = trouble(code, server=place.server, place=place.shown)
    return known.fix if known is not None else say("Every host could mount it when it was planned.")


def _slow(of: Plan, step: Step, waited: float) -> Phrase | None:
    if step.kind != CREATE:
        return None
    words = "{server} has not answered for {time}. XAPI waits for the mount, and gives up by itself; or stop the job."
    return say(words, server=_config(of)["server"], time=Span(waited))


def _running(of: Plan) -> Phrase:
    return say("Adding {name} to {pool}", name=_name(of), pool=of.targets[0].name)


OPERATION = Operation(
    name=OPERATION_NAME,
    replan=_replan,
    look=_look,
    running=_running,
    instead=buttons_of,
    when_stopped=say("What was made is taken back; nothing is left."),
    settle_s=1.0,
    advanced=entire,
    sum_up=_sum_up,
    mends=mends,
    tells=frozenset({TRY}),
    foreseen=_foreseen,
    slow=_slow,
)
