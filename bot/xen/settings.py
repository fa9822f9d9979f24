"""The `[[pools]]` part of the configuration: which hosts to ask, and how each of them proves who it is.

`bot.config` composes these structs; `findings` says what is wrong beyond their types. Passwords are never part of
them.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from bot.domain.secret_names import password_variable

_SHA256_BYTES = 32


class HostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One host: its management address, and the SHA-256 of its certificate (every host has its own).

    `scheme` "http" exists for servers whose TLS is too old to speak with; it needs `insecure` on the pool.
    """

    address: str
    port: int = 443
    fingerprint: str = ""
    scheme: Literal["https", "http"] = "https"

    @property
    def url(self) -> str:
        """Where the host listens, an IPv6 address in brackets."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}"


class PoolSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pool. Only the listed hosts are ever given the password, whatever a server says about its coordinator."""

    name: str
    hosts: tuple[HostSettings, ...]
    user: str = "root"
    ca_file: str = ""
    insecure: bool = False
    password_file: str = ""

    def listed(self, address: str) -> HostSettings | None:
        """The host of that address as configured; None for an address nobody listed."""
        wanted = _plain(address)
        return next((host for host in self.hosts if _plain(host.address) == wanted), None)


def fingerprint_digest(text: str) -> bytes:
    """The 32 bytes of a fingerprint written `sha256:…`, in hex with or without colons. Raises ValueError."""
    digits = text.strip().lower().removeprefix("sha256:").replace(":", "")
    digest = bytes.fromhex(digits)
    if len(digest) != _SHA256_BYTES:
        raise ValueError(f"a SHA-256 fingerprint has 64 hex digits, this one {len(digits)}")
    return digest


def findings(pools: Sequence[PoolSettings]) -> list[str]:
    """Everything wrong with these pools, one sentence each; empty when they can be used."""
    found = [] if pools else ["pools: at least one pool is needed."]
    variables: dict[str, str] = {}
    for index, pool in enumerate(pools):
        where = f"pools[{index}] ({pool.name})" if pool.name else f"pools[{index}]"
        found += [f"{where}{finding}" for finding in _pool_findings(pool)]
        variable = password_variable(pool.name)
        if variable in variables:
            found.append(
                f"{where}.name: too close to “{variables[variable]}”, both would take their password from {variable}."
            )
        variables.setdefault(variable, pool.name)
    return found


def _pool_findings(pool: PoolSettings) -> Iterable[str]:
    if not pool.name.strip():
        yield ".name: a pool needs a name."
    if not pool.hosts:
        yield ".hosts: at least one host is needed."
    if pool.ca_file:
        try:
            ssl.create_default_context(cafile=pool.ca_file)
        except OSError as error:
            yield f".ca_file: {pool.ca_file} holds no certificates that can be read ({error.strerror or error})."
    seen: set[str] = set()
    for index, host in enumerate(pool.hosts):
        where = f".hosts[{index}]"
        address = _plain(host.address)
        if not address or any(mark in address for mark in "/@?# "):
            yield f"{where}.address: “{host.address}” is not an address."
        if address in seen:
            yield f"{where}.address: {host.address} is listed twice."
        seen.add(address)
        if not 0 < host.port < 65536:
            yield f"{where}.port: {host.port} is not a port."
        yield from (f"{where}{finding}" for finding in _trust_findings(pool, host))


def _trust_findings(pool: PoolSettings, host: HostSettings) -> Iterable[str]:
    if host.fingerprint:
        try:
            fingerprint_digest(host.fingerprint)
        except ValueError as error:
            yield f".fingerprint: {error}."
    if host.scheme == "http" and not pool.insecure:
        yield ".scheme: http sends the password in the clear; it needs insecure = true on the pool."
    if not (host.fingerprint or pool.ca_file or pool.insecure):
        yield ": needs a fingerprint, or a ca_file or insecure = true on the pool."


def _plain(address: str) -> str:
    """An address to compare by: IPv6 in its shortest form, names without case or final dot."""
    bare = address.strip().strip("[]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare.casefold().rstrip(".")
