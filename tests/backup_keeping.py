"""Makes backups as an export does: a draft, the archive through its checker, a manifest."""

from __future__ import annotations

import hashlib

from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Draft, Manifest, Stored, Target, make_id
from bot.operations.stream_ports import Sink

GUEST = "4012229d-7e4a-e395-922f-7129e84bac9b"
OTHER = "76e23786-df5c-4820-fb41-5dacd026caa4"
AT = 1_795_000_000.0
ARCHIVE = make_archive(Recipe(disks=(DiskSpec("Ref:7", 2 * MIB, {0: make_content(1), 1: make_content(2)}),)))


def write(draft: Draft, archive: bytes = ARCHIVE, **known: object) -> Manifest:
    """What an export does with a draft."""
    draft.archive.write_bytes(archive)
    checker = draft.checker()
    checker.feed(memoryview(archive))
    found = checker.finish()
    values = {
        "id": draft.id,
        "guest": draft.guest,
        "name": "web1",
        "pool": OTHER,
        "pool_name": "experiment",
        "at": AT,
        "finished": AT + 60,
        "size": len(archive),
        "sha256": hashlib.sha256(archive).hexdigest(),
        "proof_sha256": found.proof_sha256,
        "contents": found.contents,
        "how": "snapshot",
        "job": 118,
        "who": "U1",
        **known,
    }
    return Manifest(**values)  # type: ignore[arg-type]


def keep(target: Target, guest: str = GUEST, at: float = AT, archive: bytes = ARCHIVE, **known: object) -> Stored:
    draft = target.begin(make_id(at), guest)
    return target.commit(draft, write(draft, archive, at=at, **known))


def deaf(_done: int, _total: int) -> None:
    """Nobody follows a look."""


def fill(sink: Sink, content: bytes, step: int | None = None) -> None:
    """As the thread of a stream does it; `step` gives less than there is room for."""
    at = 0
    while at < len(content):
        room = sink.take()
        count = min(len(room), len(content) - at, step or len(room))
        room[:count] = content[at : at + count]
        sink.give(count)
        at += count
