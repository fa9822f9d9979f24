"""What jobs of ours left at a pool: found by its look, known as ours by what was stored when it was made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from bot.domain.health import HealthFacts, Snapshot
from bot.domain.job import FINAL, JobState
from bot.domain.message import Button
from bot.domain.record import JobRecord
from bot.domain.remains import Lying
from bot.domain.texts import Code, Phrase, Size, Span, say
from bot.domain.words import counted, numbered
from bot.operations import leavings, restore_steps, trying
from bot.operations.backup_steps import SNAPSHOT_NAME
from bot.operations.health.row import Item, Row, on_button, row

_MARKS: Final = (f"{restore_steps.MARK} ", f"{trying.MARK} ")
#: What people call each class of object.
_WORDS: Final = {"VM": "a guest", "VDI": "a disk", "network": "a network", "SR": "a storage"}


class Jobs(Protocol):
    """The journal, as far as it is asked here."""

    async def jobs(self, *, limit: int = 20, open_only: bool = False, target: str = "") -> Sequence[JobRecord]:
        """Newest first, or only those that are not over."""
        ...

    async def makers(self, objects: Collection[str]) -> dict[str, JobRecord]:
        """The newest job that made each of these objects (UUIDs), where one did."""
        ...

    async def gone_wrong(self, kinds: Collection[str], *, limit: int = 200) -> Sequence[JobRecord]:
        """Jobs with a step of one of these kinds that did not go well, newest first."""
        ...


async def look(facts: HealthFacts, journal: Jobs) -> Row:
    """The row of what jobs of ours made and did not take back. Raises StoreError."""
    named = [each for each in facts.snapshots if each.name.startswith(SNAPSHOT_NAME)]
    makers = await journal.makers([one.uuid for one in named]) if named else {}
    items = [item for one in named for item in _snapshot(one, makers.get(one.uuid), facts)]
    there = {one.uuid: one for one in _there(facts)}
    over = [job for job in await journal.gone_wrong(leavings.KINDS) if job.state in FINAL]
    known: dict[str, Item] = {}
    for job in over:
        known |= dict(_guests(job, there, facts))
        known |= dict(_disks(job, there, facts))
        known |= dict(_storage(job, there, facts))
    items += {item.id: item for item in known.values()}.values()
    unknown = [one for one in there.values() if one.uuid not in known and one.name.startswith(_MARKS)]
    busy = await journal.jobs(limit=1000, open_only=True) if unknown else ()
    items += [item for one in unknown for item in _unknown(one, over, busy)]
    fix = say("Remove it once nobody needs it: it fills the storage, and a snapshot slows its guest's disks.")
    return row("leftovers", "Left by xenbot", items, say("nothing"), fix)


def _there(facts: HealthFacts) -> Iterator[Lying]:
    yield from facts.lying
    for vm in facts.vms:
        yield Lying("VM", vm.uuid, vm.name, sum(disk.size for disk in vm.disks if not disk.cd))


def _snapshot(one: Snapshot, job: JobRecord | None, facts: HealthFacts) -> Iterator[Item]:
    of, key = one.guest or "a guest that is gone", f"leftover:{one.uuid}"
    if job is None:
        # Its name alone may be inherited, or another bot's: nobody here may remove it.
        yield Item(key, say("a snapshot of {vm} is named like ours, and no job here made it", vm=of))
    elif job.state in FINAL:
        how = _how_much(one.size, one.taken_at, facts)
        says = say("job {n} left its snapshot of {vm}{how}", n=numbered(job), vm=of, how=how)
        button = leavings.button(job, f"Remove snapshot of {on_button(of)}")
        yield Item(key, says, button=button if one.guest else None)
    elif job.state is JobState.NEEDS_ATTENTION:
        yield Item(key, say("job {n} left its snapshot of {vm} and needs a person", n=numbered(job), vm=of))


def _guests(job: JobRecord, there: Mapping[str, Lying], facts: HealthFacts) -> Iterator[tuple[str, Item]]:
    """By UUID; those that somebody has named otherwise are theirs."""
    for left in leavings.guests(job):
        if left.pool != facts.pool.uuid:
            continue
        networks = [one for one in there.values() if (one.kind, one.name) == ("network", left.mark)]
        one = there.get(left.uuid)
        if one is not None and one.name in left.names:
            how = _how_much(one.size, job.finished_at, facts)
            says = say("job {n} left the guest {vm}{how}", n=numbered(job), vm=one.name, how=how)
            button = leavings.button(job, f"Remove guest of job {job.number}")
            if leavings.is_rolled_back(job):
                source = job.plan.targets[0]
                does = say("Plan: roll back the move of {vm}", vm=source.name)
                button = Button(f"Roll back {on_button(source.name)}", "ask", f"roll-back {left.uuid}", says=does)
            item = Item(f"leftover:{one.uuid}", says, button=button)
            yield one.uuid, item
            # What came with it goes with it.
            yield from ((each.uuid, item) for each in networks)
        elif one is None:
            for each in networks:
                says = say("job {n} left the network {uuid}", n=numbered(job), uuid=Code(each.uuid))
                button = leavings.button(job, f"Remove network of job {job.number}")
                yield each.uuid, Item(f"leftover:{each.uuid}", says, button=button)


def _disks(job: JobRecord, there: Mapping[str, Lying], facts: HealthFacts) -> Iterator[tuple[str, Item]]:
    names = {one.sr.uuid: one.sr.name for one in facts.stores}
    for left in leavings.disks(job):
        its = [there[uuid] for uuid in left.disks if uuid in there and there[uuid].name == left.mark]
        if left.pool != facts.pool.uuid or not its:
            continue
        n, sr = counted(len(its), "disk", "disks"), names.get(left.sr, left.sr)
        how = _how_much(sum(one.size for one in its), job.finished_at, facts)
        says = say("job {n} left {disks} that {sr} was tried with{how}", n=numbered(job), disks=n, sr=sr, how=how)
        item = Item(f"leftover:{left.mark}", says, button=leavings.button(job, f"Remove disks of job {job.number}"))
        yield from ((one.uuid, item) for one in its)


def _storage(job: JobRecord, there: Mapping[str, Lying], facts: HealthFacts) -> Iterator[tuple[str, Item]]:
    for left in leavings.storage(job):
        one = there.get(left.sr)
        if left.pool == facts.pool.uuid and one is not None and one.name == left.mark:
            says = say("job {n} left the storage {name}", n=numbered(job), name=one.name)
            remove = f"Remove storage of job {job.number}"
            button = leavings.button(job, remove) if left.made else leavings.forgetting(job)
            yield one.uuid, Item(f"leftover:{one.uuid}", says, button=button)


def _unknown(one: Lying, over: Sequence[JobRecord], busy: Sequence[JobRecord]) -> Iterator[Item]:
    """What bears a mark of ours, and nobody stored that it is ours: a copy inherits the name."""
    nonce, key, word = one.name.rpartition(" ")[2], f"leftover:{one.uuid}", say(_WORDS[one.kind])
    holder = next((job for job in busy if job.nonce == nonce), None)
    if holder is not None:
        if holder.state is JobState.NEEDS_ATTENTION:
            yield Item(key, say("job {n} left {what} and needs a person", n=numbered(holder), what=word))
        return
    maker = next((job for job in over if job.nonce == nonce), None)
    told = say("no job here made it")
    if maker is not None:
        told = say("job {n} did not note that it made it", n=numbered(maker))
    yield Item(key, say("{what} is called {name}, and {told}", what=word, name=Code(one.name), told=told))


def _how_much(size: int, since: float | None, facts: HealthFacts) -> Phrase:
    """How large it is, and for how long it is there."""
    if since is None:
        return say(", {size}", size=Size(size))
    return say(", {size}, {age} ago", size=Size(size), age=Span(max(0.0, facts.read_at - since)))
