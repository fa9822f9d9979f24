"""What the pool shows of a restore: the guest by its mark, then by its UUID."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.calls import Made
from bot.domain.inventory import PowerState
from bot.domain.plan import Plan, Step
from bot.domain.restores import Readiness, Restored
from bot.domain.texts import Code, Phrase, Quote, Size, many, say
from bot.domain.words import counted, power_word
from bot.errors import NotFound
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts
from bot.operations.restore_steps import (
    ASIDE,
    BACK,
    GUEST,
    IMPORT,
    READY,
    REMOVE,
    START,
    disk_name,
    made_of,
    mark_of,
    readiness,
    renamed,
    step_of,
    subject_of,
)


async def look(of: Plan, step: Step, facts: Facts) -> Look:
    """What the pool shows of a step: the guest by its mark, then by its UUID."""
    looks = {
        IMPORT: _imported,
        READY: _ready,
        REMOVE: _removed,
        START: _started,
        ASIDE: set_aside,
        BACK: set_aside,
    }
    return await looks[step.kind](of, step, facts)


async def sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """What is true of the guest once the steps are over."""
    now = await facts.restored(of.pool, _made(of))
    if not any(of.steps[index].kind == READY for index in done):
        left = say(
            "{guest} is not restored: what was imported is left, as {now}", guest=of.targets[0].name, now=now.name
        )
        return Look(Seen.NOT_DONE, left, _evidence(of, now))
    running = _seen_running(of, now)
    if step_of(of, START) is not None or running.seen is Seen.DONE:
        return running
    srs = of.steps[0].call.uuids("SR")
    sr = next((of.names.get(one, one) for one in srs), "")
    headline = say(
        "{guest} is restored to {sr}, {state}", guest=now.name, sr=sr, state=say(power_word(now.power_state))
    )
    return Look(Seen.DONE, headline, _evidence(of, now))


async def _imported(of: Plan, step: Step, facts: Facts) -> Look:
    name = subject_of(of)
    found = await facts.marked(of.pool, mark_of(step))
    if not found:
        return Look(Seen.NOT_DONE, say("nothing of {guest} was imported", guest=name), ())
    if len(found) > 1:
        return Look(Seen.HARMED, say("several guests are called {name}", name=mark_of(step)), ())
    now = await facts.restored(of.pool, found[0])
    if "import" in now.operations:
        return Look(Seen.GOING_ON, say("{guest} is being imported", guest=name), ())
    made = {GUEST: now.uuid} | {disk_name(device): vdi for device, vdi in now.disks.items()}
    remove = step_of(of, REMOVE)
    wanted = {one.name for one in remove.call.args if isinstance(one, Made)} if remove is not None else set()
    if wanted - set(made):
        missing = many(sorted(wanted - set(made)))
        return Look(Seen.HARMED, say("{guest} came without {missing}", guest=name, missing=missing), (), made)
    disks = counted(len(now.disks), "disk", "disks")
    seen = say("Looked at: {disks}, {size} in all", disks=disks, size=Size(sum(now.sizes.values())))
    return Look(Seen.DONE, say("{guest} is imported", guest=name), (seen,), made)


async def _ready(of: Plan, step: Step, facts: Facts) -> Look:
    ready = readiness(step)
    now = await facts.restored(of.pool, step.call.uuids("VM")[0])
    wrong = list(_wrong(now, ready))
    if wrong:
        headline = say("{guest} is not ready: {why}", guest=ready.name, why=many(wrong))
        return Look(Seen.NOT_DONE, headline, ())
    return Look(Seen.DONE, say("{guest} is ready", guest=ready.name), _cards(of, now))


def _wrong(now: Restored, ready: Readiness) -> Iterator[Phrase]:
    if now.name != ready.name:
        yield say("its name is {name}", name=now.name)
    if now.affinity != ready.host:
        yield say("it prefers another host")
    yield from (say("{what}", what=Quote(one)) for one in now.wakeful)
    cards = {nic.device: nic for nic in now.nics}
    wished = {nic.device: nic for nic in ready.nics}
    for device in sorted(set(cards) | set(wished)):
        if device not in cards:
            yield say("network card {n} is missing", n=device)
        elif device not in wished or not wished[device].fits(cards[device]):
            yield say("network card {n} is not as it was to be", n=device)


def _cards(of: Plan, now: Restored) -> tuple[Phrase, ...]:
    return tuple(
        say(
            "Network card {n}: {mac} on {network}",
            n=nic.device,
            mac=Code(nic.mac),
            network=of.names.get(nic.network, "?"),
        )
        for nic in sorted(now.nics, key=lambda one: one.device)
    )


async def _removed(of: Plan, step: Step, facts: Facts) -> Look:
    name = of.targets[0].name
    try:
        now = await facts.restored(of.pool, step.call.uuids("VM")[0])
    except NotFound:
        return Look(Seen.DONE, say("what was imported of {guest} is removed, with its disks", guest=name), ())
    return Look(
        Seen.NOT_DONE, say("what was imported of {guest} is still there, called {now}", guest=name, now=now.name), ()
    )


async def set_aside(of: Plan, step: Step, facts: Facts) -> Look:
    """Which of its two names a guest has that is set aside, and whether anything would start it by itself."""
    vm, own, later = renamed(step)
    now = await facts.restored(of.pool, vm)
    wanted, settled = (later, now.kept_off) if step.call.method == ASIDE else (own, not now.remembered)
    seen = Seen.DONE if now.name == wanted and settled else Seen.NOT_DONE
    if own != later:
        line = say("{old} is called {now}", old=own, now=now.name)
    else:
        taken = step.call.method == ASIDE
        words = "nothing starts {vm} by itself" if now.kept_off else "{vm} may start by itself"
        back = (
            "{vm} lacks nothing that was taken from it" if settled else "{vm} does not have back what was taken from it"
        )
        line = say(words if taken else back, vm=own)
    return Look(seen, line, (), {ASIDE: vm} if step.call.method == ASIDE else {})


async def _started(of: Plan, _step: Step, facts: Facts) -> Look:
    return _seen_running(of, await facts.restored(of.pool, _made(of)))


def _made(of: Plan) -> str:
    found = made_of(of)
    if not found:
        raise NotFound("guest", of.targets[0].name)
    return found[0]


def _seen_running(of: Plan, now: Restored) -> Look:
    if now.power_state is PowerState.RUNNING and now.host:
        host = of.names.get(now.host, now.host)
        headline = say("{guest} is restored and runs on {host}", guest=now.name, host=host)
        # XAPI shows a guest as running while its start may still fail, and names its start until then.
        return Look(Seen.GOING_ON if now.operations else Seen.DONE, headline, _evidence(of, now))
    seen = Seen.GOING_ON if set(now.operations) & {"start", "start_on"} else Seen.NOT_DONE
    state = say(power_word(now.power_state))
    return Look(seen, say("{guest} is restored, and {state}", guest=now.name, state=state), _evidence(of, now))


def _evidence(of: Plan, now: Restored) -> tuple[Phrase, ...]:
    tools = say(", tools answering") if now.tools else say("")
    state = say(power_word(now.power_state))
    disks = counted(len(now.disks), "disk", "disks")
    looked = say("Looked at: {state}, {disks}{tools}", state=state, disks=disks, tools=tools)
    aside = step_of(of, ASIDE)
    kept: tuple[Phrase, ...] = ()
    if aside is not None:
        _, own, later = renamed(aside)
        kept = (say("The guest that was {old} is kept, off, as {later}", old=own, later=later),)
    return (looked, *_cards(of, now), *kept)
