"""The checks before storage is added: which hosts live, what each of them found at the server, and the name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from bot.domain.inventory import Host
from bot.domain.plan import Check
from bot.domain.storing import NfsFacts, Probed
from bot.domain.texts import Code, Phrase, Quote, Span, say
from bot.domain.words import first
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.sr_add_found import again, beside
from bot.operations.storage_words import NAMED, Trouble, detail, number_of, returned, trouble
from bot.operations.xapi_words import explain

_VERSION, _MOUNT, _NO_PATH, _BAD_PATH = 72, 73, 101, 103
_START: Final = Code("systemctl start rpcbind nfs-server")


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants: its name, and which storage (UUID) that lies there is attached again, "" for a new one.

    `beside` makes a new one although others lie there. `default` has it take the pool's new disks, `everything` its
    suspended guests and its crash dumps as well, whatever takes them now.
    """

    name: str
    existing: str = ""
    beside: bool = False
    default: bool = False
    everything: bool = False


def checks(read: NfsFacts, wish: Wish) -> Iterator[Check]:
    """What the facts say to it, the hosts first."""
    yield _live(read)
    yield from _mounts(read)
    if wish.existing:
        yield again(read, wish.existing)
    elif read.found:
        yield beside(read, anew=wish.beside)
    yield _name(read, wish)
    yield from _unlisted(read)


def up(read: NfsFacts) -> tuple[Host, ...]:
    """The hosts that were asked, since they live."""
    return tuple(one.host for one in read.probes)


def _live(read: NfsFacts) -> Check:
    key, title = "live", "Hosts live"
    away = [host for host in read.hosts if host not in up(read)]
    lead = next((host for host in away if host.coordinator), None)
    if lead is not None:
        fix = say("Look at {host} itself: power, network, toolstack.", host=lead.name)
        return blocked(key, title, say("the coordinator {host} does not answer", host=lead.name), fix)
    if away:
        fact = say("{hosts}: no answer, so nobody looked from there", hosts=_hosts(away))
        return warning(key, title, fact, say("Try it once the host is back: it is plugged there then."))
    return fine(key, title, say("every host answers"))


# What each host found


def _mounts(read: NfsFacts) -> Iterator[Check]:
    """One check for the hosts that can mount it, and one for each way in which others cannot."""
    well = [one for one in read.probes if one.well]
    ways: dict[tuple[str, int | None], list[Probed]] = {}
    for one in read.probes:
        if not one.well:
            ways.setdefault((one.code, returned(one.params)), []).append(one)
    for (code, _), alike in ways.items():
        yield _mount(read, code, alike, well)
    if well:
        hosts = say("every host") if not ways else _hosts([one.host for one in well])
        yield fine("mount", "Mount", say("{hosts} can mount {place}", hosts=hosts, place=read.place.shown))


def _mount(read: NfsFacts, code: str, alike: Sequence[Probed], well: Sequence[Probed]) -> Check:
    first = alike[0]
    found = _silence(read, first) if first.waited_s is not None else _why(read, first)
    if not read.place.path and number_of(code) == _NO_PATH:
        # Nothing was tried yet.
        return blocked(f"mount:{code}", "Folder", found.what, found.fix)
    hosts = _hosts([one.host for one in alike])
    if len(alike) == len(read.probes):
        who = say("no host can") if len(alike) > 1 else say("{hosts} cannot", hosts=hosts)
    elif well:
        others = say("the other {n} can", n=len(well)) if len(well) > 1 else say("{host} can", host=well[0].host.name)
        who = say("{hosts} cannot, {others}", hosts=hosts, others=others)
    else:
        who = say("{hosts} cannot", hosts=hosts)
    title = f"Mount on {alike[0].host.name}" if len(alike) == 1 else "Mount"
    return blocked(
        f"mount:{code or 'silent'}",
        title,
        say("{who}: {what}{code}", who=who, what=found.what, code=_code(first)),
        found.fix,
    )


def _code(probe: Probed) -> Phrase:
    """The code, and what the mount returned: whoever looks further looks for these."""
    if not probe.code:
        return say("")
    mount = returned(probe.params)
    if mount is not None:
        return say(" ({code}, mount returned {n})", code=Code(probe.code), n=mount)
    return say(" ({code})", code=Code(probe.code))


def _silence(read: NfsFacts, probe: Probed) -> Trouble:
    server, time = read.place.server, Span(probe.waited_s or 0.0)
    return Trouble(
        say("no answer for {time}", time=time),
        say(
            "See that {server} runs, and that no firewall drops what goes to its ports 111 and 2049. A mount may still "
            "hang on that host for a while; nothing else is left there.",
            server=server,
        ),
    )


def _why(read: NfsFacts, probe: Probed) -> Trouble:
    place, number = read.place, number_of(probe.code)
    if number in {_MOUNT, _BAD_PATH, _NO_PATH} and probe.exports is not None:
        told = _by_exports(read, probe, number)
        if told is not None:
            return told
    if number == _MOUNT or (number == _VERSION and not place.version.startswith("4")):
        return _unmounted(read, number)
    if number == _NO_PATH:
        words = "{server} does not say what it exports: as a rule its rpcbind (port 111) is stopped"
        return Trouble(
            say(words, server=place.server),
            say("On {server}: {start}. Or name the folder.", server=place.server, start=_START),
        )
    known = trouble(probe.code, server=place.server, place=place.shown)
    if known is None:
        what = explain(probe.code, probe.params)
        return Trouble(what, say("Look at {log} on that host.", log=Code("/var/log/SMlog")))
    more = detail(probe.params)
    if number in {202, 1200} and more:
        return Trouble(say("{what}: {more}", what=known.what, more=Quote(more)), known.fix)
    return known


def _by_exports(read: NfsFacts, probe: Probed, number: int | None) -> Trouble | None:
    """What the list of exports explains: a folder that is not in it, or one that is, but not for this host."""
    server, path = read.place.server, read.place.path
    exports = probe.exports or ()
    if any(not one.path.startswith("/") for one in exports):
        # By NFS 4 a driver sees the first steps below the root only; it looks there where the list is not to be had.
        return None
    mine = next((one for one in exports if one.path.rstrip("/") == path.rstrip("/")), None)
    listed = first([Code(one.path) for one in exports], NAMED)
    if number == _NO_PATH and exports:
        return Trouble(
            say("nobody said which folder of {server} is meant", server=server),
            say("It exports {exports}: name one.", exports=listed),
        )
    if not exports:
        return Trouble(
            say("{server} exports nothing", server=server),
            say(
                "On {server}: export the folder in {file}, then {again}.",
                server=server,
                file=Code("/etc/exports"),
                again=Code("exportfs -ra"),
            ),
        )
    if mine is None:
        return Trouble(
            say("{server} does not export {path}", server=server, path=Code(path)),
            say("It exports {exports}. Name one of these, or export it there.", exports=listed),
        )
    if number != _MOUNT:
        return None
    return Trouble(
        say("{server} exports it, but refuses the mount", server=server),
        say(
            "It lets in: {access}. This host is {address}; add it in {file}, then {again}.",
            access=Quote(mine.access or "nobody"),
            address=Code(probe.host.address),
            file=Code("/etc/exports"),
            again=Code("exportfs -ra"),
        ),
    )


def _unmounted(read: NfsFacts, number: int | None) -> Trouble:
    """A mount that was not granted, or a version that is not offered, where no list of exports explains it."""
    place = read.place
    if any(one.well for one in read.probes):
        # What serves another host runs.
        return Trouble(
            say("{server} does not grant it the mount", server=place.server),
            say(
                "On {server}: see whom it lets in ({exportfs}), and that no firewall stands between (ports 111, 2049).",
                server=place.server,
                exportfs=Code("exportfs -v"),
            ),
        )
    if place.version.startswith("4"):
        return Trouble(
            say("{server} does not grant the mount, and does not say why", server=place.server),
            say(
                "On {server}: see that it exports {path} to this host ({exportfs}) and offers NFS 4 ({start}).",
                server=place.server,
                path=Code(place.path),
                exportfs=Code("exportfs -v"),
                start=Code("systemctl start nfs-server"),
            ),
        )
    refuses = "{server} offers no NFS 3" if number == _VERSION else "{server} does not grant the mount by NFS 3"
    words = "On {server}: {start}. NFS 3 needs rpcbind; or ask for {four}, which does not."
    return Trouble(
        say(refuses + ": as a rule its rpcbind (port 111) is stopped", server=place.server),
        say(words, server=place.server, start=_START, four=Code("version 4")),
    )


def _name(read: NfsFacts, wish: Wish) -> Check:
    key, title = "name", "Name"
    if wish.name in read.names:
        fact = say("{pool} has storage called {name} already", pool=read.pool.name, name=wish.name)
        return blocked(key, title, fact, say("Choose another with {word}.", word=Code("as <name>")))
    return fine(key, title, say("nothing in {pool} is called {name}", pool=read.pool.name, name=wish.name))


def _unlisted(read: NfsFacts) -> Iterator[Check]:
    """Hosts that cannot be tried from here."""
    missing = [host for host in up(read) if host.uuid not in read.listed]
    if missing:
        fact = say("not listed in the configuration, so it is not tried there: {hosts}", hosts=_hosts(missing))
        yield warning(
            "listed", "Tried on", fact, say("List every host of the pool under {section}.", section=Code("[[pools]]"))
        )


def _hosts(hosts: Sequence[Host]) -> Phrase:
    return first([host.name for host in hosts], NAMED)
