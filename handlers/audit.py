"""`/xen audit …`: who did what, by filters, as a list or as a file; and whether the chain still holds."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from bot.commands import Annotated, Command, Context, Query, after
from bot.domain.audit import Entry, Tag, Wanted
from bot.domain.message import Button, Choices, Facts, File, Mark, Message, Part, Table, Verdict
from bot.domain.policy import Role
from bot.domain.sheet import csv_text
from bot.domain.texts import Code, Moment, Phrase, Value, Who, many, say
from bot.domain.when import moment
from bot.domain.words import counted
from bot.errors import Ambiguous, NotFound, NotUnderstood
from bot.operations.lookalike import folded

PAGE = 25
MOST_EXPORTED = 20_000
_MENTION = re.compile(r"<@([UW][A-Z0-9]{2,})(?:\|[^>]*)?>")
_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")
_COLUMNS = tuple(name for name in Entry.__struct_fields__ if name != "previous")


class Arguments(msgspec.Struct, frozen=True):
    """“verify”, “csv” or a list, and which entries."""

    what: str = ""
    by: Annotated[str, after("by")] = ""
    of: Annotated[str, after("of")] = ""
    job: Annotated[int | None, after("job")] = None
    action: Annotated[str, after("action")] = ""
    since: Annotated[str, after("since")] = ""
    until: Annotated[str, after("until")] = ""
    page: Annotated[int, after("page")] = 1


async def answer(arguments: Arguments, context: Context) -> Message:
    """Entries, newest first, as a list or a file; or the verdict on the chain."""
    what = folded(unicodedata.normalize("NFKC", arguments.what))
    if what == "verify":
        return await _verify(context)
    if what not in {"", "list", "csv", "export"}:
        raise _misread(f"I did not understand “{arguments.what}”")
    wanted = await _wanted(arguments, context)
    filters = _told(arguments, wanted)
    if what in {"csv", "export"}:
        return await _exported(context, wanted, filters)
    page = max(1, arguments.page)
    found = await context.journal.audit(limit=PAGE + 1, skip=(page - 1) * PAGE, wanted=wanted)
    shown = found[:PAGE]
    entries = counted(len(shown), "entry", "entries")
    more = say(" and older ones") if len(found) > PAGE else say("")
    parts_of = say(", page {page}", page=page) if page > 1 else say("")
    headline = say("Audit{filters}: {entries}{more}{page}", filters=filters, entries=entries, more=more, page=parts_of)
    parts: list[Part] = [Verdict(headline)]
    if not shown:
        parts.append(Facts((_elsewhere(found_before=page > 1, filtered=bool(filters.values)),)))
    if shown:
        parts.append(Table(("Entry", "When", "Who", "What", "Job", "About"), tuple(_row(entry) for entry in shown)))
    words = _words(arguments, wanted)
    buttons = [Button("Older", "ask", f"audit {words} page {page + 1}")] if len(found) > PAGE else []
    if shown:
        buttons.append(Button("As CSV", "ask", f"audit csv {words}"))
        parts.append(Choices(tuple(buttons)))
    return Message(headline, tuple(parts))


def _elsewhere(*, found_before: bool, filtered: bool) -> Phrase:
    """What to do about an empty list."""
    if found_before:
        return say("There is no such page; leave out {page} for the newest.", page=Code("page …"))
    if filtered:
        return say("Nothing fits all of that. Leave a filter out, or see {all}.", all=Code("/xen audit"))
    return say("Whatever is asked, refused or done is listed here from now on.")


async def _wanted(arguments: Arguments, context: Context) -> Wanted:
    target, name = "", ""
    if arguments.of:
        try:
            target = context.fleet.vm(arguments.of).uuid
        except (NotFound, Ambiguous):
            # Gone, or several: what the trail itself calls so.
            name = arguments.of
    return Wanted(
        job=arguments.job,
        actor=await _actor(arguments.by, context) if arguments.by else "",
        target=target,
        target_name=name,
        tags=_tags(arguments.action) if arguments.action else (),
        since=_iso(arguments.since, context.now, end=False),
        until=_iso(arguments.until, context.now, end=True),
    )


async def _actor(text: str, context: Context) -> str:
    """The id of who is meant; a name only ever finds one, and the answer names whom it found."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if folded(plain) in {"me", "xenbot"}:
        return context.person.id if folded(plain) == "me" else "xenbot"
    found = _MENTION.fullmatch(plain)
    if found is not None:
        return found[1]
    if _PERSON.fullmatch(plain):
        return plain
    people = await context.people.called(plain)
    if len(people) == 1:
        return people[0].uuid
    if people:
        raise Ambiguous("person", text, people)
    raise NotUnderstood(
        f"Nobody in the audit trail is called “{text}”.",
        "Write `me`, `xenbot`, a name as Slack shows it, or the member id from the person's profile.",
    )


def _tags(text: str) -> tuple[str, ...]:
    """Every action that is called so, in full, by what it is about or by what was done."""
    plain = folded(unicodedata.normalize("NFKC", text))
    found = tuple(tag.value for tag in Tag if plain in {tag.value, *tag.value.split(":")})
    if not found:
        known = ", ".join(sorted({tag.value.partition(":")[2] for tag in Tag}))
        raise _misread(f"no action is called “{text}”; there are {known}")
    return found


def _iso(text: str, now: float, *, end: bool) -> str:
    if not text:
        return ""
    at = moment(text, now, end=end)
    if at is None:
        raise _misread(f"“{text}” is no time; write 2026-11-25, 2026-11-25 14:00, 14:00, 2h or 3d (UTC)")
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def _misread(why: str) -> NotUnderstood:
    return NotUnderstood(f"`/xen audit`: {why}.", f"Write `/xen {COMMAND.usage}`.")


def _told(arguments: Arguments, wanted: Wanted) -> Phrase:
    words: list[Phrase] = []
    if wanted.job is not None:
        words.append(say("of job {n}", n=Code(str(wanted.job))))
    if wanted.actor:
        words.append(say("by {who}", who=_who(wanted.actor)))
    if arguments.of:
        words.append(say("about {name}", name=arguments.of))
    if wanted.tags:
        words.append(say("action {tags}", tags=many(wanted.tags)))
    if wanted.since:
        words.append(say("since {at}", at=_moment(wanted.since)))
    if wanted.until:
        words.append(say("until {at}", at=_moment(wanted.until)))
    return say(" {words}", words=many(words)) if words else say("")


def _words(arguments: Arguments, wanted: Wanted) -> str:
    """The same filters as words, for the next page and the file."""
    words: list[str] = []
    of = wanted.target or arguments.of
    for word, text in (("by", wanted.actor), ("of", of if '"' in of or not of else f'"{of}"')):
        words += [word, text] if text else []
    words += ["job", str(wanted.job)] if wanted.job is not None else []
    for word, text in (("action", arguments.action), ("since", arguments.since), ("until", arguments.until)):
        words += [word, f'"{text}"'] if text else []
    return " ".join(words)


async def _exported(context: Context, wanted: Wanted, filters: Phrase) -> Message:
    found = await context.journal.audit(limit=MOST_EXPORTED + 1, wanted=wanted)
    kept = list(reversed(found[:MOST_EXPORTED]))
    entries = counted(len(kept), "entry", "entries")
    headline = say(
        "Audit export{filters}: {entries}, asked for by {who}",
        filters=filters,
        entries=entries,
        who=Who(context.person.id),
    )
    parts: list[Part] = [Verdict(headline)]
    if len(found) > MOST_EXPORTED:
        line = say("Older entries are left out; {command} gives them all.", command=Code("xenbot audit export"))
        parts.append(Facts((line,)))
    stamp = datetime.fromtimestamp(context.now, UTC).strftime("%Y-%m-%d-%H%M")
    # Half a second of work for twenty thousand entries, in which nobody else would be acked.
    text = await asyncio.to_thread(_sheet, kept)
    parts.append(File(f"xenbot-audit-{stamp}.csv", text))
    return Message(headline, tuple(parts))


def _sheet(entries: Sequence[Entry]) -> str:
    return csv_text(_COLUMNS, [[_plain(getattr(entry, name)) for name in _COLUMNS] for entry in entries])


def _plain(value: object) -> object:
    return "" if value is None else value


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
    job = Code(str(entry.job)) if entry.job is not None else ""
    return Code(str(entry.seq)), _moment(entry.at), _who(entry.actor), entry.tag, job, entry.target_name


def _moment(at: str) -> Moment:
    when = datetime.fromisoformat(at)
    return Moment((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def _who(actor: str) -> Value:
    return Who(actor) if actor[:1] in {"U", "W"} else actor or "xenbot"


COMMAND = Command(
    word="audit",
    usage="audit [verify|csv] [by <person>] [of <guest>] [job <job>] [action <action>] [since <time>] [until <time>] "
    "[page <number>]",
    help="Lists who did what, newest first, or as a CSV file; “verify” proves that no entry was changed or removed.",
    example="audit of centos54 since 3d",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
