"""What the live inventory and the job list say of pools: the answer of `/xen status`, made for one screen of a phone.

Pure: everything comes in as values. What is not known is said so, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inventory import Alert, FeedState, Host, PoolView
from bot.domain.job import JobState
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Verdict
from bot.domain.policy import Person, Role
from bot.domain.record import Freeze, JobRecord, StepState
from bot.domain.texts import Moment, Phrase, Quote, Size, Span, Who, many, say
from bot.domain.words import counted, feed_word, numbered, state_word
from bot.operations import alert_words

# Older facts are called old: the feed answers every five seconds or so while all is well.
OLD_S = 10.0
ALERTS_OF_S = 3600.0
# One screen of a phone holds some twenty lines; beyond these numbers the rest is counted.
_HOST_LINES = 8
_JOB_LINES = 5
_ALERT_LINES = 3
_NEED_LINES = 8


def pools(
    views: Sequence[PoolView], jobs: Sequence[JobRecord], freeze: Freeze | None, person: Person, now: float
) -> Message:
    """Every given pool in a few lines, a freeze first, then the pools that need a person, then the others.

    `person` is who asks: jobs that wait for their decision are among what needs them.
    """
    parts: list[Part] = []
    troubled: list[Phrase] = []
    needs = {view.name: _needs(view, jobs, person, now) for view in views}
    frozen = _frozen(freeze)
    parts += [Verdict(line, mark=Mark.ATTENTION) for line in frozen]
    room = sum(len(view.hosts) for view in views) <= _HOST_LINES
    for view in sorted(views, key=lambda view: not needs[view.name]):
        found = needs[view.name]
        headline = _pool_headline(view, len(found) - _advice(view), frozen=freeze is not None)
        if found:
            troubled.append(headline)
        parts.append(Verdict(headline, (age(view),), Mark.ATTENTION if found else Mark.PLAIN))
        lines = [*_bounded(found, _NEED_LINES), *_hosts(view, whole=room), *_alerts(view, now)]
        if lines:
            parts.append(Facts(tuple(lines)))
    running = [
        record for record in jobs if record.state is not JobState.NEEDS_ATTENTION and not _waits_for(record, person)
    ]
    work = _bounded([job_line(record) for record in running], _JOB_LINES)
    if work:
        parts.append(Facts(tuple(work)))
    if not views:
        parts.insert(0, Verdict(say("No pool is configured"), mark=Mark.ATTENTION))
    parts.append(Choices(_buttons(views)))
    return Message(_pools_summary(views, [*frozen, *troubled]), tuple(parts))


def _buttons(views: Sequence[PoolView]) -> tuple[Button, ...]:
    look = _checks(views)
    look += [Button("Jobs", "ask", "jobs"), Button("Guests", "ask", "vms"), Button("Tools", "ask", "tools")]
    if len(views) > 1:
        troubled = [view for view in views if view.pool is not None][:_HOST_LINES]
        look += [Button(view.name, "ask", f"status {view.pool.uuid}") for view in troubled if view.pool is not None]
    return tuple(look)


def _checks(views: Sequence[PoolView]) -> list[Button]:
    """The way to all that a status does not look at."""
    known = [view for view in views if view.pool is not None]
    if len(known) > 1:
        return [Button("Check pools", "ask", "pool-check", says=say("Check every pool"))]
    return [
        Button(f"Check {view.name}", "ask", f"pool-check {view.pool.uuid}", says=say("Check {pool}", pool=view.name))
        for view in known
        if view.pool is not None
    ]


def _bounded(lines: Sequence[Phrase], most: int) -> list[Phrase]:
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], say("and {n} more", n=len(lines) - most + 1)]


def _pools_summary(views: Sequence[PoolView], troubled: Sequence[Phrase]) -> Phrase:
    if troubled:
        return say("{pools}", pools=many(troubled))
    if not views:
        return say("No pool is configured")
    return say("No host silent, no job waits for you: {pools}", pools=many([view.name for view in views]))


def _pool_headline(view: PoolView, needs: int, *, frozen: bool) -> Phrase:
    if view.state is FeedState.LOADING:
        return say("{pool}: not known yet, still loading", pool=view.name)
    if not needs and frozen:
        return say("{pool}: frozen, no host silent, no job waits for you", pool=view.name)
    if not needs:
        return say("{pool}: no host silent, no job waits for you", pool=view.name)
    return say("{pool}: {n} you", pool=view.name, n=counted(needs, "thing needs", "things need"))


def age(view: PoolView) -> Phrase:
    """How old the facts of a pool are."""
    if view.state is FeedState.LOADING:
        return say("no facts yet")
    return say("facts {age} old", age=Span(view.age_s))


def doubts(view: PoolView) -> list[Phrase]:
    """Why the facts of a pool may not be true now; empty while its feed is live and fresh."""
    why = untold(view)
    reason = say(": {reason}", reason=Quote(why)) if why else say("")
    if view.state is FeedState.LOADING:
        lines = [say("{pool} is {state}{reason}", pool=view.name, state=say(feed_word(view.state)), reason=reason)]
        return [*lines, *_members(view)]
    if view.state is FeedState.LOST:
        old = Span(view.age_s)
        lost = say("Contact with {pool} is lost{reason}. Facts are {age} old", pool=view.name, reason=reason, age=old)
        return [lost, *_members(view)]
    if view.age_s > OLD_S:
        return [
            say(
                "{pool} has not answered for {age}: what follows may be out of date",
                pool=view.name,
                age=Span(view.age_s),
            )
        ]
    return []


def untold(view: PoolView) -> str:
    """Why a pool cannot be asked, for a line that names it already, as the error of a call does too."""
    return view.reason.removeprefix(f"pool {view.name} could not be asked: ")


def _advice(view: PoolView) -> int:
    """How many lines of doubt tell no trouble of their own but more about the first."""
    return max(0, len(doubts(view)) - 1)


def _members(view: PoolView) -> list[Phrase]:
    """With nobody who speaks for the pool: who answers at all, and where the way out is written down."""
    names = {host.address: host.name for host in view.hosts}
    # What was heard before the pool fell silent says nothing about now.
    since = [one for one in view.members if view.state is not FeedState.LOST or one.age_s <= view.age_s]
    answering = [names.get(one.address, one.address) for one in since if one.silent_since is None]
    silent = [names.get(one.address, one.address) for one in since if one.silent_since is not None]
    if not since:
        return []
    age_s = Span(max(one.age_s for one in since))
    if not answering:
        return [say("None of its hosts answered our probe {age} ago: {silent}", age=age_s, silent=many(silent))]
    if not silent:
        return [say("All its hosts answered our probe {age} ago: {names}", age=age_s, names=many(answering))]
    line = say(
        "Answering our probe: {names}. Silent: {silent}. Probed {age} ago",
        names=many(answering),
        silent=many(silent),
        age=age_s,
    )
    coordinator = next((host for host in view.hosts if host.coordinator), None)
    if coordinator is not None and coordinator.silent_since is None:
        return [line]
    return [line, say("What to do is in the runbook, section “No coordinator”")]


def _needs(view: PoolView, jobs: Sequence[JobRecord], person: Person, now: float) -> list[Phrase]:
    found = doubts(view)
    for host in view.hosts:
        if host.half_joined:
            found.append(say("{host} joins just now, or joined only half-way: calls to it hang", host=host.name))
        elif host.silent_since is not None:
            found.append(silent(host, now))
        elif not host.live:
            found.append(_not_live(host, view))
    if view.pool is not None and view.pool.upgrading:
        found.append(say("{pool} is in a rolling upgrade", pool=view.name))
    own = [record for record in jobs if view.pool is not None and record.pool == view.pool.uuid]
    found += [
        say("Job {n} needs a person: {title}", n=numbered(record), title=record.plan.title)
        for record in own
        if record.state is JobState.NEEDS_ATTENTION
    ]
    return [*found, *(line for record in own for line in _waits_for(record, person))]


def answered(host: Host, view: PoolView) -> Span | None:
    """How long ago a host answered our probe; None where it did not, or was not asked yet."""
    heard = next((one for one in view.members if one.address == host.address), None)
    return Span(heard.age_s) if heard is not None and heard.silent_since is None else None


def _not_live(host: Host, view: PoolView) -> Phrase:
    """A host that comes back answers us before the coordinator has it again."""
    age_s = answered(host, view)
    if age_s is None:
        return say("{host} is not live: the coordinator has lost it", host=host.name)
    line = "{host} is not live: the coordinator has lost it. It answered our probe {age} ago, so it may be coming back"
    return say(line, host=host.name, age=age_s)


def _waits_for(record: JobRecord, person: Person) -> list[Phrase]:
    """The line of a job that waits for a decision of this person; empty for any other."""
    mine = record.requester == person.id
    if record.state is JobState.PROPOSED and mine:
        what = "Job {n} waits for your Confirm: {title}"
    elif (
        record.state is JobState.AWAITING_APPROVAL
        and not mine
        and Role.APPROVER in person.roles
        and person.id not in record.approved_by
    ):
        what = "Job {n} waits for your approval: {title}"
    else:
        return []
    return [say(what, n=numbered(record), title=record.plan.title)]


def silent(host: Host, now: float) -> Phrase:
    """What our own probe says against XAPI's belief, which stays "live" for up to ten minutes after a host died."""
    since = Span(max(0.0, now - (host.silent_since or now)))
    believed = "XAPI still says live" if host.live else "XAPI has lost it too"
    line = say("{host} is silent for {since} (our probe); " + believed, host=host.name, since=since)
    if not host.guests:
        return line
    return say("{line}. {n} unconfirmed", line=line, n=counted(host.guests, "guest there is", "guests there are"))


def _hosts(view: PoolView, *, whole: bool) -> list[Phrase]:
    if whole or len(view.hosts) <= 1:
        return [host_line(host) for host in view.hosts]
    odd = [host for host in view.hosts if _is_odd(host)]
    even = [host for host in view.hosts if not _is_odd(host)]
    lines = _bounded([host_line(host) for host in odd], _HOST_LINES)
    if even:
        total = say(
            "{hosts}: {guests}, {free} of {total} free",
            hosts=counted(len(even), "host in order", "hosts in order"),
            guests=counted(sum(host.guests for host in even), "guest", "guests"),
            free=Size(sum(host.memory_free for host in even)),
            total=Size(sum(host.memory_total for host in even)),
        )
        lines.append(total)
    return lines


def _is_odd(host: Host) -> bool:
    return host.half_joined or not host.answers or not host.enabled


def host_line(host: Host) -> Phrase:
    """A host in one line; memory is not told for one that does not answer."""
    if host.half_joined:
        return say("{host}: no member yet, a record without an address", host=host.name)
    facts: list[Phrase] = []
    if host.coordinator:
        facts.append(say("coordinator"))
    if host.maintenance:
        facts.append(say("in maintenance"))
    elif not host.enabled:
        facts.append(say("disabled"))
    facts.append(counted(host.guests, "guest", "guests"))
    if host.silent_since is not None:
        facts.append(say("silent since {at}", at=Moment(host.silent_since)))
    elif not host.live:
        facts.append(say("not live"))
    else:
        facts.append(say("{free} of {total} free", free=Size(host.memory_free), total=Size(host.memory_total)))
    return say("{host}: {facts}", host=host.name, facts=many(facts))


def _alerts(view: PoolView, now: float) -> list[Phrase]:
    recent: list[Alert] = [alert for alert in view.alerts if now - alert.at <= ALERTS_OF_S]
    if not recent:
        return []
    head = say("Last hour: {n}", n=counted(len(recent), "alert", "alerts"))
    lines = [alert_words.describe(alert, view) for alert in recent]
    if len(lines) == 1:
        return [say("{head}. {alert}", head=head, alert=lines[0])]
    return [head, *_bounded(lines, _ALERT_LINES)]


def _frozen(freeze: Freeze | None) -> list[Phrase]:
    if freeze is None:
        return []
    why = say(": “{reason}”", reason=Quote(freeze.reason)) if freeze.reason else say("")
    return [
        say(
            "Frozen by {who} since {at}{why}. No changing job starts", who=Who(freeze.by), at=Moment(freeze.at), why=why
        )
    ]


def job_line(record: JobRecord) -> Phrase:
    """A job in one line, with how far it is while it runs."""
    state = say(state_word(record.state))
    line = say("Job {n}, {state}: {title}", n=numbered(record), state=state, title=record.plan.title)
    going = next((step for step in record.steps if step.state is StepState.SENT), None)
    if record.state is JobState.RUNNING and going is not None:
        return say("{line}, {percent} %", line=line, percent=int(going.progress * 100))
    return line
