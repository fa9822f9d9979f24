"""The rules of a join about storage, networks, drivers and security, in XAPI's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.joining import JoinFacts, Side
from bot.domain.texts import Phrase, say
from bot.domain.words import counted
from bot.operations.joining.rule import NONE, Rule, listed, rule, text, yes

#: Of a fingerprint in hexadecimal pairs, as much as tells two apart: six pairs.
_BEGINNING = 17


def rules(facts: JoinFacts) -> Iterator[Rule]:
    """Those rules, judged."""
    yield from _storage_and_networks(facts)
    yield from _settings(facts)
    yield from _security(facts)


def _storage_and_networks(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining, facts.pool
    yield rule(
        "shared-sr",
        "Shared storage",
        well=not host.shared,
        mine=listed(host.shared),
        theirs=say("may have"),
        fix=say("Detach it there and forget it, data kept; the pool attaches it again."),
    )
    for key, title, found in (
        ("bonds", "Bonds", listed(host.bonds)),
        ("tunnels", "Tunnels", say("{n}", n=host.tunnels) if host.tunnels else NONE),
        ("sriov", "SR-IOV networks", say("{n}", n=host.sriovs) if host.sriovs else NONE),
        ("vlans", "VLANs", listed(host.vlans)),
    ):
        yield rule(
            key,
            title,
            well=found == NONE,
            mine=found,
            theirs=say("may have"),
            fix=say(
                "Remove them on {host}: the pool makes its own there when it has joined.", host=host.coordinator.name
            ),
        )
    mine, theirs = host.management, pool.management
    if mine is not None and theirs is not None:
        yield rule(
            "management-vlan",
            "VLAN of management",
            well=mine[1] == theirs[1],
            mine=text(str(mine[1])) if mine[1] >= 0 else NONE,
            theirs=text(str(theirs[1])) if theirs[1] >= 0 else NONE,
            fix=say("Put the management interfaces of both on the same VLAN."),
        )
        yield rule(
            "address-type",
            "Kind of addresses",
            well=mine[2] == theirs[2],
            mine=text(mine[2]),
            theirs=text(theirs[2]),
            fix=say("Manage both over IPv4, or both over IPv6."),
        )
    yield rule(
        "nbd",
        "Purposes of networks",
        well=not _insecure(host.purposes | pool.purposes),
        mine=listed(sorted(host.purposes)),
        theirs=listed(sorted(pool.purposes)),
        fix=say("Settle on one: one side offers disks encrypted (nbd), the other openly (insecure_nbd)."),
    )


def _insecure(purposes: frozenset[str]) -> bool:
    return {"nbd", "insecure_nbd"} <= purposes


def _settings(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining, facts.pool
    yield rule(
        "auth",
        "External authentication",
        well=_folded(host.auth) == _folded(pool.auth),
        mine=text(" ".join(part for part in host.auth if part)),
        theirs=text(" ".join(part for part in pool.auth if part)),
        fix=_directory(host, pool),
    )
    mine, theirs = (side.software.get("network_backend", "bridge") for side in (host, pool))
    yield rule(
        "backend",
        "Network backend",
        well=mine == theirs,
        mine=text(mine),
        theirs=text(theirs),
        fix=say("Switch {host} to {backend}; it reboots for that.", host=host.coordinator.name, backend=theirs),
    )
    yield rule(
        "sdn",
        "SDN controller",
        # A host without one takes that of the pool, and only Open vSwitch has any.
        well=not host.controllers or host.controllers == pool.controllers or mine != "openvswitch",
        mine=listed(host.controllers),
        theirs=listed(pool.controllers),
        fix=say("Remove the controller of {host}: that of the pool, if any, counts there.", host=host.coordinator.name),
    )
    lacking = sorted(
        f"{feature} of {kind}"
        for kind, features in pool.drivers.items()
        for feature, version in features.items()
        # A feature of an older version is as good as none.
        if kind in host.drivers and host.drivers[kind].get(feature, -1) < version
    )
    lacking += sorted(f"the driver {kind}" for kind in pool.drivers.keys() - host.drivers.keys())
    yield rule(
        "drivers",
        "Storage drivers",
        well=not lacking,
        mine=say("lacks {features}", features=listed(lacking)) if lacking else say("has all of the pool's"),
        theirs=counted(len(pool.drivers), "driver", "drivers"),
        fix=say("Install the same storage drivers in the same versions on {host}.", host=host.coordinator.name),
    )


def _folded(auth: tuple[str, str]) -> tuple[str, str]:
    """Type and service as they are compared: the name of a service in whatever case."""
    return auth[0], auth[1].lower()


def _directory(host: Side, pool: Side) -> Phrase:
    """How a host comes to ask the same directory as the pool who people are."""
    name, home = host.coordinator.name, pool.pool.name
    if not any(host.auth):
        return say("Join {host} to the directory of {pool}.", host=name, pool=home)
    if not any(pool.auth):
        return say("Take {host} out of its directory, since {pool} has none.", host=name, pool=home)
    return say("Take {host} out of its directory and join it to that of {pool}.", host=name, pool=home)


def _security(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining, facts.pool
    yield rule(
        "tls",
        "Certificates checked",
        well=host.verifies == pool.verifies,
        mine=yes(host.verifies),
        theirs=yes(pool.verifies),
        fix=say("Switch the checking of certificates (TLS verification) on where it is off."),
    )
    other = sorted(
        name for name, mark in host.authorities.items() if pool.authorities.get(name, mark).lower() != mark.lower()
    )
    yield rule(
        "authorities",
        "Trusted authorities",
        well=not other,
        mine=listed(_shown(host.authorities, other)),
        theirs=listed(_shown(pool.authorities, other)),
        fix=say("Remove the wrong one: {names} is another certificate on each side.", names=listed(other)),
    )
    clashes = sorted(mark for mark, mine in host.trusted.items() if _clash(mine, pool.trusted.get(mark, mine)))
    yield rule(
        "trusted",
        "Trusted certificates",
        well=not clashes,
        mine=listed(_purposes(host.trusted, clashes)),
        theirs=listed(_purposes(pool.trusted, clashes)),
        fix=say(
            "Remove {marks} on one side and install it there for the purposes of the other: one certificate may not be "
            "trusted for some purposes on both and for others on one.",
            marks=listed([mark[:_BEGINNING] for mark in clashes]),
        ),
    )


def _clash(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether the purposes that one certificate is trusted for keep XAPI from trusting it for all of them."""
    return mine != theirs and bool(mine & theirs)


def _purposes(trusted: dict[str, frozenset[str]], clashes: Sequence[str]) -> list[str]:
    """What certificates are trusted for, each named by the beginning of its fingerprint; of all, or of these."""
    return [
        f"{mark[:_BEGINNING]} for {' and '.join(sorted(trusted[mark])) or 'everything'}"
        for mark in clashes or sorted(trusted)
    ]


def _shown(certificates: dict[str, str], other: Sequence[str]) -> list[str]:
    """The names of authorities; where some differ, only these, with the beginnings of their fingerprints."""
    return [f"{name} {certificates[name][:_BEGINNING]}" for name in other] if other else sorted(certificates)
