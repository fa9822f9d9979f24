"""Which of the listed hosts to ask for a login, in what order, and what they said: no I/O, only the rule.

Only the coordinator logs anyone in; every other member names it (HOST_IS_SLAVE, checked before the password). The
name is followed once, and only to a host the configuration lists: a server must not talk us into giving the password
elsewhere.
"""

from __future__ import annotations

from collections import deque

from bot.xen.settings import HostSettings, PoolSettings


class Hunt:
    """One search for the coordinator. `first` is the host to begin with, usually the last coordinator known."""

    def __init__(self, pool: PoolSettings, first: HostSettings | None) -> None:
        self._pool = pool
        ordered = sorted(pool.hosts, key=lambda host: host != first)
        self._left = deque(ordered)
        self._asked: set[HostSettings] = set()
        self._named: set[HostSettings] = set()
        self._reasons: list[str] = []

    def next(self) -> HostSettings | None:
        """The host to ask now; None when all were asked."""
        while self._left:
            host = self._left.popleft()
            if host not in self._asked:
                self._asked.add(host)
                return host
        return None

    def failed(self, host: HostSettings, reason: str) -> None:
        """Notes that this host could not log us in."""
        self._reasons.append(f"{host.address} {reason}")

    def pointed(self, host: HostSettings, address: str) -> None:
        """Notes that this host names another one as coordinator: it is asked next, if listed and not yet asked."""
        named = self._pool.listed(address)
        if named is None:
            self.failed(host, f"names {address} as its coordinator, which is not listed for this pool")
        elif named in self._asked:
            self.failed(host, f"names {address} as its coordinator, which cannot serve")
        elif named not in self._named:
            self._named.add(named)
            self._left.appendleft(named)
            self._reasons.append(f"{host.address} names {address} as its coordinator")

    @property
    def story(self) -> str:
        """What all the hosts said, for the error."""
        return "; ".join(self._reasons) or "no host is listed"
