"""Who of a pool may be asked, and how the bot logs in there: at the host that is the coordinator now.

What is here blocks; `session` runs it in threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import XenAPI

from bot.errors import Unreachable
from bot.xen.faults import LOGIN_REFUSED
from bot.xen.hunt import Hunt
from bot.xen.line import Line
from bot.xen.settings import HostSettings, PoolSettings
from bot.xen.tls import Trust
from bot.xen.transport import CallLost

_LOGOUT_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True)
class Entry:
    """A session of its own for the live feed: where the coordinator is, and the session's reference."""

    host: HostSettings
    handle: str

    def __repr__(self) -> str:
        return f"Entry({self.host.address})"


class Logins:
    """The hosts of one pool, by the configuration, and the account that the bot has there.

    Args:
        pool: The hosts that may be asked.
        password: Sent only to listed hosts that have shown the right certificate.
        patience_s: How long a server may be silent.
    """

    def __init__(self, pool: PoolSettings, password: str, patience_s: float) -> None:
        self._pool = pool
        self._password = password
        self._patience_s = patience_s
        self._trusts = {host: Trust(pool, host) for host in pool.hosts}
        self._coordinator: HostSettings | None = None
        self._closing = False

    @property
    def coordinator(self) -> HostSettings | None:
        """The host that logged us in last."""
        return self._coordinator

    def trust(self, host: HostSettings) -> Trust:
        """What the certificate of a listed host is checked against."""
        return self._trusts[host]

    def listed(self, address: str) -> HostSettings | None:
        """The host of that address, as listed here or adopted; None for one that is to be given no session."""
        return self._pool.listed(address)

    def adopt(self, other: PoolSettings) -> None:
        """Lists the hosts of another entry as well, each with the certificate that is pinned for it there."""
        news = tuple(host for host in other.hosts if self._pool.listed(host.address) is None)
        self._trusts |= {host: Trust(other, host) for host in news}
        self._pool = msgspec.structs.replace(self._pool, hosts=(*self._pool.hosts, *news))

    def release(self, own: PoolSettings) -> None:
        """Lists only the hosts of its `own` entry again: what an adopted host is asked for, only a member may hear."""
        self._pool = msgspec.structs.replace(self._pool, hosts=own.hosts)
        if self._coordinator not in own.hosts:
            self._coordinator = None

    def _log_in(self) -> Line:
        hunt = Hunt(self._pool, self._coordinator)
        while (host := hunt.next()) is not None and not self._closing:
            line = Line(host, self._trusts[host], answer_timeout_s=self._patience_s)
            try:
                line.login(self._pool.user, self._password)
            except CallLost as lost:
                hunt.failed(host, lost.reason)
            except XenAPI.Failure as refusal:
                line.transport.close()
                code, *params = refusal.details
                if code == "HOST_IS_SLAVE" and params:
                    hunt.pointed(host, params[0])
                elif code in LOGIN_REFUSED:
                    raise Unreachable(
                        f"{host.address} refused the login of {self._pool.user} to pool {self._pool.name}"
                    ) from refusal
                else:
                    hunt.failed(host, f"answered {' '.join(refusal.details)}")
            else:
                self._coordinator = host
                return line
        raise Unreachable(f"pool {self._pool.name} could not be asked: {hunt.story}")

    def _log_out(self, entry: Entry) -> bool:
        """Whether the host answered."""
        line = Line(entry.host, self._trusts[entry.host], answer_timeout_s=_LOGOUT_TIMEOUT_S)
        line.handle = entry.handle
        try:
            line.call("session.logout")
        except XenAPI.Failure:
            return True
        except CallLost:
            # It expires by itself.
            return False
        finally:
            line.transport.close()
        return True
