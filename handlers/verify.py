"""`/xen verify <backup|vm|all> [full|sample]`: reads backups again and says which blocks of which disk are damaged."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, BackupWords, Change, Command, Context, Topic, flag, rest
from bot.domain.catalogue import BackupState, Proof
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.errors import Refused
from bot.operations import verify
from bot.operations.backed_up import meant
from bot.operations.lookalike import folded

_ALL = "all"
# A card that names more backups than this is read by nobody.
_MOST = 100


class Arguments(msgspec.Struct, frozen=True):
    """A backup, a guest (all of its backups) or all; all of each archive, or a random part."""

    backup: BackupWords
    full: Annotated[bool, flag("full", "extent")] = False
    sample: Annotated[bool, flag("sample", "extent")] = False
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the look; nothing is read yet."""
    known = [one for one in await context.journal.backups() if one.state is not BackupState.TRASHED]
    found = known if folded(arguments.backup) == _ALL else meant(arguments.backup, context.fleet, known)
    if not found:
        raise Refused("There is no backup to verify.", "`/xen backup <vm>` makes one.")
    if len(found) > _MOST:
        raise Refused(f"These are {len(found)} backups; I verify at most {_MOST} in one job.", "Name a guest.")
    how = Proof.SAMPLE if arguments.sample else Proof.FULL
    return verify.decide(found, how, context.now)


COMMAND = Command(
    word="verify",
    usage="verify <backup|vm|all> [full|sample] [reason …]",
    help="Reads backups again, all of each or a random 1 %, and says which blocks of which disk are damaged. "
    "No guest and no pool is touched.",
    example="verify centos54 sample",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan, reads=True),
    topic=Topic.ARCHIVE,
)
