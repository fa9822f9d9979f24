"""Reads for joining a pool: both sides' versions, settings, networks and drivers, each asked of its own coordinator.

Guests, storage and bonds are as the feeds last had them; whatever was missed, XAPI checks again when it joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from bot.domain.inventory import Host, PowerState
from bot.domain.joining import ClusterNetwork, JoinFacts, Side
from bot.errors import NotFound, Unreachable, XapiFailure
from bot.operations import cpu_features
from bot.xen.classes import convert
from bot.xen.pool import LivePool
from bot.xen.records import HostRecord, NetworkRecord, PifRecord, TaskRecord, VmRecord
from bot.xen.records_of_health import BondRecord, CertificateRecord
from bot.xen.tables import Tables

_S = TypeVar("_S", bound=msgspec.Struct)
_WITHIN_S: Final = 10.0
#: Classes that older servers do not have, and answers that say so.
_UNKNOWN = frozenset({"MESSAGE_METHOD_UNKNOWN", "MESSAGE_DEPRECATED", "MESSAGE_REMOVED"})


class _PoolDetails(msgspec.Struct, frozen=True):
    restrictions: dict[str, str] = {}
    current_operations: dict[str, str] = {}
    tls_verification_enabled: bool | None = None


class _HostDetails(
    msgspec.Struct,
    frozen=True,
    rename={"api_version_major": "API_version_major", "api_version_minor": "API_version_minor"},
):
    uuid: str = ""
    edition: str = ""
    external_auth_type: str = ""
    external_auth_service_name: str = ""
    api_version_major: int = 0
    api_version_minor: int = 0


class _Vlan(msgspec.Struct, frozen=True, rename={"untagged": "untagged_PIF"}):
    tag: int = -1
    untagged: str = ""


class _Address(msgspec.Struct, frozen=True, rename={"ip": "IP"}):
    primary_address_type: str = ""
    ip: str = ""


class _ClusterHost(msgspec.Struct, frozen=True, rename={"pif": "PIF"}):
    pif: str = ""
    cluster: str = ""
    enabled: bool = False


class _Cluster(msgspec.Struct, frozen=True):
    pool_auto_join: bool = True


class _Update(msgspec.Struct, frozen=True):
    uuid: str = ""
    name_label: str = ""
    enforce_homogeneity: bool = False


class _Network(msgspec.Struct, frozen=True):
    bridge: str = ""
    purpose: tuple[str, ...] = ()


class _Controller(msgspec.Struct, frozen=True):
    protocol: str = ""
    address: str = ""
    port: int = 0


class _Storage(msgspec.Struct, frozen=True):
    name_label: str = ""
    shared: bool = False
    is_tools_sr: bool = False


class _Driver(msgspec.Struct, frozen=True):
    """A storage driver (`SM`). Servers that know no versions of features list them as capabilities only."""

    type: str = ""
    features: dict[str, int] = {}
    capabilities: tuple[str, ...] = ()


class _Nothing(msgspec.Struct, frozen=True):
    uuid: str = ""


def lives_in(pool: LivePool, host: str) -> bool:
    """Whether the pool has the host as a member; a join that broke off leaves a record without an address."""
    return any(one.uuid == host and not one.half_joined for one in pool.model.inventory.hosts)


def joins_now(pool: LivePool) -> bool:
    """Whether a join goes on at the host, begun by whomever: XAPI labels the task of a call with its name."""
    return any(
        task.status == "pending" and task.name_label.removeprefix("Async.") in {"pool.join", "pool.join_force"}
        for task in pool.model.tables.of(TaskRecord).values()
    )


async def joining(here: LivePool, host: str, there: LivePool, read_at: float) -> JoinFacts:
    """The facts for a host (UUID) of one pool to join another. Raises NotFound, Unreachable, XapiFailure."""
    mine, theirs = await asyncio.gather(_in_time(here, host), _in_time(there, ""))
    joins = mine.coordinator.features_hvm
    offered = cpu_features.parse(joins)
    restarting = []
    for vm in there.model.inventory.vms:
        needed = cpu_features.parse(vm.boot_features)
        is_up = vm.power_state is PowerState.RUNNING and vm.hvm
        if is_up and needed is not None and offered is not None and cpu_features.missing(needed, offered)[1]:
            restarting.append(vm.name)
    return JoinFacts(mine, theirs, tuple(sorted(restarting)), read_at, under_way=joins_now(here))


async def _in_time(pool: LivePool, host: str) -> Side:
    """One side; a pool that hangs is given up, since somebody waits for the answer."""
    members = pool.probe.members
    if members and all(one.silent_since is not None for one in members):
        raise Unreachable(f"pool {pool.name} could not be asked: {members[0].address} is silent")
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await _side(pool, host)
    except TimeoutError as late:
        raise Unreachable(f"pool {pool.name} could not be asked: it did not answer within {_WITHIN_S:.0f} s") from late


async def _side(pool: LivePool, host: str) -> Side:
    inventory, tables = pool.model.inventory, pool.model.tables
    chosen = next((one for one in inventory.hosts if (one.uuid == host if host else one.coordinator)), None)
    if inventory.pool is None or chosen is None:
        raise NotFound("host", host or pool.name)
    # All at once: somebody waits, and the threads of the pool's sessions share them out.
    (
        (pools, hosts, updates),
        (vlans, addresses, networks),
        (srs, drivers, controllers),
        (tunnels, sriovs, clusters, clustered),
    ) = await asyncio.gather(
        asyncio.gather(
            _all(pool, "pool", _PoolDetails), _all(pool, "host", _HostDetails), _all(pool, "pool_update", _Update)
        ),
        asyncio.gather(_all(pool, "VLAN", _Vlan), _all(pool, "PIF", _Address), _all(pool, "network", _Network)),
        asyncio.gather(
            _all(pool, "SR", _Storage), _all(pool, "SM", _Driver), _all(pool, "SDN_controller", _Controller)
        ),
        asyncio.gather(
            _all(pool, "tunnel", _Nothing),
            _all(pool, "network_sriov", _Nothing),
            _all(pool, "Cluster", _Cluster),
            _all(pool, "Cluster_host", _ClusterHost),
        ),
    )
    details = next(iter(pools.values()), _PoolDetails())
    own = next((one for one in hosts.values() if one.uuid == chosen.uuid), _HostDetails())
    record = next((one for one in tables.of(HostRecord).values() if one.uuid == chosen.uuid), HostRecord())
    certificates = tables.of(CertificateRecord).values()
    return Side(
        pool=inventory.pool,
        hosts=inventory.hosts,
        coordinator=chosen,
        software=record.software_version,
        # The licences of all hosts count, also of one that joined only half-way; of a joining host only its own.
        editions=_names({own.edition} if host else {one.edition for one in hosts.values()}),
        api=f"{own.api_version_major}.{own.api_version_minor}",
        auth=(own.external_auth_type, own.external_auth_service_name),
        guidances=_names(record.pending_guidances),
        updates={
            one.uuid: one.name_label or one.uuid
            for one in (updates[ref] for ref in record.updates if ref in updates)
            if one.enforce_homogeneity
        },
        pooling=details.restrictions.get("restrict_pooling") != "true",
        clustered=any(one.enabled for one in clustered.values()),
        cluster=_cluster(pool, clustered.values(), clusters, networks),
        addressed=tuple(_addressed(pool, chosen, addresses, networks)),
        small=details.restrictions.get("restrict_pool_size") == "true",
        updating="apply_updates" in details.current_operations.values(),
        running=_names(_running(tables)),
        busy=_names(one.name_label for one in tables.of(VmRecord).values() if one.current_operations),
        shared=_names(one.name_label for one in srs.values() if one.shared and not one.is_tools_sr),
        bonds=_names(
            tables.of(PifRecord).get(one.master, PifRecord()).device for one in tables.of(BondRecord).values()
        ),
        tunnels=len(tunnels),
        sriovs=len(sriovs),
        vlans=_names(_other_vlans(pool, vlans.values())),
        management=_management(pool, chosen, addresses),
        controllers=_names(f"{one.protocol} {one.address}:{one.port}" for one in controllers.values()),
        purposes=frozenset(purpose for one in networks.values() for purpose in one.purpose),
        drivers={one.type: one.features or dict.fromkeys(one.capabilities, 0) for one in drivers.values()},
        authorities={one.name: one.fingerprint for one in certificates if one.type == "ca" and one.name},
        trusted={
            one.fingerprint: frozenset(one.purpose)
            for one in certificates
            if one.type in {"ca", "pinned"} and not one.name
        },
        verifies=details.tls_verification_enabled,
    )


def _running(tables: Tables) -> Iterable[str]:
    """What runs beside dom0: a domain that drives devices for others counts as a guest."""
    own = {host.control_domain for host in tables.of(HostRecord).values()}
    for ref, one in tables.of(VmRecord).items():
        if one.power_state == PowerState.RUNNING.value and ref not in own:
            yield one.name_label


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found))


async def _all(pool: LivePool, name: str, kind: type[_S]) -> dict[str, _S]:
    """All records of a class that has few, by reference; none where the server does not know the class."""
    try:
        wire: dict[str, Any] = await pool.sessions.read(f"{name}.get_all_records")
    except XapiFailure as failure:
        if failure.code in _UNKNOWN:
            return {}
        raise
    return {ref: convert(kind, record) for ref, record in wire.items()}


def _other_vlans(pool: LivePool, vlans: Iterable[_Vlan]) -> Iterable[str]:
    """VLANs other than the one that the host is managed over; what is untagged is the side of its own network."""
    pifs = pool.model.tables.of(PifRecord)
    for one in vlans:
        own = pifs.get(one.untagged, PifRecord())
        if not own.management:
            network = pool.model.tables.get(NetworkRecord, own.network)
            yield f"{one.tag}" + (f" ({network.name_label})" if network is not None else "")


def _cluster(
    pool: LivePool, hosts: Iterable[_ClusterHost], clusters: dict[str, _Cluster], networks: dict[str, _Network]
) -> ClusterNetwork | None:
    """The network of the first, as all of a cluster have the same; none where new hosts do not join by themselves."""
    pifs = pool.model.tables.of(PifRecord)
    for one in hosts:
        pif = pifs.get(one.pif)
        if pif is None or not clusters.get(one.cluster, _Cluster()).pool_auto_join:
            return None
        bonds = (bond for bond in pool.model.tables.of(BondRecord).values() if bond.master == one.pif)
        parts = [pifs.get(part, PifRecord()) for bond in bonds for part in bond.slaves] or [pif]
        bridges = frozenset(networks.get(part.network, _Network()).bridge for part in parts)
        return ClusterNetwork(pif.device, -1 if pif.management else pif.vlan, bridges)
    return None


def _addressed(
    pool: LivePool, host: Host, addresses: dict[str, _Address], networks: dict[str, _Network]
) -> Iterable[str]:
    """The bridge of each IPv4 address of a host, which alone counts for a cluster."""
    ref = pool.model.tables.ref("host", host.uuid)
    for pif_ref, pif in pool.model.tables.of(PifRecord).items():
        if pif.host == ref and addresses.get(pif_ref, _Address()).ip:
            yield networks.get(pif.network, _Network()).bridge


def _management(pool: LivePool, host: Host, addresses: dict[str, _Address]) -> tuple[str, int, str] | None:
    ref = pool.model.tables.ref("host", host.uuid)
    for pif_ref, pif in pool.model.tables.of(PifRecord).items():
        if pif.host == ref and pif.management:
            return pif.device, pif.vlan, addresses.get(pif_ref, _Address()).primary_address_type
    return None
