"""`xenbot check` for pools: every listed host is asked by itself, so that all findings come at once."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import msgspec
import XenAPI

from bot.xen.faults import LOGIN_REFUSED
from bot.xen.line import Line
from bot.xen.settings import HostSettings, PoolSettings
from bot.xen.tls import Trust
from bot.xen.transport import CallLost

#: XCP-ng 8.2 and Citrix Hypervisor 8.2; older pools may be looked at, not changed.
_OLDEST_SUPPORTED = (2, 15)


class Finding(msgspec.Struct, frozen=True):
    """One thing found about a pool: `level` "error" means that the bot cannot work with it as it is."""

    pool: str
    level: Literal["ok", "warning", "error"]
    text: str


async def check(pool: PoolSettings, password: str, own: frozenset[str] = frozenset()) -> list[Finding]:
    """Asks every listed host: certificate, login, version, who coordinates, and whether all members are listed.

    `own` are the UUIDs that the guest the bot runs in may have; where that guest lives in this pool, it is named.
    """
    answers = await asyncio.gather(*(asyncio.to_thread(_ask, pool, host, password, own) for host in pool.hosts))
    found = [finding for findings in answers for finding in findings]
    if not any(finding.level == "ok" for finding in found):
        found.append(Finding(pool.name, "error", "No listed host is this pool's coordinator, or none lets us in."))
    return found


def _ask(pool: PoolSettings, host: HostSettings, password: str, own: frozenset[str]) -> list[Finding]:
    def finding(level: Literal["ok", "warning", "error"], text: str) -> Finding:
        return Finding(pool.name, level, f"{host.address}: {text}")

    found = []
    if host.scheme == "http" or not (host.fingerprint or pool.ca_file):
        found.append(finding("warning", "its certificate is not checked; anyone on the way can read the password."))
    line = Line(host, Trust(pool, host))
    try:
        line.login(pool.user, password)
        try:
            found += [finding(level, text) for level, text in [*_describe(pool, line), *_itself(line, own)]]
        finally:
            line.call("session.logout")
    except CallLost as lost:
        found.append(finding("error", f"{lost.reason}."))
    except XenAPI.Failure as refusal:
        found.append(_refused(pool, host, refusal.details))
    finally:
        line.transport.close()
    return found


def _refused(pool: PoolSettings, host: HostSettings, details: list[str]) -> Finding:
    code, *params = details
    if code == "HOST_IS_SLAVE":
        named = params[0] if params else ""
        if pool.listed(named) is None:
            text = f"{host.address}: a member; its coordinator {named} is not listed."
            return Finding(pool.name, "error", text)
        return Finding(pool.name, "ok", f"{host.address}: a member; its coordinator is {named}.")
    if code in LOGIN_REFUSED:
        return Finding(pool.name, "error", f"{host.address}: refuses the login of {pool.user}.")
    return Finding(pool.name, "error", f"{host.address}: answered {' '.join(details)}.")


def _describe(pool: PoolSettings, line: Line) -> list[tuple[Literal["ok", "warning", "error"], str]]:
    found: list[tuple[Literal["ok", "warning", "error"], str]] = []
    pools: dict[str, dict[str, Any]] = line.call("pool.get_all_records")
    hosts: dict[str, dict[str, Any]] = line.call("host.get_all_records")
    master = next((record["master"] for record in pools.values()), "")
    coordinator = hosts.get(master, {})
    version = coordinator.get("software_version", {})
    product = " ".join(filter(None, (version.get("product_brand"), version.get("product_version"))))
    found.append(("ok", f"the coordinator, {product or 'of unknown version'}, {len(hosts)} hosts."))
    major, minor = (int(coordinator.get(f"API_version_{part}", 0)) for part in ("major", "minor"))
    if (major, minor) < _OLDEST_SUPPORTED:
        found.append(("warning", f"API {major}.{minor} is too old to be changed by this bot; looking works."))
    found += [
        ("warning", f"member {record.get('name_label')} ({record.get('address')}) is not listed.")
        for record in hosts.values()
        if record.get("address") and pool.listed(record["address"]) is None
    ]
    roles = _roles(line)
    if roles is not None and not roles & {"pool-admin", "pool-operator", "vm-power-admin"}:
        found.append(("error", f"{pool.user} has no role that may migrate guests; vm-power-admin is needed."))
    return found


def _itself(line: Line, own: frozenset[str]) -> list[tuple[Literal["ok", "warning", "error"], str]]:
    for uuid in sorted(own):
        try:
            name = line.call("VM.get_name_label", line.call("VM.get_by_uuid", uuid))
        except XenAPI.Failure:
            continue  # not a guest of this pool
        return [("ok", f"the bot itself runs in the guest “{name}” here; it will refuse to stop that one.")]
    return []


def _roles(line: Line) -> set[str] | None:
    """The roles of the user; None for the local superuser, who has none and may do everything."""
    record = line.call("session.get_record", line.handle)
    if record.get("is_local_superuser"):
        return None
    permissions = set(record.get("rbac_permissions", ()))
    return {"vm-power-admin"} if "vm.pool_migrate" in permissions else permissions
