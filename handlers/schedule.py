"""`/xen schedule backup <vm or tag:…> daily 02:00`: backups that recur, approved once as a standing plan."""

from __future__ import annotations

import unicodedata

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, rest
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.retention import read_rule
from bot.domain.schedule import TAG, Covered
from bot.errors import NotFound, NotUnderstood
from bot.operations import schedule
from bot.operations.lookalike import spellings
from bot.operations.schedule_words import rule_of


class Arguments(msgspec.Struct, frozen=True):
    """What is backed up, when, how long it is kept, by which clock, and why."""

    guests: Annotated[str, after("backup")]
    daily: Annotated[str, after("daily")] = ""
    weekly: Annotated[str, after("weekly")] = ""
    monthly: Annotated[str, after("monthly")] = ""
    keep: Annotated[str, after("keep")] = ""
    zone: Annotated[str, after("zone")] = ""
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The standing plan; nothing is in force yet. Raises NotUnderstood, NotFound, Ambiguous."""
    zone = arguments.zone or context.schedules.zone
    try:
        rule = rule_of(arguments.daily, arguments.weekly, arguments.monthly, zone)
    except ValueError as error:
        raise _misread(str(error)) from error
    if arguments.keep:
        try:
            read_rule(arguments.keep)
        except ValueError as error:
            raise _misread(f"keep: {error}") from error
    covered = _covered(arguments.guests, context)
    return await schedule.plan(covered, rule, zone, arguments.keep, context.facts, context.approval)


def _covered(text: str, context: Context) -> Covered:
    plain = unicodedata.normalize("NFKC", text).strip("\"'`“” ")
    if plain.casefold().startswith(TAG):
        tag = plain[len(TAG) :].strip()
        if not tag:
            raise _misread("the tag is missing after “tag:”")
        return Covered(tag=tag)
    refusal: NotFound | None = None
    for spelling in spellings(text):
        try:
            vm = context.fleet.vm(spelling)
        except NotFound as none:
            refusal = refusal or none
        else:
            return Covered(vm=vm.uuid, name=vm.name)
    raise refusal or NotFound("guest", text)


def _misread(why: str) -> NotUnderstood:
    return NotUnderstood(
        f"`/xen schedule`: {why}.", f"Write `/xen {COMMAND.usage}`, for example `/xen {COMMAND.example}`."
    )


COMMAND = Command(
    word="schedule",
    usage="schedule backup <vm|tag:tag> daily <time>|weekly <day> <time>|monthly <day> <time> [keep <rule>] "
    "[zone <zone>] [reason …]",
    help="Backs a guest up again and again, or all guests with a tag, approved once. A run that was missed is made up "
    "for once; none begins while the one before goes on. `keep 7d/4w/12m` keeps the newest of seven days, four weeks "
    "and twelve months. `/xen schedule list` shows them; `schedule pause`, `resume` and `remove` take their number.",
    example="schedule backup tag:nightly daily 02:00 keep 7d/4w/12m",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.SCHEDULES,
)
