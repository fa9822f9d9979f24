"""The rules by which XAPI lets a host join a pool, in XAPI's order; what each compares is a fact of its own checks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from bot.domain.joining import JoinFacts, Side
from bot.domain.plan import Grade
from bot.domain.texts import Code, Phrase, many, say
from bot.domain.words import counted
from bot.operations import cpu_features
from bot.operations.joining import membership, settings
from bot.operations.joining.rule import Rule, listed, rule, text, yes

#: What XAPI compares of the software of both coordinators.
_SAME = ("platform_version", "product_brand", "xapi_build", "git_id", "linux")


def rules(facts: JoinFacts) -> tuple[Rule, ...]:
    """Every rule, judged."""
    return (
        *membership.rules(facts),
        *_guests(facts),
        *_software(facts),
        *_processors(facts),
        *settings.rules(facts),
    )


def told(facts: JoinFacts) -> tuple[Rule, ...]:
    """Every rule in the order to be read in: one that is broken for good comes first.

    Beside it no other has a fix: whoever shut guests down for it would have done so for nothing.
    """
    found = rules(facts)
    if not any(one.final for one in found):
        return found
    others = (msgspec.structs.replace(one, fix=None) for one in found if not one.final)
    return (*(one for one in found if one.final), *others)


def _guests(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining, facts.pool
    yield rule(
        "running",
        "Running guests",
        well=not host.running,
        mine=listed(host.running),
        theirs=say("may run"),
        fix=say("Shut them down first ({command}); they come along into the pool.", command=Code("/xen stop <vm>")),
    )
    yield rule(
        "busy",
        "Guests at work",
        well=not host.busy,
        mine=listed(host.busy),
        theirs=say("may work"),
        fix=say("Wait until nothing goes on at the guests there."),
    )
    guidances = sorted({*host.guidances, *pool.guidances})
    yield rule(
        "guidance",
        "Updates to finish",
        well=not guidances,
        mine=listed([one.replace("_", " ") for one in host.guidances]),
        theirs=listed([one.replace("_", " ") for one in pool.guidances]),
        fix=say("Do what the updates still ask for, mostly a reboot, on the side that lacks it."),
    )
    yield rule(
        "upgrade",
        "Upgrade going on",
        well=not (host.pool.upgrading or pool.pool.upgrading or host.working or pool.working),
        mine=listed(host.working) if host.working else yes(host.pool.upgrading),
        theirs=listed(pool.working) if pool.working else yes(pool.pool.upgrading),
        fix=say("Finish the upgrade, or whatever the pool is at, first."),
    )


def _version(side: Side) -> str:
    software = side.software
    name = side.coordinator.product or software.get("platform_name", "")
    build = software.get("build_number", "")
    return f"{name} {side.coordinator.version}" + (f" ({build})" if build else "")


def _same_version(host: Side, pool: Side) -> Phrase:
    name, wanted = host.coordinator.name, _version(pool)
    if _numbers(host) > _numbers(pool):
        return say(
            "{host} is newer, and no host goes back but by a new installation: bring {pool} to {version} first, or "
            "install {host} anew with {wanted}.",
            host=name,
            pool=pool.pool.name,
            version=_version(host),
            wanted=wanted,
        )
    return say("Bring {host} to {version}, with the same updates, then join.", host=name, version=wanted)


def _numbers(side: Side) -> list[int]:
    """The version for comparing, of parts that are numbers."""
    return [int(part) for part in re.findall(r"\d+", side.software.get("platform_version", ""))]


def _software(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining, facts.pool
    name, fix = facts.joining.coordinator.name, _same_version(host, pool)
    alike = all(host.software.get(key) == pool.software.get(key) for key in _SAME)
    yield rule("version", "Version", well=alike, mine=text(_version(host)), theirs=text(_version(pool)), fix=fix)
    yield rule(
        "api",
        "API and database",
        well=host.api == pool.api and host.software.get("db_schema") == pool.software.get("db_schema"),
        mine=say("API {api}, schema {schema}", api=host.api, schema=host.software.get("db_schema", "?")),
        theirs=say("API {api}, schema {schema}", api=pool.api, schema=pool.software.get("db_schema", "?")),
        fix=fix if alike else say("They come with the version."),
    )
    yield rule(
        "updates",
        "Updates",
        well=host.updates == pool.updates,
        mine=counted(len(host.updates), "update", "updates"),
        theirs=counted(len(pool.updates), "update", "updates"),
        fix=say(
            "Apply the same ones: {host} lacks {lacking}, and has {more} that the pool lacks.",
            host=name,
            lacking=len(pool.updates - host.updates),
            more=len(host.updates - pool.updates),
        ),
    )
    yield rule(
        "edition",
        "Licence",
        well=host.edition == pool.edition,
        mine=text(host.edition),
        theirs=text(pool.edition),
        fix=say("Give {host} the licence of the pool.", host=name),
    )


def _processors(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining.coordinator, facts.pool.coordinator
    vendor = rule(
        "cpu-vendor",
        "CPU vendor",
        well=host.cpu_vendor == pool.cpu_vendor,
        mine=text(host.cpu_vendor),
        theirs=text(pool.cpu_vendor),
        fix=say(
            "No setting mends this: guests cannot move between vendors. Keep {host} a pool of its own; guests go there "
            "by backup and restore.",
            host=host.name,
        ),
    )
    apart = vendor.grade is not Grade.OK and bool(host.cpu_vendor and pool.cpu_vendor)
    yield msgspec.structs.replace(vendor, final=apart)
    yield _features(facts)


def _features(facts: JoinFacts) -> Rule:
    host, pool = facts.joining.coordinator, facts.pool
    title, offered = "CPU features", cpu_features.parse(host.features_hvm)
    shared = _shared_features(pool)
    models = text(host.cpu_model), text(pool.coordinator.cpu_model)
    if host.cpu_vendor != pool.coordinator.cpu_vendor:
        return Rule("cpu-features", title, Grade.OK, *models)
    if offered is None or shared is None:
        fix = say("Not every host tells the features of its CPU, so nobody can say what the pool would lose.")
        return Rule("cpu-features", title, Grade.UNKNOWN, *models, fix)
    names, count = cpu_features.missing(shared, offered)
    mine = say("{model}, lacks {n}", model=host.cpu_model, n=counted(count, "feature", "features"))
    if not count:
        return Rule("cpu-features", title, Grade.OK, say("has all of the pool's"), text(pool.coordinator.cpu_model))
    which = many(names[:8]) if names else say("{n} without a usual name", n=count)
    affected = facts.restarting
    then = say("no running guest uses them") if not affected else say("in use by {vms}", vms=listed(affected))
    fix = say(
        "XAPI takes {features} from the whole pool: {then}. Such a guest keeps running, and can move to {host} after a "
        "reboot.",
        features=which,
        then=then,
        host=host.name,
    )
    return Rule("cpu-features", title, Grade.WARNING, mine, text(pool.coordinator.cpu_model), fix)


def _shared_features(pool: Side) -> tuple[int, ...] | None:
    """What every host of the pool has; None where one does not say."""
    shared: tuple[int, ...] | None = None
    for host in pool.hosts:
        if host.half_joined:
            # A join that broke off has left it, and it says nothing of its processor.
            continue
        words = cpu_features.parse(host.features_hvm)
        if words is None:
            return None
        if shared is None:
            shared = words
        else:
            longest = max(len(shared), len(words))
            both = zip(_padded(shared, longest), _padded(words, longest), strict=True)
            shared = tuple(one & other for one, other in both)
    return shared


def _padded(words: tuple[int, ...], length: int) -> tuple[int, ...]:
    return words + (0,) * (length - len(words))
