"""Turns a world into the records of its pools, as they stand when the datacentre starts."""

from dataclasses import dataclass, field
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.population_guest import add_dom0, add_guest
from bot.lab.xapi.population_host import (
    add_authority,
    add_devices,
    add_drivers,
    add_pool_records,
    add_processors,
    describe_licence,
)
from bot.lab.xapi.population_network import add_interfaces
from bot.lab.xapi.rules.half_joined import add_half_joined
from bot.lab.xapi.rules.memory import rebalance
from bot.lab.xapi.values import GIB, Value, past, stable_uuid
from bot.lab.xapi.world import Cpu, Version, World, WorldHa, WorldHost, WorldStorage

_EDITION: Final = "standard"

NETWORK_NAME: Final = "Pool-wide network associated with eth0"


@dataclass(frozen=True)
class Populated:
    """One pool made from a world.

    Attributes:
        name: What people call it: the pool's name, or its only host's.
        hosts: Host references by the name in the world.
        storage: Storage references by the name in the world; `local/HOST` for local ones.
        network: The network that all hosts are on.
        ha: High availability that is on.
        stored: MiB of data on the disks of guests, by reference.
    """

    name: str
    database: Database
    hosts: dict[str, str] = field(default_factory=dict)
    storage: dict[str, str] = field(default_factory=dict)
    network: str = ""
    ha: WorldHa | None = None
    stored: dict[str, int] = field(default_factory=dict)


def populate(world: World) -> list[Populated]:
    """Makes every pool of the world; UUIDs are the same at every start, references are not."""
    pools = []
    named = {pool.name: pool.coordinator for pool in world.pools}
    alone = {host.name: host.name for host in world.hosts if not host.pool}
    for name, coordinator in (named | alone).items():
        members = [host for host in world.hosts if (host.pool or host.name) == name]
        pools.append(_populate_pool(world, name, coordinator, members))
    return pools


def _populate_pool(world: World, name: str, coordinator: str, members: list[WorldHost]) -> Populated:
    database = Database()
    network = database.create(
        "network",
        uuid=stable_uuid("network", name),
        name_label=NETWORK_NAME,
        bridge="xenbr0",
        managed=True,
    )
    telemetry = add_pool_records(database, name)
    add_drivers(database, name)
    own = next((pool for pool in world.pools if pool.name == name), None)
    for authority in own.authorities if own is not None else ():
        add_authority(database, name, authority)
    pool = Populated(name, database, network=network, ha=own.ha if own is not None else None)
    for host in members:
        _add_host(pool, world, host)
    default_sr = ""
    for storage in world.storage:
        if storage.pool == name:
            pool.storage[storage.name] = _add_shared_storage(pool, storage, members)
            default_sr = pool.storage[storage.name] if storage.default else default_sr
    default_sr = default_sr or next(iter(pool.storage.values()))
    is_named = len(members) > 1 or members[0].pool != ""
    database.create(
        "pool",
        uuid=stable_uuid("pool", name),
        name_label=name if is_named else "",
        master=pool.hosts[coordinator],
        default_SR=default_sr,
        suspend_image_SR=default_sr,
        other_config={"memory-ratio-hvm": "0.25", "memory-ratio-pv": "0.25"},
        ha_cluster_stack="xhad",
        tls_verification_enabled=True,
        cpu_info=level_cpus(database),
        restrictions=describe_licence(),
        telemetry_uuid=telemetry,
    )
    seen: dict[str, int] = {}
    for guest in world.guests:
        if guest.host in pool.hosts:
            seen[guest.name] = seen.get(guest.name, 0) + 1
            add_guest(
                database,
                guest,
                uuid=stable_uuid("VM", name, guest.name, str(seen[guest.name])),
                host=pool.hosts[guest.host],
                network=network,
                storage={**pool.storage, "local": pool.storage[f"local/{guest.host}"]},
                suspend_storage=default_sr,
                stored=pool.stored,
            )
    for ref in pool.hosts.values():
        rebalance(database, ref)
    for host in world.hosts:
        if host.half_joined == name:
            add_half_joined(database, uuid=stable_uuid("host", host.name), name=host.name, edition=_EDITION)
    return pool


def _add_host(pool: Populated, world: World, host: WorldHost) -> None:
    database, version = pool.database, world.versions[host.version]
    address = f"127.0.1.{host.number}"
    total = host.memory_gib * GIB
    metrics = database.create(
        "host_metrics",
        uuid=stable_uuid("host_metrics", host.name),
        memory_total=total,
        memory_free=total,
        live=True,
        last_updated=past(),
    )
    ref = database.create(
        "host",
        uuid=stable_uuid("host", host.name),
        name_label=host.name,
        name_description="Simulated host",
        hostname=host.name,
        address=address,
        enabled=host.enabled,
        metrics=metrics,
        memory_overhead=host.xen_overhead,
        power_on_mode=host.power_on_mode,
        API_version_major=2,
        API_version_minor=version.api_minor,
        API_version_vendor="XenSource",
        software_version=_describe_software(version, host.name),
        other_config={"agent_start_time": "1767225700.", "boot_time": "1767225600."},
        capabilities=["xen-3.0-x86_64", "hvm-3.0-x86_32", "hvm-3.0-x86_32p", "hvm-3.0-x86_64"],
        sched_policy="credit",
        supported_bootloaders=["pygrub", "eliloader"],
        cpu_info=_describe_cpu(world.cpus[host.cpu]),
        license_params={
            "edition": _EDITION,
            "expiry": "never",
            "productcode": "",
            "sku_type": "standard",
            **describe_licence(),
        },
        edition=_EDITION,
        editions=[_EDITION],
        license_server={"address": "localhost", "port": "27000"},
        chipset_info={"iommu": "true"},
        virtual_hardware_platform_versions=[0, 1, 2],
        iscsi_iqn=f"iqn.2026-01.example.lab:{host.name}",
        https_only=False,
        tls_verification_enabled=True,
        ssl_legacy=False,
        latest_synced_updates_applied="yes",
    )
    pool.hosts[host.name] = ref
    add_dom0(database, ref, host)
    add_processors(database, ref, world.cpus[host.cpu])
    add_interfaces(database, ref, host, pool.network, add_devices(database, ref))
    local = database.create(
        "SR",
        uuid=stable_uuid("SR", host.name),
        name_label="Local storage",
        type="ext",
        content_type="user",
        physical_size=host.local_storage_gib * GIB,
        other_config={"i18n-key": "local-storage"},
    )
    _plug(database, ref, local, {"device": "/dev/sda3"})
    pool.storage[f"local/{host.name}"] = local


def _add_shared_storage(pool: Populated, storage: WorldStorage, members: list[WorldHost]) -> str:
    ref = pool.database.create(
        "SR",
        uuid=stable_uuid("SR", pool.name, storage.name),
        name_label=storage.name,
        type=storage.type,
        content_type="user",
        shared=True,
        physical_size=storage.size_gib * GIB,
        other_config={"auto-scan": "true"},
    )
    for host in members:
        attached = storage.name not in host.unplugged
        _plug(pool.database, pool.hosts[host.name], ref, dict(storage.device_config), attached=attached)
    return ref


def _plug(database: Database, host: str, storage: str, config: dict[str, str], *, attached: bool = True) -> None:
    database.create("PBD", host=host, SR=storage, device_config=config, currently_attached=attached)


def _describe_software(version: Version, hostname: str) -> dict[str, str]:
    api = version.xapi_build.rpartition(".")[0]
    return {
        "product_version": version.product_version,
        "product_version_text": version.product_version_text,
        "product_version_text_short": version.product_version_text,
        "product_brand": version.product_brand,
        "platform_name": "XCP",
        "platform_version": version.platform_version,
        "build_number": version.build_number,
        "git_id": "0",
        "hostname": hostname,
        "date": version.date,
        "dbv": "0.0.1",
        "xapi": api,
        "xapi_build": version.xapi_build,
        "xen": "4.17.5",
        "linux": "4.19.0+1",
        "xencenter_min": "2.21",
        "xencenter_max": f"2.{version.api_minor}",
        "network_backend": "openvswitch",
        "db_schema": f"5.{version.api_minor * 20 + 358}",
    }


def _describe_cpu(cpu: Cpu) -> dict[str, str]:
    return {
        "cpu_count": str(cpu.count),
        "socket_count": str(cpu.sockets),
        "threads_per_core": "2",
        "nr_nodes": str(cpu.sockets),
        "vendor": cpu.vendor,
        "speed": f"{cpu.speed_mhz}.000",
        "modelname": cpu.model_name,
        "family": str(cpu.family),
        "model": str(cpu.model),
        "stepping": str(cpu.stepping),
        "flags": "fpu de tsc msr pae mce cx8 apic sep mca cmov pat clflush mmx fxsr sse sse2 ht nx lm",
        "features_pv": cpu.features_pv,
        "features_hvm": cpu.features_hvm,
        "features_hvm_host": cpu.features_hvm,
        "features_pv_host": cpu.features_pv,
    }


def level_cpus(database: Database) -> dict[str, str]:
    """Returns `pool.cpu_info`: sums of the counts, and the features that every host has."""
    # A host that joined only half-way has none.
    infos: list[dict[str, str]] = [record["cpu_info"] for _, record in database.items("host") if record["cpu_info"]]
    levelled: dict[str, Value] = {"vendor": infos[0]["vendor"]}
    for key in ("cpu_count", "socket_count"):
        levelled[key] = str(sum(int(info[key]) for info in infos))
    for key in ("features_pv_host", "features_hvm_host"):
        words = [[int(word, 16) for word in info[key].split("-")] for info in infos]
        common = words[0]
        for other in words[1:]:
            common = [mine & theirs for mine, theirs in zip(common, other, strict=False)]
        levelled[key] = "-".join(f"{word:08x}" for word in common)
    return levelled
