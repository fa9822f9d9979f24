"""Faults armed on streams: what goes wrong in the middle of an export or import, and after how many bytes."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Stream = Literal["GET /export", "PUT /import", "GET /export_raw_vdi", "PUT /import_raw_vdi"]
Action = Literal[
    "cut",
    "fail",
    "silence",
    "slow",
    "redirect",
    "storage_full",
    "wrong_companion",
    "one_zero_block",
    "end_early",
    "garbage",
]
_INWARDS: Final = frozenset({"PUT /import", "PUT /import_raw_vdi"})
# What makes sense for some streams only.
_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "storage_full": _INWARDS,
    "wrong_companion": frozenset({"GET /export"}),
    "one_zero_block": frozenset({"GET /export"}),
    "end_early": frozenset({"GET /export"}),
    "garbage": frozenset({"GET /export", "GET /export_raw_vdi"}),
}


class StreamFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with a stream.

    Attributes:
        stream: Method and path of the handler.
        action: `cut` ends the connection as a dead host or network does; `fail` ends the work with `error`, which an
            export tells by a page inside the stream, behind a valid end of the compression; `silence` sends or reads
            nothing for `seconds`; `slow` goes on at `mib_per_s`; `redirect` answers 302 to `address` instead;
            `storage_full` is a repository without space in the middle of an import; `wrong_companion` falsifies the
            digest of the next block; `one_zero_block` ends the archive with one block of zeros in place of two;
            `end_early` stops the archive with a valid end of the compression and calls it a success; `garbage` lets
            something follow a whole archive.
        after: Bytes of the body on the wire before it strikes; of the plain archive for what is done to the archive.
        seconds: Simulated seconds.
        address: Host, with a port where it is not that of the lab's hosts.
        times: How many requests it strikes, or `forever`.
        host: The name of the only host where it strikes; everywhere when empty.
        name: For release; one is made when empty.
    """

    stream: Annotated[Stream, Meta(title="Stream")]
    action: Annotated[Action, Meta(title="What happens")]
    after: Annotated[int, Meta(ge=0, title="After bytes")] = 0
    error: Annotated[tuple[str, ...], Meta(min_length=1, title="Error code and parameters")] = (
        "INTERNAL_ERROR",
        "armed by the lab",
    )
    seconds: Annotated[float, Meta(ge=0, le=86_400, title="Seconds")] = 60.0
    mib_per_s: Annotated[float, Meta(gt=0, title="MiB a second")] = 0.1
    address: Annotated[str, Meta(min_length=1, title="Address of the redirection")] = "127.0.1.250"
    times: Annotated[Annotated[int, Meta(ge=1)] | Literal["forever"], Meta(title="How often")] = 1
    host: Annotated[str, Meta(title="Only at host", extra_json_schema={"x-from": "hosts"})] = ""
    name: Annotated[str, Meta(title="Name of the fault")] = ""


def check_stream_fault(fault: StreamFault) -> None:
    """Refuses what makes no sense.

    Raises:
        ValueError: The action is not for that stream; one sentence.
    """
    allowed = _ONLY.get(fault.action)
    if allowed is not None and fault.stream not in allowed:
        raise ValueError(f"{fault.action!r} makes sense for {' and '.join(sorted(allowed))} only.")
