"""What can be wrong with the storage of a pool: plugs, space, paths, chains, and what was left behind."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.health import HealthFacts, Paths, Plug, Store
from bot.domain.inventory import Sr
from bot.domain.message import Button
from bot.domain.plan import Grade
from bot.domain.texts import Code, Phrase, Size, Span, say
from bot.domain.words import counted
from bot.operations.health.hosts import DAY_S
from bot.operations.health.row import Item, Row, on_button, row

_FULL = 0.9
_FILLING = 0.8
#: A storage driver makes no chain longer than this; then it refuses snapshots and with them backups.
_LONGEST = 30
_LONG = 20
#: A base or two between two runs of the storage's own clean-up are normal.
_DEBT = 8
_OLD_S = 30 * DAY_S
#: Types that keep no guest's disks, whatever they are called.
_NO_DISKS = frozenset({"udev", "iso"})
_TOOLS = ("[XO ", "[XO Backup", "Xen Orchestra")


def rows(facts: HealthFacts) -> Iterator[Row]:
    """The rows about storage."""
    yield _plugs(facts)
    yield _alike(facts)
    yield _space(facts)
    yield _promises(facts)
    yield _default(facts)
    yield _paths(facts)
    yield _chains(facts)
    yield _snapshots(facts)
    yield _orphans(facts)
    yield _held(facts)


def _shared(facts: HealthFacts) -> list[Store]:
    return [one for one in facts.stores if one.sr.shared and one.sr.type not in _NO_DISKS]


def _plugs(facts: HealthFacts) -> Row:
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    srs = {one.sr.uuid: one for one in facts.stores}
    items = []
    there = {(one.sr, one.host) for one in facts.plugs}
    for one in facts.plugs:
        store = srs.get(one.sr)
        if one.attached or store is None or one.host not in names:
            continue
        says = say("{sr} is not attached to {host}", sr=store.sr.name, host=names[one.host])
        items.append(Item(f"plug:{one.uuid}", says, Grade.BLOCKED, _plug_button(store.sr, one, names[one.host])))
    for store in _shared(facts):
        for uuid, name in names.items():
            if (store.sr.uuid, uuid) not in there:
                says = say("{sr} has no plug (PBD) in {host}", sr=store.sr.name, host=name)
                items.append(Item(f"no-plug:{store.sr.uuid}:{uuid}", says, Grade.BLOCKED))
    fix = say(
        "See that the host reaches the server, then attach it: guests there lose their disks, others cannot move in."
    )
    return row("plugs", "Storage attached", items, say("every storage is attached where it should be"), fix)


def _plug_button(sr: Sr, plug: Plug, host: str) -> Button:
    return Button(
        f"Attach {on_button(sr.name)} to {on_button(host)}",
        "ask",
        f"plug {plug.sr} on {plug.host}",
        says=say("Attach {sr} to {host}", sr=sr.name, host=host),
    )


def _alike(facts: HealthFacts) -> Row:
    items = []
    for store in _shared(facts):
        plugs = [one for one in facts.plugs if one.sr == store.sr.uuid]
        differing = sorted({key for one in plugs for key, text in one.settings if _differs(plugs, key, text)})
        if differing:
            says = say(
                "the hosts reach {sr} with different settings: {keys}", sr=store.sr.name, keys=", ".join(differing)
            )
            items.append(Item(f"alike:{store.sr.uuid}", says))
    fix = say("Make every host's plug the same, one host at a time: two addresses may be two storages.")
    return row("alike", "Storage settings", items, say("the same on every host"), fix)


def _differs(plugs: list[Plug], key: str, text: str) -> bool:
    return any(dict(one.settings).get(key) != text for one in plugs)


def _used(sr: Sr) -> float | None:
    return sr.used / sr.size if sr.size > 0 and sr.used >= 0 else None


def _with_disks(facts: HealthFacts) -> Iterator[Store]:
    for one in facts.stores:
        if one.content != "iso" and one.sr.type not in _NO_DISKS and one.sr.size > 0:
            yield one


def _space(facts: HealthFacts) -> Row:
    items = []
    for one in _with_disks(facts):
        share = _used(one.sr)
        if share is not None and share >= _FILLING:
            says = say(
                "{sr} is {percent} % full, {free} free",
                sr=one.sr.name,
                percent=int(share * 100),
                free=Size(max(0, one.sr.size - one.sr.used)),
            )
            items.append(Item(f"space:{one.sr.uuid}", says, Grade.BLOCKED if share >= _FULL else Grade.WARNING))
    items += [
        Item(f"space:unknown:{one.sr.uuid}", say("how full {sr} is was not told", sr=one.sr.name), Grade.UNKNOWN)
        for one in facts.stores
        if one.content != "iso" and one.sr.type not in _NO_DISKS and one.sr.size <= 0
    ]
    fix = say("Delete snapshots and disks nobody needs, or move disks away: {c}.", c=Code("/xen move-disks"))
    return row("space", "Storage space", items, say("every storage has a fifth free or more"), fix)


def _promises(facts: HealthFacts) -> Row:
    items = []
    for one in _with_disks(facts):
        if one.promised > one.sr.size:
            says = say(
                "disks on {sr} may grow to {promised} of {size}",
                sr=one.sr.name,
                promised=Size(one.promised),
                size=Size(one.sr.size),
            )
            items.append(Item(f"promised:{one.sr.uuid}", says))
    fix = say("Watch the space, or keep fewer disks there: nothing fails while there is room.")
    return row("promises", "Thin overcommit", items, say("no storage has promised more than it has"), fix)


def _default(facts: HealthFacts) -> Row:
    title, fix = "Default storage", say("Choose a shared storage as the pool's default.")
    store = next((one for one in facts.stores if one.sr.uuid == facts.pool.default_sr), None)
    several = len(facts.hosts) > 1
    if store is None:
        none = say("the pool has none: disks whose storage nobody names cannot be made")
        return row("default-sr", title, [Item("default-sr", none)], none, fix)
    items = []
    if several and not store.sr.shared:
        says = say("{sr} is not shared: what is made there cannot move", sr=store.sr.name)
        items.append(Item("default-sr:local", says))
    return row("default-sr", title, items, say("{sr}", sr=store.sr.name), fix)


def _paths(facts: HealthFacts) -> Row:
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    srs = {one.sr.uuid: one.sr.name for one in facts.stores}
    items = []
    for one in facts.hosts:
        items += [
            _lost(paths, one.host.name, "its own disk", one.host.uuid) for paths in one.boot_paths if _short(paths)
        ]
    for plug in facts.plugs:
        where = names.get(plug.host, "")
        items += [_lost(paths, where, srs.get(plug.sr, ""), plug.uuid) for paths in plug.paths if _short(paths)]
    switched = {one.multipathing for one in facts.hosts}
    if len(switched) > 1:
        off = [one.host.name for one in facts.hosts if not one.multipathing]
        items.append(Item("multipathing", say("multipathing is off on {hosts} alone", hosts=", ".join(off))))
    fix = say("Look at the cables, switches and storage controllers of the missing paths.")
    return row("paths", "Paths to storage", items, say("all there"), fix)


def _short(paths: Paths) -> bool:
    return paths.up < paths.most


def _lost(paths: Paths, host: str, what: str, about: str) -> Item:
    says = say("{host} has {up} of {most} paths to {what}", host=host, up=paths.up, most=paths.most, what=what)
    # With a single path left the next cable that fails takes the storage with it.
    return Item(f"paths:{about}:{paths.device}", says, Grade.BLOCKED if paths.up <= 1 else Grade.WARNING)


def _chains(facts: HealthFacts) -> Row:
    items = []
    for one in _with_disks(facts):
        if one.deepest >= _LONG:
            says = say(
                "{disk} on {sr} is a chain of {n} images, {most} are the most",
                disk=one.deepest_disk or "a disk",
                sr=one.sr.name,
                n=one.deepest,
                most=_LONGEST,
            )
            items.append(
                Item(f"chain:{one.sr.uuid}", says, Grade.BLOCKED if one.deepest >= _LONGEST else Grade.WARNING)
            )
        if one.waiting > _DEBT:
            says = say("{n} on {sr} wait to be merged", n=counted(one.waiting, "image", "images"), sr=one.sr.name)
            items.append(Item(f"debt:{one.sr.uuid}", says))
    fix = say("Delete old snapshots and leave the storage time and free space to merge what they leave.")
    return row("chains", "Chains of images", items, say("short on every storage"), fix)


def _snapshots(facts: HealthFacts) -> Row:
    items = []
    for one in facts.snapshots:
        age = facts.read_at - one.taken_at if one.taken_at is not None else 0.0
        of = one.guest or "a guest that is gone"
        if age > _OLD_S:
            says = say("“{name}” of {vm}, {age} old", name=one.name, vm=of, age=Span(age))
            items.append(Item(f"snapshot:{one.uuid}", says))
        elif age > DAY_S and one.name.startswith(_TOOLS):
            says = say("“{name}” of {vm}, left by a backup {age} ago", name=one.name, vm=of, age=Span(age))
            items.append(Item(f"snapshot:{one.uuid}", says))
    fix = say("Delete those that nobody will go back to: each keeps old data and slows its disk.")
    return row("snapshots", "Old snapshots", items, say("none older than 30 days"), fix)


def _orphans(facts: HealthFacts) -> Row:
    items = []
    for one in _with_disks(facts):
        if one.orphans:
            says = say(
                "{n} on {sr} {belong} to no guest, {size} in all",
                n=counted(len(one.orphans), "disk", "disks"),
                belong=say("belongs") if len(one.orphans) == 1 else say("belong"),
                sr=one.sr.name,
                size=Size(one.orphans_size),
            )
            items.append(Item(f"orphans:{one.sr.uuid}", says))
    fix = say("Look what they hold before you delete any: a disk taken off its guest looks the same.")
    return row("orphans", "Disks without a guest", items, say("none"), fix)


def _held(facts: HealthFacts) -> Row:
    items = [
        Item(f"held:{uuid}", say("{disk} is attached to a control domain", disk=name or uuid))
        for uuid, name in facts.held.items()
    ]
    fix = _held_fix()
    return row("held", "Disks held by dom0", items, say("none"), fix)


def _held_fix() -> Phrase:
    return say(
        "Detach them where no backup or copy runs: an earlier one died, and their guests will not start until then."
    )
