"""The words of adding storage: what somebody types, and what buttons type for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bot.domain.inventory import PoolView
from bot.domain.plan import Way
from bot.domain.storing import NfsFacts, NfsPlace
from bot.domain.texts import Code, clean, plain, say
from bot.domain.words import counted
from bot.errors import Candidate, NotUnderstood, Refused, Unnamed
from bot.operations import subjects
from bot.operations.restore import usable_name
from bot.operations.sr_add_checks import Wish
from bot.operations.sr_add_found import unheld

_HOST: Final = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z._-]{0,252}[0-9A-Za-z])?\.?|\[[0-9A-Fa-f:.]+\]")
_LONGEST_PATH: Final = 1000
_VERSIONS: Final = frozenset({"", "3", "4", "4.0", "4.1"})
_OFFERED: Final = 4


def place_of(text: str, version: str) -> NfsPlace:
    """The place in words such as "nfs server:/path"; a missing path is asked for later. Raises NotUnderstood."""
    kind, _, rest = text.strip().partition(" ")
    if kind.casefold() != "nfs" or not rest.strip():
        raise NotUnderstood(
            "I add NFS storage only.",
            "Write `/xen sr-add nfs <server>:<path>`, for example `nfs nfsserver:/home/test`.",
        )
    server, colon, path = rest.strip().partition(":/") if not rest.strip().startswith("[") else _bracketed(rest.strip())
    path = f"/{path}".rstrip("/") or "/" if colon else ""
    if not _HOST.fullmatch(server.removesuffix(":")):
        raise NotUnderstood(f"“{clean(server)}” is not the name or address of a server.", "Write `<server>:<path>`.")
    if not _is_folder(path):
        raise NotUnderstood(f"“{clean(path)}” is not a folder that a server exports.", "Write its path from the root.")
    if version not in _VERSIONS:
        raise NotUnderstood(f"There is no NFS version “{clean(version)}” here.", "Write `version 3`, `4` or `4.1`.")
    return NfsPlace(server.removesuffix(":"), path, version)


def _is_folder(path: str) -> bool:
    return len(path) <= _LONGEST_PATH and path.isprintable() and ".." not in path.split("/")


def _bracketed(text: str) -> tuple[str, str, str]:
    """An IPv6 address stands in brackets, since it has colons of its own."""
    address, bracket, rest = text.partition("]")
    before, colon, path = rest.partition(":/")
    return f"{address}{bracket}{before}", colon, path


def pool_in(pools: tuple[PoolView, ...], named: PoolView | None) -> str:
    """The UUID of the pool that is meant: the one named, or the only one there is. Raises Unnamed, Refused."""
    if named is None and len(pools) != 1:
        known = [(view.pool.uuid, view) for view in pools if view.pool is not None]
        if not known:
            raise Refused("No pool has answered yet.", "`/xen status` says what is known of each.")
        found = [Candidate(uuid, view.name, plain(counted(len(view.hosts), "host", "hosts"))) for uuid, view in known]
        raise Unnamed("pool", "pool", found, "Or add `to <pool>`.")
    return subjects.read(named or pools[0]).uuid


def wished(place: NfsPlace, name: str, **more: object) -> Wish:
    """What is wanted; without a name it is called after its place."""
    called = usable_name(name) or usable_name(place.text)
    return Wish(called, **more)  # type: ignore[arg-type]  # the fields of a Wish


def ways(read: NfsFacts, wish: Wish) -> Iterator[Way]:
    """What can be asked for instead, or again."""
    if not all(one.well for one in read.probes):
        if read.place.path:
            yield Way("Try again", _words(read, wish), say("Look once more from every host"))
        for path in _offered(read)[:_OFFERED]:
            there = NfsPlace(read.place.server, path, read.place.version)
            label = f"Plan: {clean(path, limit=40)}"
            yield Way(label, _words(read, wish, place=there), say("Add {place} instead", place=there.shown))
        return
    if read.found and not wish.existing and not wish.beside:
        for uuid in unheld(read)[:_OFFERED]:
            yield Way(
                f"Plan: attach {uuid[:8]}",
                f"{_words(read, wish)} existing {uuid}",
                say("Attach the storage {uuid} again, which needs approval", uuid=Code(uuid)),
            )
        yield Way("Plan: new beside it", f"{_words(read, wish)} beside", say("Make a new one in a folder of its own"))


def _offered(read: NfsFacts) -> list[str]:
    """The folders that a server says it exports, as far as a button can ask for exactly that: it may say anything."""
    return [
        one.path
        for one in read.exports or ()
        if one.path.startswith("/") and one.path != read.place.path and '"' not in one.path and _is_folder(one.path)
    ]


def _words(read: NfsFacts, wish: Wish, place: NfsPlace | None = None) -> str:
    """What is asked for, as somebody would type it."""
    there = place or read.place
    named = wish.name if '"' in wish.name else f'"{wish.name}"'
    own = wish.name != usable_name(read.place.text)
    parts = [f'sr-add "nfs {there.text}"' if " " in there.text else f"sr-add nfs {there.text}"]
    parts += [f"as {named}"] if own else []
    parts += [f"to {read.pool.uuid}"]
    parts += [f"version {there.version}"] if there.version else []
    parts += ["default"] if wish.default else []
    parts += ["all-defaults"] if wish.everything else []
    if place is None:
        # What was decided of what lies there says nothing of another folder.
        parts += [f"existing {wish.existing}"] if wish.existing else []
        parts += ["beside"] if wish.beside else []
    return " ".join(parts)
