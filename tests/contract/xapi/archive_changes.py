"""Archives sent to a host, as they are or changed on the way, and what is there afterwards."""

import io
import tarfile
from collections.abc import Callable
from typing import Any
from xmlrpc.client import loads

from archive_client import put
from datacentre_client import Rpc


async def send(rpc: Rpc, body: bytes, host: str = "", **query: str) -> tuple[bytes, dict[str, Any]]:
    """Imports an archive; returns what came in the answer's body and the task's record at its end."""
    task = await rpc.call("task.create", "import", "")
    status, head, answer = await put(
        rpc.http, f"{host or rpc.url}/import", body, session_id=rpc.session, task_id=task, **query
    )
    assert status == 200
    assert head["task-id"] == task
    return answer, await rpc.finish(task)


def read_result(record: dict[str, Any]) -> list[str]:
    """Returns the guests that a task made."""
    assert record["status"] == "success", record["error_info"]
    body = f"<methodResponse><params><param>{record['result']}</param></params></methodResponse>"
    ((guests,), _) = loads(body)
    assert isinstance(guests, list)
    return guests


async def count_objects(rpc: Rpc) -> dict[str, int]:
    """Returns how many objects there are of each class that an import makes, and what the storage holds."""
    classes = ("VM", "VDI", "VBD", "VIF", "network", "VM_metrics", "VM_guest_metrics")
    counts = {name: len(await rpc.call(f"{name}.get_all")) for name in classes}
    sr = await rpc.find("SR", "nfs-vhd")
    return counts | {"used": await rpc.call("SR.get_physical_utilisation", sr)}


def change_members(body: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """Returns an archive with its members changed or, for None, left out; written in another flavour of tar."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(body)) as tape,
        tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as copy,
    ):
        for member in tape:
            found = tape.extractfile(member)
            assert found is not None
            changed = change(member.name, found.read())
            if changed is not None:
                entry = tarfile.TarInfo(changed[0])
                entry.size = len(changed[1])
                copy.addfile(entry, io.BytesIO(changed[1]))
    return out.getvalue()


def flip_block(body: bytes) -> bytes:
    def change(name: str, data: bytes) -> tuple[str, bytes]:
        return name, bytes([data[0] ^ 1]) + data[1:] if name.endswith("/00000000") else data

    return change_members(body, change)
