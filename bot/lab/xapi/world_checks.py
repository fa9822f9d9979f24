"""What cannot be in a world: each thing that could never stand in a real datacentre, in a sentence."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from bot.lab.xapi.rules.memory import compute_overhead
from bot.lab.xapi.schema.model import ENUMS
from bot.lab.xapi.values import GIB, MIB
from bot.lab.xapi.world import World, WorldGuest, WorldHost, WorldPool, WorldStorage
from bot.lab.xapi.world_storage import check_nfs

_FEATURES: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8})*")


def find_problems(world: World) -> list[str]:
    """Returns a sentence for each thing in the world that cannot be."""
    hosts = {host.name: host for host in world.hosts}
    pools = {pool.name: pool for pool in world.pools}
    return [
        *_check_names(world),
        *_check_cpus(world),
        *(sentence for host in world.hosts for sentence in _check_host(world, host, pools)),
        *(sentence for pool in world.pools for sentence in _check_pool(world, pool, hosts)),
        *_check_storage(world, hosts, pools),
        *check_nfs(world),
        *(sentence for guest in world.guests for sentence in _check_guest(world, guest, hosts)),
        *(sentence for host in world.hosts for sentence in _check_memory(world, host)),
    ]


def find_owner(host: WorldHost) -> str:
    """Returns the pool of a host; one without is a pool of its own, under its name."""
    return host.pool or host.name


def list_usable(world: World, host: WorldHost) -> dict[str, WorldStorage]:
    """Returns the shared storage that a host is attached to, by name."""
    return {
        storage.name: storage
        for storage in world.storage
        if storage.pool == find_owner(host) and storage.name not in host.unplugged
    }


def _find_twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"Two have the {what} {name!r}."


def _check_names(world: World) -> Iterator[str]:
    if not world.hosts:
        yield "A world needs a host."
    yield from _find_twice("host", [host.name for host in world.hosts])
    yield from _find_twice("host number", [str(host.number) for host in world.hosts])
    for name, times in Counter(pool.name for pool in world.pools).items():
        if times > 1:
            yield f"Pool {name!r} is there twice; a pool has one coordinator."
    for pool in world.pools:
        if any(host.name == pool.name and not host.pool for host in world.hosts):
            yield f"Pool {pool.name!r} has the name of a host that stands alone."
        yield from _find_twice(
            f"storage of pool {pool.name!r}", [one.name for one in world.storage if one.pool == pool.name]
        )
    names = [
        *(host.name for host in world.hosts),
        *(pool.name for pool in world.pools),
        *(guest.name for guest in world.guests),
        *(storage.name for storage in world.storage),
    ]
    if not all(name.strip() for name in names):
        yield "A name is empty."


def _check_cpus(world: World) -> Iterator[str]:
    for name, cpu in world.cpus.items():
        for words in (cpu.features_hvm, cpu.features_pv):
            if not _FEATURES.fullmatch(words):
                yield f"The features of cpu {name!r} are not words of eight hexadecimal digits joined by '-'."
        if cpu.count < cpu.sockets:
            yield f"Cpu {name!r} has fewer processors than sockets."


def _check_host(world: World, host: WorldHost, pools: dict[str, WorldPool]) -> Iterator[str]:
    if host.cpu not in world.cpus or host.version not in world.versions:
        yield f"Host {host.name!r} names an unknown cpu or version."
    if host.pool and host.pool not in pools:
        yield f"Host {host.name!r} is in an unknown pool {host.pool!r}."
    shared = {storage.name for storage in world.storage if storage.pool == find_owner(host)}
    for name in host.unplugged:
        if name not in shared:
            yield f"Host {host.name!r} is unplugged from storage {name!r}, which its pool does not have."
    if host.half_joined and (host.pool or host.half_joined not in pools):
        yield f"Host {host.name!r} is half joined: it must stand alone, and the pool it failed to join must be there."


def _check_pool(world: World, pool: WorldPool, hosts: dict[str, WorldHost]) -> Iterator[str]:
    if pool.coordinator not in hosts or hosts[pool.coordinator].pool != pool.name:
        yield f"The coordinator of pool {pool.name!r} is not one of its hosts."
    if pool.ha is None:
        return
    members = [host for host in world.hosts if host.pool == pool.name]
    if len(members) < 2:
        yield f"Pool {pool.name!r} has high availability and only one host."
    seen = [host for host in members if pool.ha.storage in list_usable(world, host)]
    if len(seen) < len(members):
        yield f"High availability of pool {pool.name!r} needs storage that all its hosts are plugged to."
    if pool.ha.failures >= len(members):
        yield f"Pool {pool.name!r} cannot survive {pool.ha.failures} of its {len(members)} hosts."


def _check_storage(world: World, hosts: dict[str, WorldHost], pools: dict[str, WorldPool]) -> Iterator[str]:
    for storage in world.storage:
        is_alone = storage.pool in hosts and not hosts[storage.pool].pool
        if storage.pool not in pools and not is_alone:
            yield f"Storage {storage.name!r} is in an unknown pool {storage.pool!r}."
        if storage.name == "local":
            yield "Storage named 'local' is what each host has by itself."
    defaults = Counter(storage.pool for storage in world.storage if storage.default)
    for pool, times in defaults.items():
        if times > 1:
            yield f"Pool {pool!r} has {times} default storages."


def _check_guest(world: World, guest: WorldGuest, hosts: dict[str, WorldHost]) -> Iterator[str]:
    host = hosts.get(guest.host)
    if host is None:
        yield f"Guest {guest.name!r} is on an unknown host {guest.host!r}."
        return
    is_up = guest.state in {"Running", "Paused"}
    yield from _check_disks(world, guest, host, is_up=is_up)
    limits = guest.memory
    if limits and not limits.static_min <= limits.dynamic_min <= limits.dynamic_max <= limits.static_max:
        yield f"The memory limits of guest {guest.name!r} are not in order."
    for operation in guest.blocked:
        if operation not in ENUMS["vm_operations"]:
            yield f"Guest {guest.name!r} blocks {operation!r}, which is no operation."
    cpu = world.cpus.get(host.cpu)
    if is_up and cpu is not None and guest.vcpus > cpu.count:
        yield f"Guest {guest.name!r} runs with {guest.vcpus} processors; its host has {cpu.count}."


def _check_disks(world: World, guest: WorldGuest, host: WorldHost, *, is_up: bool) -> Iterator[str]:
    owned = {storage.name: storage.size_gib for storage in world.storage if storage.pool == find_owner(host)}
    sizes = {**owned, "local": host.local_storage_gib}
    for disk in guest.disks:
        if disk.storage not in sizes:
            yield f"Guest {guest.name!r} has a disk on storage {disk.storage!r}, which its pool does not have."
        elif disk.size_gib > sizes[disk.storage]:
            yield f"A disk of guest {guest.name!r} is larger than storage {disk.storage!r}."
        elif is_up and disk.storage in host.unplugged:
            yield f"Guest {guest.name!r} cannot run on {host.name!r}, which is not plugged to {disk.storage!r}."


def _check_memory(world: World, host: WorldHost) -> Iterator[str]:
    """Guests run at their dynamic minimum at least, beside Xen and the control domain."""
    needed = host.xen_overhead + host.dom0_memory_mib * MIB
    for guest in world.guests:
        if guest.host == host.name and guest.state in {"Running", "Paused"}:
            static_max = (guest.memory.static_max if guest.memory else guest.memory_mib) * MIB
            needed += (guest.memory.dynamic_min if guest.memory else guest.memory_mib) * MIB
            needed += compute_overhead(
                domain_type=guest.domain_type, static_max=static_max, vcpus=guest.vcpus, shadow_multiplier=1.0
            )
    if needed > host.memory_gib * GIB:
        missing = -(-(needed - host.memory_gib * GIB) // MIB)
        yield f"Host {host.name!r} lacks {missing} MiB for the guests that run on it."
