"""Worlds: what a simulated datacentre consists of at its start, read from TOML.

`population` turns a `World` into records. Unknown keys and impossible values are refused with their path.
"""

from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Cpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A processor type; feature words are hexadecimal as in `host.cpu_info`."""

    vendor: str
    model_name: str
    features_hvm: str
    features_pv: str
    count: Positive = 32
    sockets: Positive = 2
    speed_mhz: Positive = 2900
    family: int = 6
    model: int = 85
    stepping: int = 7


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a host says of its software."""

    product_brand: str
    product_version: str
    product_version_text: str
    platform_version: str
    xapi_build: str
    build_number: str
    api_minor: int
    date: str


class WorldPool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pool of several hosts; a host without a pool is a pool of its own."""

    name: str
    coordinator: str


class WorldHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host; `number` is the last part of its address 127.0.1.N."""

    name: str
    number: Annotated[int, msgspec.Meta(ge=1, le=254)]
    cpu: str
    version: str
    pool: str = ""
    memory_gib: Positive = 64
    dom0_memory_mib: Positive = 4096
    local_storage_gib: Positive = 500
    enabled: bool = True


class WorldStorage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A storage repository that all hosts of a pool share."""

    name: str
    pool: str
    type: str
    size_gib: Positive
    device_config: dict[str, str]
    default: bool = False


class WorldDisk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A disk; storage `local` is the local repository of the guest's host."""

    storage: str
    size_gib: Positive = 8


class WorldMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Memory limits in MiB."""

    static_min: Positive
    dynamic_min: Positive
    dynamic_max: Positive
    static_max: Positive


class WorldGuest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guest. `host` is where it runs, or where it is at home when it does not run.

    Attributes:
        memory_mib: All limits at once, static_min half of it; `memory` gives each.
        tools: Whether drivers and agent report; without them XAPI refuses to migrate the guest.
        address: The last part of its address 192.0.2.N; 0 for none.
    """

    name: str
    host: str
    memory_mib: Positive = 1024
    memory: WorldMemory | None = None
    state: Literal["Running", "Halted", "Suspended", "Paused"] = "Running"
    vcpus: Positive = 1
    domain_type: Literal["hvm", "pv", "pvh"] = "hvm"
    disks: tuple[WorldDisk, ...] = ()
    tools: bool = True
    os: str = "CentOS Linux 7"
    description: str = ""
    address: Annotated[int, msgspec.Meta(ge=0, le=254)] = 0
    tags: tuple[str, ...] = ()


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that stands at the start."""

    cpus: dict[str, Cpu]
    versions: dict[str, Version]
    hosts: tuple[WorldHost, ...]
    pools: tuple[WorldPool, ...] = ()
    storage: tuple[WorldStorage, ...] = ()
    guests: tuple[WorldGuest, ...] = ()


def load_world(world: str) -> World:
    """Returns the world of that name: `article`, `large:HOSTSxVMS` or the path of a TOML file.

    Raises:
        ValueError: There is no such world, or its file says something impossible; one sentence says what.
    """
    if world.startswith("large:"):
        return make_large(world.removeprefix("large:"))
    packaged = files("bot.lab") / "worlds" / f"{world}.toml"
    if world.isidentifier() and packaged.is_file():
        return read_world(packaged.read_text(encoding="utf-8"), world)
    path = Path(world)
    if not path.is_file():
        raise ValueError(f"There is no world {world!r}: neither article, large:HOSTSxVMS nor a file.")
    return read_world(path.read_text(encoding="utf-8"), world)


def read_world(text: str, name: str) -> World:
    """Reads a world from TOML and checks what types cannot; fails as `load_world` does."""
    try:
        world = msgspec.toml.decode(text, type=World)
    except msgspec.DecodeError as error:
        raise ValueError(f"World {name}: {error}.") from error
    if problems := find_problems(world):
        raise ValueError(f"World {name}: {' '.join(problems)}")
    return world


def find_problems(world: World) -> list[str]:
    """Returns a sentence for each thing in the world that cannot be."""
    problems = []
    hosts = {host.name: host for host in world.hosts}
    pools = {pool.name: pool for pool in world.pools}
    for what, names in (
        ("host", [host.name for host in world.hosts]),
        ("host number", [str(host.number) for host in world.hosts]),
        ("pool", [pool.name for pool in world.pools]),
    ):
        problems += [f"Two have the {what} {name!r}." for name, times in Counter(names).items() if times > 1]
    for host in world.hosts:
        if host.cpu not in world.cpus or host.version not in world.versions:
            problems.append(f"Host {host.name!r} names an unknown cpu or version.")
        if host.pool and host.pool not in pools:
            problems.append(f"Host {host.name!r} is in an unknown pool {host.pool!r}.")
    for pool in world.pools:
        if pool.coordinator not in hosts or hosts[pool.coordinator].pool != pool.name:
            problems.append(f"The coordinator of pool {pool.name!r} is not one of its hosts.")
    for storage in world.storage:
        if storage.pool not in pools and storage.pool not in hosts:
            problems.append(f"Storage {storage.name!r} is in an unknown pool {storage.pool!r}.")
    for guest in world.guests:
        problems += _find_guest_problems(world, guest, hosts)
    return problems


def _find_guest_problems(world: World, guest: WorldGuest, hosts: dict[str, WorldHost]) -> list[str]:
    problems = []
    host = hosts.get(guest.host)
    if host is None:
        return [f"Guest {guest.name!r} is on an unknown host {guest.host!r}."]
    usable = {storage.name for storage in world.storage if storage.pool in {host.pool, host.name}} | {"local"}
    problems += [
        f"Guest {guest.name!r} has a disk on storage {disk.storage!r}, which its pool does not have."
        for disk in guest.disks
        if disk.storage not in usable
    ]
    limits = guest.memory
    if limits and not limits.static_min <= limits.dynamic_min <= limits.dynamic_max <= limits.static_max:
        problems.append(f"The memory limits of guest {guest.name!r} are not in order.")
    return problems


def make_large(size: str) -> World:
    """Returns a pool of `HOSTSxVMS`, all alike, with one shared storage repository.

    Raises:
        ValueError: The size is not two numbers, or there are more than 254 hosts.
    """
    hosts, _, guests = size.partition("x")
    if not hosts.isdecimal() or not guests.isdecimal() or not 1 <= int(hosts) <= 254:
        raise ValueError(f"{size!r} is no size of a world: write large:HOSTSxVMS with 1 to 254 hosts.")
    count, guest_count = int(hosts), int(guests)
    article = load_world("article")
    cpu, version = next(iter(article.cpus)), next(iter(article.versions))
    per_host = -(-guest_count // count)
    return World(
        cpus=article.cpus,
        versions=article.versions,
        pools=(WorldPool(name="large", coordinator="host001"),),
        hosts=tuple(
            WorldHost(
                name=f"host{number:03}",
                number=number,
                pool="large",
                cpu=cpu,
                version=version,
                memory_gib=16 + 2 * per_host,
            )
            for number in range(1, count + 1)
        ),
        storage=(
            WorldStorage(
                name="nfs-large",
                pool="large",
                type="nfs",
                size_gib=100 * 1024,
                device_config={"server": "nfsserver", "serverpath": "/home/large"},
                default=True,
            ),
        ),
        guests=tuple(
            WorldGuest(
                name=f"vm{number:05}",
                host=f"host{number % count + 1:03}",
                disks=(WorldDisk(storage="nfs-large"),),
                address=number % 254 + 1,
            )
            for number in range(guest_count)
        ),
    )
