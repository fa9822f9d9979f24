"""Who does what to a guest, from the tasks its record names."""

from __future__ import annotations

from typing import Final

from bot.xen.records import TaskRecord, VmRecord
from bot.xen.tables import Tables

#: XAPI keeps a request header "x-http-other-config-KEY" in the task's other_config under "http:KEY".
JOB_HEADER: Final = "x-http-other-config-xenbot-job"
JOB_KEY: Final = "http:xenbot-job"


def operations(tables: Tables, record: VmRecord) -> dict[str, str]:
    """What goes on at the guest: each operation with the label of its task, "" where that cannot be seen."""
    found: dict[str, str] = {}
    for ref, operation in record.current_operations.items():
        task = tables.get(TaskRecord, ref)
        found[operation] = found.get(operation) or (task.name_label if task else "")
    return found


def workers(tables: Tables, record: VmRecord) -> dict[str, str]:
    """Who does what to the guest, as far as the task tells: XAPI keeps no name of the person or the program."""
    found: dict[str, str] = {}
    for ref, operation in record.current_operations.items():
        task = tables.get(TaskRecord, ref)
        known = _worker(task) if task is not None else ""
        if known:
            found[operation] = known
    return found


def _worker(task: TaskRecord) -> str:
    job = task.other_config.get(JOB_KEY, "")
    if job:
        return f"xenbot job {job}"
    if any(key.startswith("XenCenter") for key in task.other_config):
        return "XenCenter"
    return "Xen Orchestra" if task.name_label.startswith("[XO] ") else ""
