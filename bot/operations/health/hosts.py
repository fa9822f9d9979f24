"""What can be wrong with the hosts of a pool: alive, alike, in time, certified, licensed, strong enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from bot.domain.health import Expiry, HealthFacts, HostState
from bot.domain.plan import Grade
from bot.domain.texts import Code, Moment, Phrase, Size, Span, many, say
from bot.domain.words import counted
from bot.operations.health.row import Item, Row, row
from bot.operations.health.untold import untold

DAY_S = 86_400.0
_SOON_S = 30 * DAY_S
_AT_ONCE_S = 7 * DAY_S
#: Beyond some seconds logs of two hosts no longer tell one story; beyond five minutes XAPI itself raises an alert.
_SKEW_S = 3.0
_GREAT_SKEW_S = 300.0
_GIB = 1 << 30
#: A control domain is sized as 1 GiB and a twentieth of its host's memory, at most 8 GiB, by the server's own rule.
_CONTROL_BASE = _GIB
_CONTROL_SHARE = 20
_CONTROL_MOST = 8 * _GIB
#: A server complains by itself when a twentieth of dom0's memory is left; where it has none, its toolstack is killed.
_CONTROL_TIGHT = 0.1
_CONTROL_FULL = 0.05
#: So many times as much to do as it has processors.
_CONTROL_BUSY = 2


def rows(facts: HealthFacts) -> Iterator[Row]:
    """The rows about hosts."""
    yield _live(facts)
    yield _enabled(facts)
    yield _versions(facts)
    yield _updates(facts)
    yield _clocks(facts)
    yield _vendors(facts)
    yield _hvm(facts)
    yield _control_memory(facts)
    yield _control_load(facts)
    yield _certificates(facts)
    yield _licences(facts)


def _live(facts: HealthFacts) -> Row:
    items = []
    for host in facts.half_joined:
        half = say(
            "{host} joins just now, or joined only half-way, and calls to it hang: then {command} removes its record",
            host=host.name,
            command=Code(f"xe host-forget uuid={host.uuid}"),
        )
        items.append(Item(f"half:{host.uuid}", half, Grade.BLOCKED))
    for one in facts.hosts:
        host, guests = one.host, counted(one.host.guests, "guest", "guests")
        if host.silent_since is not None:
            since = Span(max(0.0, facts.read_at - host.silent_since))
            believed = say(", XAPI still says live") if host.live else say("")
            silent = say(
                "{host} silent for {since}{believed}; {guests} there unconfirmed",
                host=host.name,
                since=since,
                believed=believed,
                guests=guests,
            )
            items.append(Item(f"live:{host.uuid}", silent, Grade.BLOCKED))
        elif not host.live:
            dead = say("{host} is not live: XAPI has lost its heartbeat; {guests} there", host=host.name, guests=guests)
            items.append(Item(f"live:{host.uuid}", dead, Grade.BLOCKED))
    well = say("{hosts} live and answering", hosts=counted(len(facts.hosts), "host", "hosts"))
    return row("live", "Hosts live", items, well, say("Look at the host's console and power before anything else."))


def _enabled(facts: HealthFacts) -> Row:
    items = []
    for one in facts.hosts:
        if not one.host.enabled:
            why = say(", kept empty for maintenance") if one.host.maintenance else say("")
            says = say("{host} takes no guests{why}", host=one.host.name, why=why)
            items.append(Item(f"enabled:{one.host.uuid}", says))
    fix = say("Enable it once its work is done: {command}.", command=Code("/xen enable <host>"))
    return row("enabled", "Hosts enabled", items, say("every host takes guests"), fix)


def _versions(facts: HealthFacts) -> Row:
    found = {one.host.uuid: _version(one) for one in facts.hosts}
    coordinator = next((found[one.host.uuid] for one in facts.hosts if one.host.coordinator), None)
    items = [
        Item(
            f"version:{one.host.uuid}",
            say("{host} runs {version}", host=one.host.name, version=found[one.host.uuid]),
            Grade.WARNING if facts.pool.upgrading else Grade.BLOCKED,
        )
        for one in facts.hosts
        if coordinator and found[one.host.uuid] not in {"", coordinator}
    ]
    items += untold(facts, "version", say("its version"), [one for one in facts.hosts if not found[one.host.uuid]])
    if facts.pool.upgrading:
        items.append(Item("upgrading", say("a rolling upgrade is in progress")))
    well = say("{version} everywhere", version=coordinator or "one version")
    fix = say("Bring every host to the version of the coordinator.")
    if coordinator:
        fix = say("Bring every host to {version}, which the coordinator runs.", version=coordinator)
    return row("versions", "Versions", items, well, fix)


def _version(one: HostState) -> str:
    host = one.host
    return " ".join(part for part in (host.product, host.version, f"({one.build})" if one.build else "") if part)


def _updates(facts: HealthFacts) -> Row:
    every: frozenset[str] = frozenset().union(*(one.updates for one in facts.hosts))
    items = []
    for one in facts.hosts:
        lacks = len(every - one.updates)
        if lacks:
            missing = counted(lacks, "update", "updates")
            says = say("{host} lacks {n} that other hosts have", host=one.host.name, n=missing)
            items.append(Item(f"updates:{one.host.uuid}", says))
        if one.behind is None:
            unread = say("what {host} says of its updates is not understood", host=one.host.name)
            items.append(Item(f"behind:unknown:{one.host.uuid}", unread, Grade.UNKNOWN))
        elif one.behind:
            behind = say("{host} lacks updates that the pool has fetched", host=one.host.name)
            items.append(Item(f"behind:{one.host.uuid}", behind))
        if one.guidances:
            todo = say(
                "{host} still has to: {todo}",
                host=one.host.name,
                todo=many([guidance.replace("_", " ") for guidance in one.guidances]),
            )
            items.append(Item(f"guidance:{one.host.uuid}", todo))
    fix = say("Apply the same updates to every host, one at a time, each emptied before.")
    return row("updates", "Updates", items, say("the same on every host, none half applied"), fix)


def _clocks(facts: HealthFacts) -> Row:
    told = [one for one in facts.hosts if one.clock_ahead_s is not None]
    items = untold(facts, "clock", say("its time"), [one for one in facts.hosts if one.clock_ahead_s is None])
    middle = _middle(told)
    for one in told:
        off = (one.clock_ahead_s or 0.0) - middle
        beyond = abs(off) - one.clock_doubt_s
        if beyond > _SKEW_S:
            way = say("ahead of") if off > 0 else say("behind")
            says = say("{host} is {off} {way} the other clocks", host=one.host.name, off=Span(abs(off)), way=way)
            grade = Grade.BLOCKED if beyond > _GREAT_SKEW_S else Grade.WARNING
            items.append(Item(f"clock:{one.host.uuid}", says, grade))
    if told and abs(middle) - max(one.clock_doubt_s for one in told) > _SKEW_S:
        ours = say("xenbot's own clock differs from the pool's by {off}", off=Span(abs(middle)))
        items.append(Item("clock:xenbot", ours))
    worst = max((abs((one.clock_ahead_s or 0.0) - middle) for one in told), default=0.0)
    well = say("within {s} of each other, as far as whole seconds tell", s=Span(max(1.0, worst)))
    fix = say("Give every host the same time servers and see that they are reached.")
    return row("clocks", "Clocks", items, well, fix)


def _middle(told: list[HostState]) -> float:
    """The clock that most agree with; ours counts as one, so that of two hosts the wrong one can be named."""
    ordered = sorted([0.0, *(one.clock_ahead_s or 0.0 for one in told)])
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _vendors(facts: HealthFacts) -> Row:
    counts = Counter(one.host.cpu_vendor for one in facts.hosts if one.host.cpu_vendor)
    usual = counts.most_common(1)[0][0] if counts else ""
    items = [
        Item(
            f"vendor:{one.host.uuid}",
            say("{host} has a CPU of {vendor}", host=one.host.name, vendor=one.host.cpu_vendor),
            Grade.BLOCKED,
        )
        for one in facts.hosts
        if one.host.cpu_vendor not in {"", usual}
    ]
    items += untold(facts, "vendor", say("its CPU"), [one for one in facts.hosts if not one.host.cpu_vendor])
    fix = say("Give such a host a pool of its own: guests cannot move between CPU vendors.")
    return row("cpu-vendor", "CPU vendor", items, say("{vendor} everywhere", vendor=usual or "one vendor"), fix)


def _hvm(facts: HealthFacts) -> Row:
    guests = sum(vm.hvm for vm in facts.vms)
    items = [
        Item(
            f"hvm:{one.host.uuid}",
            say(
                "{host} cannot run HVM guests; the pool has {n}",
                host=one.host.name,
                n=counted(guests, "such guest", "such guests"),
            ),
        )
        for one in facts.hosts
        if one.host.hvm_capable is False
    ]
    unclear = [one for one in facts.hosts if one.host.hvm_capable is None]
    items += untold(facts, "hvm", say("whether it can run HVM guests"), unclear)
    fix = say("Switch on virtualisation (VT-x, AMD-V) in the host's firmware.")
    return row("hvm", "HVM capability", items, say("every host can run HVM guests"), fix)


def _control_memory(facts: HealthFacts) -> Row:
    items = []
    for one in facts.hosts:
        host, free = one.host, one.control.free if one.control is not None else None
        usual = min(_CONTROL_BASE + host.memory_total // _CONTROL_SHARE, _CONTROL_MOST)
        if 0 < host.control_memory < usual // 2:
            says = say(
                "{host} has {has} for a host of {total}",
                host=host.name,
                has=Size(host.control_memory),
                total=Size(host.memory_total),
            )
            items.append(Item(f"dom0:{host.uuid}", says))
        if free is not None and free < host.control_memory * _CONTROL_TIGHT:
            says = say(
                "{host} has {free} left of {has}", host=host.name, free=Size(free), has=Size(host.control_memory)
            )
            grave = free < host.control_memory * _CONTROL_FULL
            items.append(Item(f"dom0-free:{host.uuid}", says, Grade.BLOCKED if grave else Grade.WARNING))
    items += untold(
        facts, "dom0-free", say("the memory left to dom0"), [one for one in facts.hosts if one.control is None]
    )
    fix = say("Give the control domain (dom0) more memory and reboot the host: storage and tools run in it.")
    return row("dom0", "dom0 memory", items, say("enough on every host"), fix)


def _control_load(facts: HealthFacts) -> Row:
    items = []
    for one in facts.hosts:
        control = one.control
        if control is None or control.load is None or not control.processors:
            continue
        if control.load > control.processors * _CONTROL_BUSY:
            says = say(
                "{host} has a load of {load} on {n}",
                host=one.host.name,
                load=f"{control.load:.1f}",
                n=counted(control.processors, "processor", "processors"),
            )
            items.append(Item(f"dom0-load:{one.host.uuid}", says))
    items += untold(facts, "dom0-load", say("the load of dom0"), [one for one in facts.hosts if one.control is None])
    told = [one.control.load for one in facts.hosts if one.control is not None and one.control.load is not None]
    well = say("at most {load}", load=f"{max(told):.1f}") if told else say("this server does not measure it")
    fix = say("See what runs in dom0, move guests away, back up later: disks and networks of its guests wait for dom0.")
    return row("dom0-load", "dom0 load", items, well, fix)


def _certificates(facts: HealthFacts) -> Row:
    items = [
        item
        for one in facts.hosts
        for expiry in one.certificates
        for item in _ending(expiry, say("{host}: {what}", host=one.host.name, what=expiry.what), one.host.uuid, facts)
    ]
    unclear = [one for one in facts.hosts if not one.certificates]
    items += untold(facts, "ends", say("until when its certificate is good"), unclear)
    for expiry in facts.authorities:
        items += _ending(expiry, say("{what}", what=expiry.what), expiry.what, facts)
    fix = say("Put a new certificate in place before it ends; then tell xenbot its fingerprint.")
    return row("certificates", "Certificates", items, say("good for more than 30 days"), fix)


def certificates_end(facts: HealthFacts) -> bool:
    """Whether the row of certificates names one that ends soon, or has ended."""
    ends = [*(one for host in facts.hosts for one in host.certificates), *facts.authorities]
    return any(one.at - facts.read_at <= _SOON_S for one in ends)


def _licences(facts: HealthFacts) -> Row:
    items = [
        item
        for one in facts.hosts
        if one.licence is not None
        for item in _ending(one.licence, say("{host}: the licence", host=one.host.name), one.host.uuid, facts)
    ]
    fix = say("Renew the licence: without one, guests keep running and some functions stop.")
    return row("licence", "Licence", items, say("none ends within 30 days"), fix)


def _ending(expiry: Expiry, what: Phrase, about: str, facts: HealthFacts) -> Iterable[Item]:
    left = expiry.at - facts.read_at
    if left > _SOON_S:
        return
    grade = Grade.BLOCKED if left <= _AT_ONCE_S else Grade.WARNING
    if left <= 0:
        yield Item(f"ends:{about}:{expiry.what}", say("{what} ended {at}", what=what, at=Moment(expiry.at)), grade)
    else:
        yield Item(
            f"ends:{about}:{expiry.what}",
            say("{what} ends in {left} ({at})", what=what, left=Span(left), at=Moment(expiry.at)),
            grade,
        )
