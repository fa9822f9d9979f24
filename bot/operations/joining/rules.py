"""The rules by which XAPI lets a host join a pool, in XAPI's order; what each compares is a fact of its own checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from bot.domain.joining import JoinFacts, Side
from bot.domain.plan import Grade
from bot.domain.texts import Code, Phrase, many, say
from bot.domain.words import counted
from bot.operations import cpu_features
from bot.operations.joining import membership, settings
from bot.operations.joining.rule import Rule, listed, rule, text, yes

#: What marks the Linux pack among the versions of software.
_LINUX_PACK = "xs:linux"


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
    """Every rule in the order to be read in: one that no setting mends comes first.

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
    unfinished = [side.coordinator.name for side in (host, pool) if side.guidances]
    yield rule(
        "guidance",
        "Updates to finish",
        well=not unfinished,
        mine=_spaced(host.guidances),
        theirs=_spaced(pool.guidances),
        fix=say("Do on {hosts} what the updates still ask for, mostly a reboot.", hosts=listed(unfinished)),
    )
    yield rule(
        "upgrade",
        "Upgrade going on",
        well=not (host.pool.upgrading or pool.pool.upgrading or host.updating or pool.updating),
        mine=_upgrading(host),
        theirs=_upgrading(pool),
        fix=say("Finish the upgrade, or wait until what goes on there has ended."),
    )


def _upgrading(side: Side) -> Phrase:
    return say("applies updates") if side.updating else yes(side.pool.upgrading)


def _spaced(names: Sequence[str]) -> Phrase:
    """Names of XAPI as words."""
    return listed([one.replace("_", " ") for one in names])


def _version(side: Side) -> str:
    software = side.software
    name = side.coordinator.product or software.get("platform_name", "")
    build = software.get("build_number", "")
    return f"{name} {side.coordinator.version}" + (f" ({build})" if build else "")


def _versions(host: Side, pool: Side) -> tuple[Phrase, Phrase]:
    """Both sides' versions; where they read alike, with what else differs beside them."""
    mine, theirs = _compared(host), _compared(pool)
    apart = [key for key in mine if _version(host) == _version(pool) and mine[key] != theirs[key]]
    return _told_apart(host, apart), _told_apart(pool, apart)


def _compared(side: Side) -> dict[str, str]:
    """What XAPI compares of the software of both coordinators; the name of the platform stands in for a brand."""
    software = side.software
    return {
        "platform version": software.get("platform_version", ""),
        "product": software.get("product_brand", software.get("platform_name", "")),
        "xapi": software.get("xapi", ""),
        "git id": software.get("git_id", ""),
        "Linux pack": "installed" if _LINUX_PACK in software else "not there",
    }


def _told_apart(side: Side, by: Sequence[str]) -> Phrase:
    compared = _compared(side)
    also = [f"{key} {compared[key] or '?'}" for key in by]
    return say("{version}", version=many([_version(side), *also]))


def _same_version(host: Side, pool: Side) -> Phrase:
    name, (mine, wanted) = host.coordinator.name, _versions(host, pool)
    if _numbers(host) > _numbers(pool):
        return say(
            "{host} is newer, and no host goes back but by a new installation: bring {pool} to {version} first, or "
            "install {host} anew with {wanted}.",
            host=name,
            pool=pool.pool.name,
            version=mine,
            wanted=wanted,
        )
    return say("Bring {host} to {version}, with the same updates, then join.", host=name, version=wanted)


def _numbers(side: Side) -> list[int]:
    """The version for comparing, of parts that are numbers."""
    return [int(part) for part in re.findall(r"\d+", side.software.get("platform_version", ""))]


def _software(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining, facts.pool
    fix, (mine, theirs) = _same_version(host, pool), _versions(host, pool)
    alike = _compared(host) == _compared(pool)
    yield rule("version", "Version", well=alike, mine=mine, theirs=theirs, fix=fix)
    yield rule(
        "api",
        "API and database",
        well=host.api == pool.api and host.software.get("db_schema") == pool.software.get("db_schema"),
        mine=say("API {api}, schema {schema}", api=host.api, schema=host.software.get("db_schema", "?")),
        theirs=say("API {api}, schema {schema}", api=pool.api, schema=pool.software.get("db_schema", "?")),
        fix=say("Finish the update that is half done on one side, then join: both run one version.")
        if alike
        else say("Mend the version: these come with it."),
    )
    yield rule(
        "updates",
        "Updates",
        well=host.updates.keys() == pool.updates.keys(),
        mine=_counted(host.updates, pool.updates),
        theirs=_counted(pool.updates, host.updates),
        fix=say("Apply the same ones on both: {lacking}.", lacking=many([*_lacking(facts)])),
    )
    yield _edition(host, pool)


def _edition(host: Side, pool: Side) -> Rule:
    """Licences of one name fit. How XAPI ranks others no record tells: the licence daemon of the joining host does."""
    name, title = host.coordinator.name, "Licence"
    mine, theirs = (listed([one for one in side.editions if one]) for side in (host, pool))
    if host.editions == pool.editions:
        return Rule("edition", title, Grade.OK, mine, theirs)
    fix = say(
        "Give {host} {same} to be sure: XAPI asks the licence daemon (v6d) of {host} how they rank, and refuses where "
        "they rank differently or it does not answer.",
        host=name,
        same=say("the licence of the pool") if len(pool.editions) == 1 else say("and all of the pool one licence"),
    )
    return Rule("edition", title, Grade.UNKNOWN, mine, theirs, fix, open=True)


def _counted(mine: dict[str, str], theirs: dict[str, str]) -> Phrase:
    """How many updates there are, and how many that the other side lacks."""
    updates, own = counted(len(mine), "update", "updates"), len(mine.keys() - theirs.keys())
    return say("{updates}, {n} of its own", updates=updates, n=own) if own else updates


def _lacking(facts: JoinFacts) -> Iterator[Phrase]:
    """Which updates of the other a side lacks, where it lacks any."""
    host, pool = facts.joining, facts.pool
    for name, mine, theirs in (
        (host.coordinator.name, host.updates, pool.updates),
        (pool.pool.name, pool.updates, host.updates),
    ):
        lacking = sorted(update for uuid, update in theirs.items() if uuid not in mine)
        if lacking:
            yield say("{side} lacks {updates}", side=name, updates=listed(lacking))


def _processors(facts: JoinFacts) -> Iterator[Rule]:
    host, pool = facts.joining.coordinator, facts.pool.coordinator
    vendor = rule(
        "cpu-vendor",
        "CPU vendor",
        well=host.cpu_vendor == pool.cpu_vendor,
        mine=text(host.cpu_vendor),
        theirs=text(pool.cpu_vendor),
        fix=say(
            "Keep {host} a pool of its own: no setting mends this, since guests cannot move between vendors. They go "
            "there by backup and restore.",
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
        fix = say(
            "Compare what {command} says on both: what the pool would lose cannot be told here.",
            command=Code("xe host-cpu-info"),
        )
        told_of = (_described(host.cpu_model, offered), _described(pool.coordinator.cpu_model, shared))
        return Rule("cpu-features", title, Grade.UNKNOWN, *told_of, fix)
    names, count = cpu_features.missing(shared, offered)
    mine = say("{model}, lacks {n}", model=host.cpu_model, n=counted(count, "feature", "features"))
    if not count:
        return Rule("cpu-features", title, Grade.OK, say("has all of the pool's"), text(pool.coordinator.cpu_model))
    which = many(names[:8]) if names else say("{n} without a usual name", n=count)
    affected = facts.restarting
    if affected:
        fix = say(
            "Reboot the guests that use them before they are to move to {host}: XAPI takes {features} from the whole "
            "pool, in use by {vms}, which keep running until then.",
            vms=listed(affected),
            host=host.name,
            features=which,
        )
    else:
        words = "Nothing has to be done: XAPI takes {features} from the whole pool, and no running guest uses them."
        fix = say(words, features=which)
    return Rule("cpu-features", title, Grade.WARNING, mine, text(pool.coordinator.cpu_model), fix)


def _described(model: str, features: tuple[int, ...] | None) -> Phrase:
    return say("{model}, which tells no features", model=model) if features is None else text(model)


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
