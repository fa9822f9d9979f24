"""What one host finds at an NFS server: `SR.probe`, given up after a while.

As a real server does: the host mounts the folder, lists the storage in it and unmounts it again; no record is made at
the pool. Without a folder, or with one that cannot be mounted, the driver is asked what the server exports: it fails
with 101 and gives the list with the failure. What a probe can leave is a mount that hangs, on that host, until the
host's own limit for mounts ends it.
"""

from __future__ import annotations

import asyncio
import html
import re
import time
from typing import Final

import msgspec

from bot.domain.inventory import Host, Pool
from bot.domain.storing import Export, Holder, NfsPlace, Probed
from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.xen.classes import convert
from bot.xen.pool import LivePool
from bot.xen.records import HostRecord, PbdRecord, SrRecord
from bot.xen.storage_tasks import NoAnswer, finished

_FOUND: Final = re.compile(r"<UUID>\s*([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\s*</UUID>")
_EXPORT: Final = re.compile(r"<Export>(.*?)</Export>", re.DOTALL)
_PATH: Final = re.compile(r"<Path>\s*(.*?)\s*</Path>", re.DOTALL)
_ACCESS: Final = re.compile(r"<Accesslist>\s*(.*?)\s*</Accesslist>", re.DOTALL)
_MISSING: Final = "SR_BACKEND_FAILURE_101"
#: Failures that a list of what the server exports may explain: the mount itself, a folder that is missing or wrong.
_EXPLAINED: Final = frozenset({"SR_BACKEND_FAILURE_73", _MISSING, "SR_BACKEND_FAILURE_103"})
_MOST: Final = 200


async def probed(live: LivePool, ref: str, host: Host, place: NfsPlace, patience_s: float) -> Probed:
    """What the host (`ref` its reference) finds there within so many seconds. Raises Unreachable for a silent pool."""
    until = time.monotonic() + patience_s
    answer = await _asked(live, ref, host, place, patience_s)
    if answer.code not in _EXPLAINED or answer.exports is not None or not place.path:
        return answer
    folderless = msgspec.structs.replace(place, path="")
    listing = await _asked(live, ref, host, folderless, max(1.0, until - time.monotonic()))
    return msgspec.structs.replace(answer, exports=listing.exports)


async def _asked(live: LivePool, ref: str, host: Host, place: NfsPlace, within_s: float) -> Probed:
    config = {key: value for key, value in place.config.items() if value}
    try:
        result = await finished(live, "SR.probe", ref, config, "nfs", {}, within_s=within_s)
    except NoAnswer:
        return Probed(host, waited_s=within_s)
    except XapiFailure as refusal:
        return Probed(host, refusal.code, refusal.params, exports=exports_in(refusal))
    return Probed(host, found=tuple(sorted({one.lower() for one in _FOUND.findall(result)})))


def exports_in(refusal: XapiFailure) -> tuple[Export, ...] | None:
    """The exports that the driver lists with its failure; None where it lists none."""
    if refusal.code != _MISSING:
        return None
    for param in refusal.params:
        text = html.unescape(param) if "&lt;" in param else param
        if "nfs-exports" in text:
            return tuple(_export(one) for one in _EXPORT.findall(text)[:_MOST])
    return None


def _export(text: str) -> Export:
    path, access = _PATH.search(text), _ACCESS.search(text)
    return Export(html.unescape(path[1]) if path else "", html.unescape(access[1]) if access else "")


async def holding(live: LivePool, pool: Pool, sr: str, within_s: float) -> Holder | None:
    """How a pool holds the storage of that UUID, None where it has none.

    Raises Unreachable, CannotTell where the pool does not say so in time, XapiFailure.
    """
    try:
        async with asyncio.timeout(within_s):
            ref = await live.sessions.read("SR.get_by_uuid", sr)
            record: SrRecord = convert(SrRecord, await live.sessions.read("SR.get_record", ref))
            plugs = await asyncio.gather(*(live.sessions.read("PBD.get_record", one) for one in record.pbds))
    except TimeoutError:
        raise CannotTell(f"pool {live.name} did not answer within {within_s:.0f} s") from None
    except XapiFailure as refusal:
        if refusal.code == "UUID_INVALID":
            return None
        if refusal.code == "HANDLE_INVALID":
            raise Unreachable(f"pool {live.name} changed while it was asked") from refusal
        raise
    known = live.model.tables
    attached = {
        known.uuid(HostRecord, one.host)
        for one in (convert(PbdRecord, each) for each in plugs)
        if one.currently_attached
    }
    unplugged = tuple(one.uuid for one in live.model.inventory.hosts if one.uuid not in attached)
    return Holder(sr, pool.uuid, record.name_label, live.name, unplugged)
