"""High availability: which guests are protected, how many hosts may fail, and what would break that plan."""

import itertools
import math
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.values import NULL_REF

# More ways to lose hosts than this are not all tried; the largest hosts are taken instead.
_MOST_WAYS: Final = 5_000


def assert_agile(database: Database, vm: str) -> None:
    """Refuses a guest that could not start on every host.

    Raises:
        ApiError: `HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED [sr]` or `HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED
            [network]`.
    """
    hosts = database.count("host")
    for vbd in database.get("VM", vm, "VBDs"):
        vdi = database.get("VBD", vbd, "VDI")
        if database.has("VDI", vdi):
            storage = database.get("VDI", vdi, "SR")
            if not database.get("SR", storage, "shared"):
                raise ApiError("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", storage)
    for vif in database.get("VM", vm, "VIFs"):
        network = database.get("VIF", vif, "network")
        seen = {database.get("PIF", pif, "host") for pif in database.get("network", network, "PIFs")}
        if len(seen) < hosts:
            raise ApiError("HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED", network)


def is_protected(database: Database, vm: str) -> bool:
    """Tells whether a guest is to be restarted when its host fails."""
    record = database.record("VM", vm)
    return record["ha_restart_priority"] == "restart" and bool(record["ha_always_run"])


def list_protected(database: Database, priorities: dict[str, str] | None = None) -> list[str]:
    """Returns the protected guests that run; `priorities` replaces what the records say."""
    if priorities is None:
        return [ref for ref, record in database.items("VM") if is_protected(database, ref) and _has_host(record)]
    return [vm for vm, priority in priorities.items() if priority == "restart" and _has_host(database.record("VM", vm))]


def _has_host(record: dict[str, object]) -> bool:
    return record["resident_on"] != NULL_REF


def list_able(database: Database) -> list[str]:
    """Returns the hosts that a plan counts on."""
    return [
        host
        for host, record in database.items("host")
        if record["enabled"] and database.get("host_metrics", record["metrics"], "live")
    ]


def plan_exists(
    database: Database,
    failures: int,
    priorities: dict[str, str] | None = None,
    *,
    without: str = "",
    placed: tuple[str, str] | None = None,
) -> bool:
    """Tells whether all protected guests still fit after any so many hosts have failed.

    Args:
        database: The records.
        failures: How many hosts fail.
        priorities: Restart priorities by guest instead of those in the records.
        without: A host that is not counted on.
        placed: A guest and the host that it is thought to run on.
    """
    hosts = [host for host in list_able(database) if host != without]
    if failures >= len(hosts):
        return failures == 0
    guests = list_protected(database, priorities)
    homes = {vm: database.get("VM", vm, "resident_on") for vm in guests}
    needs = {vm: compute_need(database, vm) for vm in guests}
    free = {host: compute_free(database, host) for host in hosts}
    if placed is not None:
        _place(database, *placed, homes, free)
    if math.comb(len(hosts), failures) > _MOST_WAYS:
        # The hosts whose guests need most, or that have most room, fail: no other choice is harder to survive.
        weight = {host: free[host] + sum(needs[vm] for vm in guests if homes[vm] == host) for host in hosts}
        ways = [tuple(sorted(hosts, key=weight.__getitem__, reverse=True)[:failures])]
    else:
        ways = list(itertools.combinations(hosts, failures))
    return all(_survives(lost, guests, homes, needs, free) for lost in ways)


def _place(database: Database, vm: str, host: str, homes: dict[str, str], free: dict[str, int]) -> None:
    old, need = database.get("VM", vm, "resident_on"), compute_need(database, vm)
    if old in free:
        free[old] += need
    if host in free:
        free[host] = max(0, free[host] - need)
    if vm in homes:
        homes[vm] = host


def _survives(
    lost: tuple[str, ...], guests: list[str], homes: dict[str, str], needs: dict[str, int], free: dict[str, int]
) -> bool:
    left = {host: room for host, room in free.items() if host not in lost}
    for vm in sorted((vm for vm in guests if homes[vm] in lost), key=needs.__getitem__, reverse=True):
        best = max(left, key=left.__getitem__)
        if left[best] < needs[vm]:
            return False
        left[best] -= needs[vm]
    return True


def count_failures(database: Database, priorities: dict[str, str] | None = None) -> int:
    """Returns how many hosts may fail."""
    most = 0
    while most + 1 < database.count("host") and plan_exists(database, most + 1, priorities):
        most += 1
    return most


def refresh_plan(pool: Pool) -> None:
    """Writes what the plan is worth now; nothing where high availability is off."""
    database = pool.database
    record = database.record("pool", pool.ref)
    if record["ha_enabled"]:
        possible = count_failures(database)
        database.set(
            "pool",
            pool.ref,
            ha_plan_exists_for=possible,
            ha_overcommitted=possible < record["ha_host_failures_to_tolerate"],
        )


def assert_plan_survives(pool: Pool, *, without: str = "", placed: tuple[str, str] | None = None) -> None:
    """Refuses what would break a plan that exists: to lose a host, or to run a guest on one.

    Raises:
        ApiError: `HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN`.
    """
    database = pool.database
    record = database.record("pool", pool.ref)
    if not record["ha_enabled"] or record["ha_allow_overcommit"]:
        return
    failures = record["ha_host_failures_to_tolerate"]
    breaks = not plan_exists(database, failures, without=without, placed=placed)
    if breaks and plan_exists(database, failures):
        raise ApiError("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN")
