"""`/xen backups [vm]`: what the archive holds: of whom, how old, how large, and what was proved of it when."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, after
from bot.domain.catalogue import Backup, BackupState, Proof
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, Moment, Phrase, Quote, Size, Span, Value, Who, many, say
from bot.domain.words import counted
from bot.operations.backed_up import meant

PAGE = 20
# Beyond this many damaged ones their number is enough.
_NAMED = 5
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
    known = await context.journal.backups()
    found = meant(arguments.what, context.fleet, known) if arguments.what and known else list(known)
    if not found:
        headline = say("No backup yet")
        hint = Facts((say("{command} makes one.", command=Code("/xen backup <vm>")),))
        return Message(headline, (Verdict(headline), hint))
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, arguments.page), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    bad = [one for one in found if one.state is BackupState.DAMAGED]
    headline = _headline(found, page, pages)
    parts: list[Part] = [Verdict(headline, mark=Mark.ATTENTION if bad else Mark.PLAIN)]
    if bad:
        parts.append(Facts(tuple(_damage(one) for one in bad[:_NAMED])))
    parts.append(
        Table(
            # A phone shows the first columns alone: what was lost, how much of it, and whether it can be had again.
            ("Guest", "Age", "Verified", "Size", "Kept until", "By", "Backup"),
            tuple(_row(one, context.now) for one in shown),
        )
    )
    buttons = (*_next(found), *_turns(arguments.what, page, pages))
    if buttons:
        parts.append(Choices(buttons))
    return Message(headline, tuple(parts))


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
    damage = one.verified.damage if one.verified else ()
    what = many([Quote(sentence) for sentence in damage]) if damage else say("what, was not kept")
    return say("{backup} of {guest} is damaged: {what}", backup=Code(one.id), guest=one.name, what=what)


def _row(one: Backup, now: float) -> tuple[Value, ...]:
    kept = Moment(one.kept_until) if one.kept_until is not None else say("no end set")
    if one.state is BackupState.TRASHED:
        kept = say("in the trash")
    verified, who = _verified(one)
    return one.name, Span(max(0.0, now - one.at)), verified, Size(one.size), kept, who, Code(one.id)


def _verified(one: Backup) -> tuple[Value, Value]:
    look = one.verified
    if look is None:
        return say("never"), say("nobody")
    who: Value = Who(look.who) if look.who.startswith(("U", "W")) else say("xenbot")
    state = "damaged" if look.damage else "whole"
    return say("{state} {at}, {how}", state=say(state), at=Moment(look.at), how=say(_HOW[look.how])), who


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
    help="Lists the backups: age, size, when and how each was verified and by whom, and until when it is kept.",
    example="backups centos54",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
