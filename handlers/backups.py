"""`/xen backups [vm]`: what the archive holds: of whom, how old, how large, and what was proved of it when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from bot.commands import Annotated, Command, Context, Query, Topic, after
from bot.domain.catalogue import Backup, BackupState, Odd, Proof, merged
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, Moment, Phrase, Quote, Size, Span, Value, Who, many, say
from bot.domain.words import counted
from bot.errors import TargetFailed
from bot.operations.backed_up import meant
from bot.operations.backup_steps import mark

PAGE = 20
# Beyond this many damaged ones, or other things in the archive, their number is enough.
_NAMED = 5
# So long the archive itself is waited for; what is catalogued is shown all the same.
_GLANCE_S = 5.0
_OPEN = 500
_HOW = {
    Proof.STREAM: "every block, as it was made",
    Proof.FULL: "every block, read again",
    Proof.SAMPLE: "a random part",
}


class Arguments(msgspec.Struct, frozen=True):
    """A guest or a backup (all when left out), and which page."""

    what: str = ""
    page: Annotated[int, after("page")] = 1


async def answer(arguments: Arguments, context: Context) -> Message:
    """The catalogue, newest first; one guest's with all there is to say of each."""
    known, odd, doubt = await _look(context)
    found = meant(arguments.what, context.fleet, known) if arguments.what and known else list(known)
    names = {one.guest: one.name for one in found}
    theirs = [one for one in odd if not arguments.what or one.guest in names]
    beside = doubt or await _beside_them(theirs, names, context)
    if not found:
        headline = say("No backup yet")
        hint = Facts((say("{command} makes one.", command=Code("/xen backup <vm>")),))
        return Message(headline, (Verdict(headline), hint, *beside))
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, arguments.page), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    bad = [one for one in found if one.state in {BackupState.DAMAGED, BackupState.GONE}]
    headline = _headline(found, page, pages)
    parts: list[Part] = [Verdict(headline, mark=Mark.ATTENTION if bad else Mark.PLAIN)]
    if bad:
        parts.append(Facts(tuple(_damage(one) for one in bad[:_NAMED])))
    parts.append(
        Table(
            # A phone shows the first columns alone: what was lost, how much of it, and what gives it back.
            ("Guest", "Age", "Backup", "Verified", "Size", "Kept until", *(("How", "By") if arguments.what else ())),
            tuple(_row(one, context.now, whole=bool(arguments.what)) for one in shown),
        )
    )
    parts += beside
    buttons = (*_next(found), *_turns(arguments.what, page, pages))
    if buttons:
        parts.append(Choices(buttons))
    return Message(headline, tuple(parts))


async def _look(context: Context) -> tuple[Sequence[Backup], Sequence[Odd], tuple[Part, ...]]:
    """The backups as the archive shows them, what else lies there, or why that cannot be seen.

    Those that came from elsewhere are catalogued; what is gone is so for this answer, until it is looked for again.
    """
    before = await context.journal.backups()
    try:
        async with asyncio.timeout(_GLANCE_S):
            shown = await context.facts.library.glance()
    except TimeoutError:
        doubt = say("The archive has not answered for {s}: this is from memory.", s=Span(_GLANCE_S))
        return before, (), (Facts((doubt,)),)
    except TargetFailed as failed:
        doubt = say("{why} {fix} This is from memory.", why=Quote(failed.message), fix=Quote(failed.fix))
        return before, (), (Facts((doubt,)),)
    ids = {one.id for one in before}
    for one in shown.backups:
        if one.id not in ids:
            await context.facts.catalogue.keep_backup(one)
    # What was catalogued meanwhile is in neither of the two, and not gone.
    seen = {one.id: one for one in merged(before, shown)}
    now = await context.journal.backups()
    return [seen.get(one.id, one) for one in now], shown.odd, ()


async def _beside_them(odd: Sequence[Odd], names: dict[str, str], context: Context) -> tuple[Part, ...]:
    """What to do about what else lies in the archive; what jobs are writing now is left out."""
    if not odd:
        return ()
    jobs = await context.journal.jobs(limit=_OPEN, open_only=True)
    under_way = tuple(f"-{mark(job.nonce, target.uuid)}" for job in jobs for target in job.plan.targets)
    left = [one for one in odd if not (one.draft and one.draft.endswith(under_way))]
    if not left:
        return ()
    lines = [say("In the archive beside them:")] if names else [say("In the archive:")]
    lines += [_odd(one, names) for one in left[:_NAMED]]
    if len(left) > _NAMED:
        lines.append(say("And {n} more: {all} names them.", n=len(left) - _NAMED, all=Code("xenbot backups list")))
    where = say(
        "Type what begins with {xenbot} on the bot's machine; the archive is {place}.",
        xenbot=Code("xenbot"),
        place=Code(left[0].place),
    )
    return Facts(tuple(lines)), Small(where)


def _odd(one: Odd, names: dict[str, str]) -> Phrase:
    where = say("{path}", path=Code(one.where.rpartition("/")[2] if one.guest else one.where))
    if one.guest in names:
        where = say("{path} of {guest}", path=where, guest=names[one.guest])
    fix = say(one.fix, command=Code(one.command)) if one.command else say(one.fix)
    return say("{where} {what}. {fix}", where=where, what=Quote(one.what), fix=fix)


def _headline(found: list[Backup], page: int, pages: int) -> Phrase:
    guests = {one.guest: one.name for one in found}
    whose = say("{guest}", guest=found[0].name) if len(guests) == 1 else counted(len(guests), "guest", "guests")
    good = sum(one.good for one in found)
    headline = say(
        "{backups} of {whose}, {good} found whole",
        backups=counted(len(found), "backup", "backups"),
        whose=whose,
        good=good,
    )
    if pages == 1:
        return headline
    return say("{headline}: page {page} of {pages}", headline=headline, page=page, pages=pages)


def _damage(one: Backup) -> Phrase:
    if one.state is BackupState.GONE:
        return say("{backup} of {guest} is gone from the archive", backup=Code(one.id), guest=one.name)
    damage = one.verified.damage if one.verified else ()
    what = many([Quote(sentence) for sentence in damage]) if damage else say("what, was not kept")
    return say("{backup} of {guest} is damaged: {what}", backup=Code(one.id), guest=one.name, what=what)


def _row(one: Backup, now: float, *, whole: bool) -> tuple[Value, ...]:
    kept = Moment(one.kept_until) if one.kept_until is not None else say("no end set")
    if one.state is BackupState.TRASHED:
        kept = say("in the trash")
    row = (one.name, Span(max(0.0, now - one.at)), Code(one.id), _verified(one), Size(one.size), kept)
    return (*row, *_looked(one)) if whole else row


def _verified(one: Backup) -> Value:
    look = one.verified
    if look is None:
        return say("never")
    if one.state is BackupState.GONE:
        return say("gone from the archive")
    return say("{state}, {at}", state=say("damaged" if look.damage else "whole"), at=Moment(look.at))


def _looked(one: Backup) -> tuple[Value, Value]:
    """How it was looked at last, and by whom."""
    look = one.verified
    if look is None:
        return say("not at all"), say("nobody")
    return say(_HOW[look.how]), Who(look.who) if look.who.startswith(("U", "W")) else say("xenbot")


def _next(found: list[Backup]) -> tuple[Button, ...]:
    """What is done next with the backups of one guest; with those of many the guest has to be named first."""
    guest, name = found[0].guest, found[0].name
    if not any(one.good for one in found) or any(one.guest != guest for one in found):
        return ()
    return (
        Button("Plan: restore", "ask", f"restore {guest}", says=say("Plan a restore of {guest}", guest=name)),
        Button(
            "Plan: verify",
            "ask",
            f"verify {guest}",
            says=say("Plan another look at the backups of {guest}", guest=name),
        ),
    )


def _turns(what: str, page: int, pages: int) -> tuple[Button, ...]:
    words = " ".join(filter(None, ("backups", what if '"' in what or not what else f'"{what}"')))
    turns = []
    if page > 1:
        turns.append(Button("Previous", "ask", f"{words} page {page - 1}"))
    if page < pages:
        turns.append(Button("Next", "ask", f"{words} page {page + 1}"))
    return tuple(turns)


COMMAND = Command(
    word="backups",
    usage="backups [vm|backup] [page <number>]",
    help="Lists the backups: age, size, when each was verified, and until when it is kept; of one guest also how it "
    "was verified and by whom.",
    example="backups centos54",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.ARCHIVE,
)
