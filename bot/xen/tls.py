"""How a host proves who it is: by the certificate pinned for it, by a CA, or, loudly, not at all.

XAPI hosts come with a self-signed certificate each, so the pin is the rule and the CA the exception. Every connection
is checked after its handshake and before a byte of ours is sent, for XML-RPC (`transport`), JSON-RPC (`feed`) and
probes.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl

import aiohttp
import structlog

from bot.errors import XenError
from bot.xen.settings import HostSettings, PoolSettings, fingerprint_digest

_log = structlog.get_logger(__name__)


class WrongCertificate(XenError):
    """The host showed another certificate than the one pinned for it: nothing was sent to it."""


class Trust:
    """What a host's certificate is checked against. Raises OSError when the CA file cannot be read."""

    def __init__(self, pool: PoolSettings, host: HostSettings) -> None:
        self.encrypted = host.scheme == "https"
        self._digest = fingerprint_digest(host.fingerprint) if host.fingerprint else None
        self._context: ssl.SSLContext | None = None
        if not self.encrypted:
            return
        if self._digest is None and pool.ca_file:
            self._context = ssl.create_default_context(cafile=pool.ca_file)
            return
        # With a pin the chain and the names in the certificate say nothing more: the certificate itself is known.
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    @property
    def context(self) -> ssl.SSLContext | None:
        """The context for a connection; None for plain HTTP. With a pin, `verify` must follow the handshake."""
        return self._context

    @property
    def for_aiohttp(self) -> aiohttp.Fingerprint | ssl.SSLContext | bool:
        """The value of aiohttp's `ssl` argument; its Fingerprint is checked before the request is written."""
        if self._digest is not None and self.encrypted:
            return aiohttp.Fingerprint(self._digest)
        return self._context or False

    def verify(self, certificate: bytes | None) -> None:
        """Compares the certificate (DER) a host has shown with the pin. Raises WrongCertificate."""
        if self._digest is None or not self.encrypted:
            return
        shown = hashlib.sha256(certificate or b"").digest()
        if not hmac.compare_digest(shown, self._digest):
            raise WrongCertificate(f"shows the certificate sha256:{shown.hex()}, which is not the pinned one")


def warn_if_open(pool: PoolSettings) -> None:
    """Logs, for each host whose certificate nobody checks, that anyone in between can read the password."""
    for host in pool.hosts:
        if host.scheme == "http" or not (host.fingerprint or pool.ca_file):
            _log.error(
                "tls_verification_off",
                pool=pool.name,
                host=host.address,
                danger="anyone on the way can read the password and act as the pool",
            )
