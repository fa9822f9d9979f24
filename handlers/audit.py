"""`/xen audit`: the newest entries of the trail, those of one job, or whether the chain still holds."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from bot.commands import Annotated, Command, Context, Query, after
from bot.domain.audit import Entry
from bot.domain.message import Facts, Mark, Message, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, Moment, Value, Who, say
from bot.domain.words import counted
from bot.errors import NotUnderstood


class Arguments(msgspec.Struct, frozen=True):
    """Either “verify”, or the job whose entries are wanted, or neither."""

    what: str = ""
    job: Annotated[int | None, after("job")] = None


async def answer(arguments: Arguments, context: Context) -> Message:
    """Entries, newest first, or the verdict on the chain."""
    if arguments.what.casefold() == "verify" and arguments.job is None:
        return await _verify(context)
    if arguments.what and arguments.what.casefold() != "list":
        raise NotUnderstood(f"`/xen audit`: I did not understand “{arguments.what}”.", f"Write `/xen {COMMAND.usage}`.")
    entries = await context.journal.audit(limit=20, job=arguments.job)
    if arguments.job is None:
        headline = say("Audit: the newest {entries}", entries=counted(len(entries), "entry", "entries"))
    else:
        number = Code(str(arguments.job))
        headline = say("Audit of job {n}: {entries}", n=number, entries=counted(len(entries), "entry", "entries"))
    table = Table(("Entry", "When", "Who", "What", "Job", "About"), tuple(_row(entry) for entry in entries))
    return Message(headline, (Verdict(headline), table) if entries else (Verdict(headline),))


async def _verify(context: Context) -> Message:
    count, head, broken = await context.journal.verify_audit()
    kept = Facts((say("Head hash {head}", head=Code(head)),))
    if broken is None:
        headline = say("The audit trail is whole: {n} hold", n=counted(count, "entry", "entries"))
        return Message(headline, (Verdict(headline, mark=Mark.DONE), kept))
    headline = say("The audit trail is broken at entry {seq}", seq=Code(str(broken.seq)))
    why = say("{n} before it hold. Entry {seq}: {why}", n=count, seq=Code(str(broken.seq)), why=broken.reason)
    way = say("Keep the file as it is, and compare it with the hashes posted in the channel.")
    return Message(headline, (Verdict(headline, mark=Mark.ATTENTION), Facts((why, way)), kept))


def _row(entry: Entry) -> tuple[Value, ...]:
    at = datetime.fromisoformat(entry.at)
    when = Moment((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    person = entry.actor[:1] in {"U", "W"}
    who: Value = Who(entry.actor) if person else entry.actor or "xenbot"
    job = Code(str(entry.job)) if entry.job is not None else ""
    return Code(str(entry.seq)), when, who, entry.tag, job, entry.target_name


COMMAND = Command(
    word="audit",
    usage="audit [verify] [job <job>]",
    help="Lists who did what, newest first; “verify” proves that no entry was changed or removed.",
    example="audit verify",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
