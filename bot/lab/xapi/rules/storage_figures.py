"""How large a repository is and what is taken there, where it lies on a file system that others use as well."""

from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.nfs_driver import count_used, find_export


def read_figures(pool: Pool, storage: str) -> None:
    """Writes the size and the use of its file system into the record of a repository of type nfs, as a scan does.

    What others do there shows only then. A size that is known stays, whatever wrote it.
    """
    found = find_export(pool, storage)
    if found is None:
        return
    _, export = found
    size = pool.database.get("SR", storage, "physical_size")
    if size <= 0:
        size = export.size
    elif len(export.repositories) == 1 and not export.is_full:
        return  # nobody else is there: what is counted with each change is right
    used = min(size, count_used(pool.peers or [pool], export))
    pool.database.set("SR", storage, physical_size=size, physical_utilisation=used)
