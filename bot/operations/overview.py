"""What the live inventory and the job list say of pools, a host or a guest: the answers of `/xen status`.

Pure: everything comes in as values. What is not known is said so, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inventory import Disk, FeedState, Host, PoolView, PowerState, Tools, Vm
from bot.domain.job import JobState
from bot.domain.message import Facts, Mark, Message, Part, Verdict, Ways
from bot.domain.record import Freeze, JobRecord, StepState
from bot.domain.texts import Code, Moment, Phrase, Size, Span, Value, Who, many, say
from bot.domain.words import counted, feed_word, power_word, state_word

# Older facts are called old: the feed answers every five seconds or so while all is well.
OLD_S = 10.0


def pools(views: Sequence[PoolView], jobs: Sequence[JobRecord], freeze: Freeze | None, now: float) -> Message:
    """Every given pool in a few lines, what needs a person first."""
    parts: list[Part] = []
    troubled: list[Phrase] = []
    for view in views:
        needs = _needs(view, jobs, now)
        headline = _pool_headline(view, len(needs))
        if needs:
            troubled.append(headline)
        parts.append(Verdict(headline, (_age(view),), Mark.ATTENTION if needs else Mark.PLAIN))
        lines = [*needs, *(host_line(host) for host in view.hosts)]
        if lines:
            parts.append(Facts(tuple(lines)))
    work = [*_frozen(freeze), *(_job_line(record) for record in jobs)]
    if work:
        parts.append(Facts(tuple(work)))
    if not views:
        parts.insert(0, Verdict(say("No pool is configured"), mark=Mark.ATTENTION))
    return Message(_pools_summary(views, troubled), tuple(parts))


def _pools_summary(views: Sequence[PoolView], troubled: Sequence[Phrase]) -> Phrase:
    if troubled:
        return say("{pools}", pools=many(troubled))
    if not views:
        return say("No pool is configured")
    return say("Nothing needs you: {pools}", pools=many([view.name for view in views]))


def _pool_headline(view: PoolView, needs: int) -> Phrase:
    if view.state is FeedState.LOADING:
        return say("{pool}: not known yet, still loading", pool=view.name)
    if not needs:
        return say("{pool}: nothing needs you", pool=view.name)
    return say("{pool}: {n} you", pool=view.name, n=counted(needs, "thing needs", "things need"))


def _age(view: PoolView) -> Phrase:
    if view.state is FeedState.LOADING:
        return say("no facts yet")
    return say("facts {age} old", age=Span(view.age_s))


def doubts(view: PoolView) -> list[Phrase]:
    """Why the facts of a pool may not be true now; empty while its feed is live and fresh."""
    reason = say(": {reason}", reason=view.reason) if view.reason else say("")
    if view.state is FeedState.LOADING:
        return [say("{pool} is {state}{reason}", pool=view.name, state=say(feed_word(view.state)), reason=reason)]
    if view.state is FeedState.LOST:
        age = Span(view.age_s)
        return [say("Contact with {pool} is lost{reason}. Facts are {age} old", pool=view.name, reason=reason, age=age)]
    if view.age_s > OLD_S:
        return [
            say(
                "{pool} has not answered for {age}: what follows may be out of date",
                pool=view.name,
                age=Span(view.age_s),
            )
        ]
    return []


def _needs(view: PoolView, jobs: Sequence[JobRecord], now: float) -> list[Phrase]:
    found = doubts(view)
    for host in view.hosts:
        if host.silent_since is not None:
            found.append(_silent(host, now))
        elif not host.live:
            found.append(say("{host} is not live: the coordinator has lost it", host=host.name))
    if view.pool is not None and view.pool.upgrading:
        found.append(say("{pool} is in a rolling upgrade", pool=view.name))
    own = [record for record in jobs if view.pool is not None and record.pool == view.pool.uuid]
    found += [
        say("Job {n} needs a person: {title}", n=Code(str(record.number)), title=record.plan.title)
        for record in own
        if record.state is JobState.NEEDS_ATTENTION
    ]
    return found


def _silent(host: Host, now: float) -> Phrase:
    since = Span(max(0.0, now - (host.silent_since or now)))
    believed = "XAPI still says live" if host.live else "XAPI has lost it too"
    guests = counted(host.guests, "guest there is", "guests there are")
    line = "{host} is silent for {since} (our probe); " + believed + ". {guests} unconfirmed"
    return say(line, host=host.name, since=since, guests=guests)


def host_line(host: Host) -> Phrase:
    """A host in one line; memory is not told for one that does not answer."""
    facts: list[Phrase] = []
    if host.coordinator:
        facts.append(say("coordinator"))
    if not host.enabled:
        facts.append(say("disabled"))
    facts.append(counted(host.guests, "guest", "guests"))
    if host.silent_since is not None:
        facts.append(say("silent since {at}", at=Moment(host.silent_since)))
    elif not host.live:
        facts.append(say("not live"))
    else:
        facts.append(say("{free} of {total} free", free=Size(host.memory_free), total=Size(host.memory_total)))
    return say("{host}: {facts}", host=host.name, facts=many(facts))


def _frozen(freeze: Freeze | None) -> list[Phrase]:
    if freeze is None:
        return []
    why = say(": “{reason}”", reason=freeze.reason) if freeze.reason else say("")
    return [
        say(
            "Frozen by {who} since {at}{why}. No changing job starts", who=Who(freeze.by), at=Moment(freeze.at), why=why
        )
    ]


def _job_line(record: JobRecord) -> Phrase:
    state = say(state_word(record.state))
    line = say("Job {n}, {state}: {title}", n=Code(str(record.number)), state=state, title=record.plan.title)
    going = next((step for step in record.steps if step.state is StepState.SENT), None)
    if record.state is JobState.RUNNING and going is not None:
        return say("{line}, {percent} %", line=line, percent=int(going.progress * 100))
    return line


def host(one: Host, view: PoolView, jobs: Sequence[JobRecord], now: float) -> Message:
    """One host: its state, its room, its guests."""
    up = one.live and one.silent_since is None
    state = say("live") if up else say("silent") if one.silent_since is not None else say("not live")
    headline = say("{host} is {state}", host=one.name, state=state)
    lines = doubts(view)
    if one.silent_since is not None:
        lines.append(_silent(one, now))
    lines.append(host_line(one))
    product = say("{product} {version}", product=one.product, version=one.version)
    lines.append(
        say(
            "{n} CPUs, {model} · {product} · address {address}",
            n=one.cpu_count,
            model=one.cpu_model,
            product=product,
            address=one.address,
        )
    )
    if not one.enabled:
        lines.append(say("Disabled: it takes no new guests"))
    if one.operations:
        lines.append(say("Going on there: {operations}", operations=many(one.operations)))
    guests = sorted((vm for vm in view.vms if vm.host == one.uuid), key=lambda vm: vm.name.casefold())
    if guests:
        lines.append(say("Guests: {guests}", guests=many([vm.name for vm in guests])))
    lines += [_job_line(record) for record in jobs]
    mark = Mark.PLAIN if up and not doubts(view) else Mark.ATTENTION
    return Message(
        headline, (Verdict(headline, (say("pool {pool}", pool=view.name), _age(view)), mark), Facts(tuple(lines)))
    )


def guest(vm: Vm, view: PoolView, jobs: Sequence[JobRecord], now: float) -> Message:
    """One guest: where it runs, what it has, what its tools say."""
    on = next((each for each in view.hosts if each.uuid == vm.host), None)
    state: Value = say(power_word(vm.power_state))
    headline = say("{vm} is {state}", vm=vm.name, state=state)
    if on is not None:
        headline = say("{vm} is {state} on {host}", vm=vm.name, state=state, host=on.name)
    beside = [say("{n} vCPU, {memory}", n=vm.vcpus, memory=Size(vm.memory_dynamic_max)), _age(view)]
    if vm.started_at is not None and vm.power_state is PowerState.RUNNING:
        beside.insert(0, say("up {time}", time=Span(max(0.0, now - vm.started_at))))
    lines = doubts(view)
    if on is not None and on.silent_since is not None:
        lines.append(
            say("{host} is silent since {at}, so this is not confirmed", host=on.name, at=Moment(on.silent_since))
        )
    ways: tuple[Part, ...] = ()
    if vm.power_state is PowerState.RUNNING:
        lines.append(_tools(vm))
        if vm.hvm and vm.tools is Tools.NONE and not vm.can_suspend:
            ways = (Ways((say("Install the guest tools inside {vm}, then reboot it.", vm=vm.name),)),)
    lines += [_disk(disk) for disk in vm.disks if disk.vdi]
    if vm.networks:
        lines.append(say("Networks: {networks}", networks=many([network.name for network in vm.networks])))
    lines.append(_addresses(vm))
    if vm.tags:
        lines.append(say("Tags: {tags}", tags=many(sorted(vm.tags))))
    if vm.operations:
        lines.append(say("Going on: {operations}", operations=many(sorted(vm.operations))))
    lines += [_job_line(record) for record in jobs]
    mark = Mark.ATTENTION if doubts(view) or (on is not None and on.silent_since is not None) else Mark.PLAIN
    return Message(headline, (Verdict(headline, tuple(beside), mark), Facts(tuple(lines)), *ways))


def _tools(vm: Vm) -> Phrase:
    if vm.hvm and vm.tools is Tools.NONE and not vm.can_suspend:
        return say(
            "Tools: none. HVM without PV drivers: disk and network go through device emulation (QEMU), "
            "so I/O is slow and it cannot be migrated live"
        )
    words = {Tools.NONE: "none", Tools.NO_AGENT: "drivers, but no agent", Tools.PRESENT: "answering"}
    return say("Tools: {tools}", tools=say(words[vm.tools]))


def _disk(disk: Disk) -> Phrase:
    if disk.cd:
        return say("CD drive holds “{iso}”", iso=disk.vdi_name)
    if disk.sr is None:
        return say(
            "Disk {device}: {size}, its storage cannot be seen", device=disk.userdevice, size=Size(max(disk.size, 0))
        )
    kind = say("shared") if disk.sr.shared else say("local")
    return say(
        "Disk {device}: {size} on {sr} ({kind})",
        device=disk.userdevice,
        size=Size(max(disk.size, 0)),
        sr=disk.sr.name,
        kind=kind,
    )


def _addresses(vm: Vm) -> Phrase:
    if not vm.addresses:
        return say("No address reported")
    return say("Addresses: {addresses}", addresses=many(vm.addresses))
