"""Disks that the host itself has attached, to read or write them for a stream: nobody can delete them meanwhile."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.storage_operations import refresh_disk


@contextmanager
def attach(pool: Pool, disks: Iterable[str]) -> Iterator[None]:
    """Holds disks for a stream; several streams may hold the same ones."""
    held = list(disks)
    pool.streamed.update(held)
    for vdi in held:
        refresh_disk(pool, vdi)
    try:
        yield
    finally:
        pool.streamed.subtract(held)
        for vdi in held:
            refresh_disk(pool, vdi)
