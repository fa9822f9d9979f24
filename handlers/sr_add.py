"""`/xen sr-add nfs <server>:<path>`: adds shared NFS storage to a pool."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, flag, rest
from bot.domain.inventory import PoolView
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import sr_add
from bot.operations.sr_add_words import place_of, pool_in, wished


class Arguments(msgspec.Struct, frozen=True):
    """Where it lies, under which name, for which pool, and what it is to be for."""

    place: str
    name: Annotated[str, after("as")] = ""
    pool: Annotated[PoolView | None, after("to")] = None
    version: Annotated[str, after("version")] = ""
    existing: Annotated[str, after("existing")] = ""
    beside: Annotated[bool, flag("beside")] = False
    default: Annotated[bool, flag("default")] = False
    all_defaults: Annotated[bool, flag("all-defaults")] = False
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of adding it; nothing is changed yet."""
    place = place_of(arguments.place, arguments.version)
    wish = wished(
        place,
        arguments.name,
        existing=arguments.existing.lower(),
        beside=arguments.beside,
        default=arguments.default,
        everything=arguments.all_defaults,
    )
    pool = pool_in(context.fleet.pools(), arguments.pool)
    return await sr_add.plan(pool, place, wish, context.facts, context.approval)


COMMAND = Command(
    word="sr-add",
    usage="sr-add nfs <server>:<path> [as <name>] [to <pool>] [version 4] [existing <uuid>] [beside] [default] "
    "[all-defaults] [reason …]",
    help="Adds shared NFS storage to a pool: every host looks first, then each writes and reads a small disk there. "
    "Without a path it lists what the server exports. Storage that lies there already is attached again (`existing "
    "<uuid>`) or left alone (`beside`). `default` has new disks go there, and suspended guests and crash dumps where "
    "nothing takes them; `all-defaults` moves these too.",
    example="sr-add nfs nfsserver:/home/vms as nfs-vms default",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.STORAGE,
    title="Add storage",
)
