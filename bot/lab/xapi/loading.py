"""Reads worlds: packaged ones, files of one's own, large ones made on the spot.

Unknown keys are refused with their path, impossible things in a sentence.
"""

from importlib.resources import files
from pathlib import Path

import msgspec

from bot.lab.xapi.world import World, WorldDisk, WorldGuest, WorldHost, WorldPool, WorldStorage
from bot.lab.xapi.world_checks import find_problems


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
