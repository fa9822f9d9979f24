"""`/xen restore <backup|vm> …`: brings a guest back from a backup, as a new guest beside all that live."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, BackupWords, Change, Command, Context, NetworkWords, Topic, after, flag, rest
from bot.domain.inventory import Host, Sr
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import restore
from bot.operations.backed_up import one_meant
from bot.operations.checks.meeting import Wish
from bot.operations.network_words import mapping
from bot.operations.restore_place import pool_for


class Arguments(msgspec.Struct, frozen=True):
    """Which backup (the newest good one of a guest), under which name, and where to."""

    backup: BackupWords
    name: Annotated[str, after("as")] = ""
    host: Annotated[Host | None, after("on")] = None
    sr: Annotated[Sr | None, after("sr")] = None
    network: Annotated[NetworkWords, after("network")] = NetworkWords("")
    start: Annotated[bool, flag("start")] = False
    keep_mac: Annotated[bool, flag("keep-mac")] = False
    replace: Annotated[bool, flag("replace")] = False
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the restore; nothing is changed yet."""
    backup = one_meant(arguments.backup, context.fleet, await context.journal.backups())
    archived = await context.facts.library.archived(backup.id)
    view = pool_for(archived.backup, arguments.host, arguments.sr, context.fleet)
    networks, strange = mapping(arguments.network, archived.contents.guest.nics, view.networks)
    wish = Wish(
        name=restore.usable_name(arguments.name or archived.backup.name),
        start=arguments.start,
        keep_mac=arguments.keep_mac,
        networks=networks,
        strange=strange,
        replace=arguments.replace,
    )
    where = restore.Where(
        pool=view.pool.uuid if view.pool is not None else "",
        host=arguments.host.uuid if arguments.host is not None else "",
        sr=arguments.sr.uuid if arguments.sr is not None else "",
    )
    return await restore.plan(archived, where, wish, context.facts, context.approval)


COMMAND = Command(
    word="restore",
    usage="restore <backup|vm> [as <name>] [on <host>] [sr <sr>] [network <old>=<new>] [start] [keep-mac] "
    "[replace] [reason …]",
    help="Brings a guest back from a backup: as a new guest, never over one that lives. Without a host XAPI chooses "
    "one; without an SR the pool's default takes the disks; its network cards go to the networks of the same names.",
    example="restore centos54 on xenserver3 start keep-mac",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.ARCHIVE,
)
