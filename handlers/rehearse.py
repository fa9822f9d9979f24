"""`/xen rehearse <backup|vm> [sr <sr>]`: restores a backup without network, starts it, looks, and removes it again."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, BackupWords, Change, Command, Context, Topic, after, rest
from bot.domain.inventory import Host, Sr
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import rehearse
from bot.operations.backed_up import one_meant
from bot.operations.restore import Where
from bot.operations.restore_place import pool_for


class Arguments(msgspec.Struct, frozen=True):
    """Which backup (the newest good one of a guest), and where to."""

    backup: BackupWords
    host: Annotated[Host | None, after("on")] = None
    sr: Annotated[Sr | None, after("sr")] = None
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the rehearsal; nothing is changed yet."""
    host, sr = arguments.host, arguments.sr
    backup = one_meant(arguments.backup, context.fleet, await context.journal.backups())
    archived = await context.facts.library.archived(backup.id)
    view = pool_for(archived.backup, host, sr, context.fleet)
    pool = view.pool.uuid if view.pool is not None else ""
    where = Where(pool, host.uuid if host is not None else "", sr.uuid if sr is not None else "")
    return await rehearse.plan(archived, where, context.facts, context.approval)


COMMAND = Command(
    word="rehearse",
    usage="rehearse <backup|vm> [on <host>] [sr <sr>] [reason …]",
    help="Proves that a backup can be restored: brings the guest back without network, starts it, waits for its tools, "
    "and removes all of it again.",
    example="rehearse centos54",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.ARCHIVE,
)
