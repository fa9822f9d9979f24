"""`/xen backup <vm> …`: makes verified backups of guests, running or shut down."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, flag, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.texts import clean
from bot.domain.when import length
from bot.errors import NotUnderstood
from bot.operations import backup
from bot.operations.backup_steps import Manner
from bot.operations.stream_ports import Compression

_PACKINGS = {"zstd": Compression.ZSTD, "gzip": Compression.GZIP, "none": Compression.NONE}
# What is shorter was hardly meant: "3m" are three minutes.
_SHORTEST_S = 3600.0


class Arguments(msgspec.Struct, frozen=True):
    """Which guests, shut down for it or not, how packed, how long kept at least, and why."""

    vms: tuple[Vm, ...]
    cold: Annotated[bool, flag("cold")] = False
    compress: Annotated[str, after("compress")] = ""
    keep: Annotated[str, after("keep")] = ""
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the backups; nothing is changed yet. Raises NotUnderstood."""
    manner = Manner(arguments.cold, _packing(arguments.compress), _kept(arguments.keep))
    uuids = [vm.uuid for vm in arguments.vms]
    return await backup.plan(uuids, manner, context.facts, context.approval)


def _packing(text: str) -> Compression:
    if not text:
        return Compression.ZSTD
    found = _PACKINGS.get(text.strip().casefold())
    if found is None:
        raise NotUnderstood(f"`compress {clean(text)}`: I know no such compression.", "Write `zstd`, `gzip` or `none`.")
    return found


def _kept(text: str) -> float | None:
    if not text:
        return None
    found, fix = length(text), "Write for example `keep 30d`, `keep 8 weeks` or `keep 3 months`."
    if not found:
        raise NotUnderstood(f"`keep {clean(text)}`: I do not understand this time.", fix)
    if found < _SHORTEST_S:
        raise NotUnderstood(f"`keep {clean(text)}`: these are minutes, too short to keep a backup for.", fix)
    return found


COMMAND = Command(
    word="backup",
    usage="backup <vm> … [cold] [compress zstd|gzip|none] [keep <time>] [reason …]",
    help="Backs guests up, every block verified as it comes. A running guest goes on running: a snapshot is taken, "
    "exported and removed. With `cold` it is shut down for it and started again at once. `keep 30d` says how long it "
    "is kept at least. Several guests: one after the other in the command, names with blanks in quotation marks.",
    example="backup centos54 keep 30d",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.ARCHIVE,
)
