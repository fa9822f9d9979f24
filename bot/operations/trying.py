"""Trying a storage on each of its hosts: the two steps, and what came of them in words.

A host is tried by what guests need of it: a small disk is written through that very host, read back and compared, and
a snapshot is made. How it did is written on the disk itself, so that it is known after a crash as well; then all of
the disks go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from bot.domain.calls import Call, Flag, Made, Marked, Ref
from bot.domain.plan import Plan, Step
from bot.domain.storing import TRIED_BYTES, Tried, Wrong
from bot.domain.texts import Code, Phrase, Quote, Size, Span, many, say
from bot.domain.words import counted, first
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts
from bot.operations.storage_words import NAMED, trouble
from bot.operations.xapi_words import explain

TRY, SWEEP = "storage.try", "storage.sweep"
#: What disks for a trial are called, with the job's nonce, and storage until it is known to work.
MARK: Final = "xenbot storage"
_TRIAL: Final = "trial"
#: Beside the few mebibytes there is the login, and the host attaches the disk, which may take it some seconds: so it is
#: told how long it took, and not a rate. What takes longer than this makes every guest slow.
_SLOW_S: Final = 5.0


def trial(sr: Ref | Made, hosts: Sequence[str], name: str, lane: str, *, snapshot: bool) -> tuple[Step, Step]:
    """The two steps: try it on these hosts (UUIDs), and take away the disks that it was tried with."""
    attempt = Step(
        TRY,
        say("Try {sr} on {n}: write, read, compare", sr=name, n=counted(len(hosts), "host", "hosts")),
        Call(TRY, (sr, Marked(MARK), Flag(snapshot), *(Ref("host", host) for host in hosts)), own=True),
        weight=float(len(hosts)),
        lane=lane,
        makes=_TRIAL,
    )
    sweep = Step(
        SWEEP,
        say("Remove the disks that {sr} was tried with", sr=name),
        Call(SWEEP, (sr, Marked(MARK)), own=True),
        lane=lane,
        undoes=_TRIAL,
    )
    return attempt, sweep


def mark_of(step: Step) -> str:
    """What bears the mark of the job, in a step where it is filled in."""
    return next((one for one in step.call.texts if one.startswith(MARK)), "")


def noted(disks: Iterable[str]) -> str:
    """How the work writes down the disks (UUIDs) that it has made."""
    return " ".join(sorted(disks))


def disks_noted(text: str) -> tuple[str, ...]:
    """The disks (UUIDs) that the work has written down."""
    return tuple(text.split())


async def look_at_trial(of: Plan, step: Step, name: str, facts: Facts) -> Look:
    """How the hosts of a step did, by what is written on the disks."""
    (sr,), hosts = step.call.uuids("SR"), step.call.uuids("host")
    found = await facts.storage.tried(of.pool, sr, mark_of(step))
    known = {one.host: one for one in found or ()}
    names = {host: of.names.get(host, host) for host in hosts}
    missing = [names[host] for host in hosts if host not in known]
    if missing:
        return Look(Seen.NOT_DONE, say("{sr} was not tried on {hosts}", sr=name, hosts=first(missing, NAMED)), ())
    untried = [names[host] for host in hosts if known[host].code == Wrong.UNTRIED]
    bad = [known[host] for host in hosts if known[host].code not in {"", Wrong.UNTRIED}]
    well = [known[host] for host in hosts if not known[host].code]
    lines = tuple(in_words(bad, well, names, name))
    if untried:
        lines = (*lines, say("Not tried any more: {hosts}", hosts=first(untried, NAMED)))
    if bad:
        which = first([names[one.host] for one in bad], NAMED)
        return Look(
            Seen.HARMED, say("{sr} does not work on {hosts}{rest}", sr=name, hosts=which, rest=_rest(well)), lines
        )
    return Look(Seen.DONE, lines[0], lines[1:])


async def look_at_sweep(of: Plan, step: Step, name: str, facts: Facts) -> Look:
    """Whether the disks are gone."""
    (sr,) = step.call.uuids("SR")
    if await facts.storage.tried(of.pool, sr, mark_of(step)) is None:
        return Look(Seen.DONE, say("The disks that {sr} was tried with are removed", sr=name), ())
    left = say("Disks are left on {sr}, called {mark}", sr=name, mark=Code(mark_of(step)))
    return Look(Seen.NOT_DONE, left, ())


def in_words(bad: Sequence[Tried], well: Sequence[Tried], names: Mapping[str, str], sr: str) -> Iterator[Phrase]:
    """A line for each host that did not do well, and one for all the others."""
    for one in bad:
        yield say("{host}: {what}", host=names[one.host], what=_what(one, sr))
    if not well:
        return
    hosts = many([names[one.host] for one in well]) if len(well) <= NAMED else counted(len(well), "host", "hosts")
    done = "written, read back and the same"
    if all(one.snapshot for one in well):
        done += ", snapshot made"
    wrote, read = max(one.wrote_s for one in well), max(one.read_s for one in well)
    line = "{hosts}: {size} " + done + " · {wrote} s to write, {read} s to read"
    yield say(
        line if len(well) == 1 else line + " at the slowest",
        hosts=hosts,
        size=Size(TRIED_BYTES),
        wrote=f"{wrote:.1f}",
        read=f"{read:.1f}",
    )
    slow = [one for one in well if max(one.wrote_s, one.read_s) > _SLOW_S]
    if slow:
        named = first([names[one.host] for one in slow], NAMED)
        yield say("Slow through {hosts}: look at the network to the server, and at its disks", hosts=named)


def _rest(well: Sequence[Tried]) -> Phrase:
    if not well:
        return say("")
    return say(", on the other {n} it does", n=len(well)) if len(well) > 1 else say(", on the other host it does")


def _what(one: Tried, sr: str) -> Phrase:
    match one.code:
        case Wrong.MOVED:
            return say("it sends the disk on to another host, so it does not see {sr}", sr=sr)
        case Wrong.DIFFERS:
            return say("what was read is not what was written: nothing should run on {sr} there", sr=sr)
        case Wrong.SILENT:
            return say("no answer for {time}", time=Span(float(one.params[0])))
        case Wrong.UNREACHED:
            return say("{why}", why=Quote(one.params[0]))
    known = trouble(one.code, server=say("its server"), place=sr)
    what = explain(one.code, one.params)
    return say("{what}. {fix}", what=what, fix=known.fix) if known is not None else what
