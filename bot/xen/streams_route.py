"""Which hosts may serve a stream, in what order, and what they said: no I/O, only the rule.

Any host takes the request, and sends it on when it does not see the disks. That costs a hop for an export and bytes
for an import, so that one which sees them is asked first; the coordinator before others, which has the database. What
a host names is followed only where the configuration lists it: the session is given to nobody else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import reduce
from typing import Final

from bot.xen.records import HostRecord, PbdRecord, SrRecord, VbdRecord, VdiRecord, VmRecord
from bot.xen.settings import HostSettings, PoolSettings
from bot.xen.tables import Tables

MAX_HOPS: Final = 5


class Route:
    """The hosts for one stream, the first ones first."""

    def __init__(self, pool: PoolSettings, first: Iterable[HostSettings]) -> None:
        self._pool = pool
        self._left = deque(dict.fromkeys(first))
        self._asked: list[HostSettings] = []
        self._reasons: list[str] = []

    def next(self) -> HostSettings | None:
        """The host to ask now; None when there is no other."""
        while self._left and len(self._asked) < MAX_HOPS:
            host = self._left.popleft()
            if host not in self._asked:
                self._asked.append(host)
                return host
        return None

    def failed(self, host: HostSettings, reason: str) -> None:
        """Notes that this host could not serve."""
        self._reasons.append(f"{host.address} {reason}")

    def moved(self, host: HostSettings, address: str) -> None:
        """Notes that this host sends us on; the other one is asked next, if it may be and was not asked yet."""
        shown = "".join(sign for sign in address[:100] if sign.isprintable()) or "nowhere"
        named = self._pool.listed(address) if address else None
        if named is None:
            self.failed(host, f"sends the stream on to {shown}, which is not listed for this pool")
        elif named in self._asked:
            self.failed(host, f"sends the stream on to {shown}, which was asked already")
        else:
            self.failed(host, f"sends the stream on to {shown}")
            self._left.appendleft(named)

    @property
    def story(self) -> str:
        """What all the hosts said, for the error."""
        return "; ".join(self._reasons) or "no host is listed"


def hosts_for_guest(tables: Tables, vm: str) -> set[str]:
    """References of the live hosts that see every disk of this guest or snapshot (UUID); empty where not known."""
    ref = tables.ref("VM", vm)
    record = tables.get(VmRecord, ref) if ref is not None else None
    if record is None:
        return set()
    srs: set[str] = set()
    for vbd in (tables.get(VbdRecord, each) for each in record.vbds):
        if vbd is None:
            return set()
        if vbd.type != "CD" and not vbd.empty:
            vdi = tables.get(VdiRecord, vbd.vdi)
            if vdi is None:
                return set()
            srs.add(vdi.sr)
    seen = [hosts_for_sr(tables, sr) for sr in srs]
    return reduce(set.intersection, seen, set(tables.of(HostRecord)))


def hosts_for_sr(tables: Tables, sr: str) -> set[str]:
    """References of the hosts that have a plug of this SR (reference) in."""
    record = tables.get(SrRecord, sr)
    pbds = [tables.get(PbdRecord, each) for each in record.pbds] if record is not None else []
    return {pbd.host for pbd in pbds if pbd is not None and pbd.currently_attached}


def listed(pool: PoolSettings, tables: Tables, hosts: set[str], coordinator: HostSettings | None) -> list[HostSettings]:
    """Those of the hosts that the configuration lists, the coordinator first, then by address."""
    records = [record for ref, record in tables.of(HostRecord).items() if ref in hosts]
    known = [host for host in (pool.listed(record.address) for record in records) if host is not None]
    return sorted(known, key=lambda host: (host != coordinator, host.address))
