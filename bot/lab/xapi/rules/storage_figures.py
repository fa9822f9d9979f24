"""How large a repository is and what is taken there, where it lies on a file system that others use as well."""

from bot.lab.xapi.nfs import Export
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.nfs_mounts import find_export


def read_figures(pool: Pool, storage: str, *, anew: bool = False) -> None:
    """Writes the size and the use of its file system into the record of a repository of type nfs, as a scan does.

    What others do there shows only then. A size that is known stays, whatever wrote it.

    Args:
        pool: The pool.
        storage: The repository.
        anew: Whether to count again although nobody else is there.
    """
    found = find_export(pool, storage)
    if found is None:
        return
    _, export = found
    size = pool.database.get("SR", storage, "physical_size")
    if size <= 0:
        size = export.size
    elif len(export.repositories) == 1 and not export.is_full and not anew:
        return  # nobody else is there: what is counted with each change is right
    used = min(size, count_used(pool, export))
    pool.database.set("SR", storage, physical_size=size, physical_utilisation=used)


def count_used(pool: Pool, export: Export) -> int:
    """Returns the bytes that are taken on the file system of an export, by whichever pool."""
    return export.size if export.is_full else min(export.size, export.foreign + count_disks(pool, export))


def count_disks(pool: Pool, export: Export) -> int:
    """Returns the bytes that the disks of repositories take there, by whichever pool."""
    used = {
        disk: int(fields["used"])
        for disk, (storage, fields) in pool.outside.disks.items()
        if storage in export.repositories
    }
    for one in pool.peers or [pool]:
        for _, record in one.database.items("VDI"):
            if one.database.get("SR", record["SR"], "uuid") in export.repositories:
                used[record["uuid"]] = int(record["physical_utilisation"])
    return sum(used.values())
