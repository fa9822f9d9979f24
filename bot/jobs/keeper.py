"""Keeps the backups: prunes them once a day, looks at one after the other again, and tells of guests without any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.catalogue import Backup, BackupState, Proof, newest_good
from bot.domain.inventory import FeedState
from bot.domain.message import Facts, Mark, Message, Ways
from bot.domain.message import Verdict as Headline
from bot.domain.texts import Code, Phrase, Quote, Span, many, say
from bot.domain.upkeep import Pruned, behind, next_look
from bot.domain.words import counted
from bot.errors import NotFound, Refused, TargetFailed
from bot.jobs.rounds import rounds
from bot.operations.archive_ports import Library, Steward
from bot.operations.ports import Fleet
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()

FIRST_AFTER_S: Final = 300.0
EVERY_S: Final = 600.0
DAY_S: Final = 86_400.0
WHO: Final = "xenbot"
_MOST_LINES: Final = 10
_CLAIM: Final = Code("xenbot backups claim")


class Keeping(msgspec.Struct, frozen=True):
    """How backups are kept: seconds between two looks at one (0: none), the share that a look reads (0 to 1).

    `alert_s` is how old the newest whole backup of a guest may be before it is told (0: any age).
    """

    look_every_s: float
    share: float
    alert_s: float


class Keeper:
    """Does one round each ten minutes; tells what is wrong in `channel`, and nothing when all is well."""

    def __init__(
        self,
        store: Store,
        library: Library,
        steward: Steward,
        fleet: Fleet,
        keeping: Keeping,
        *,
        team: str,
        channel: str,
    ) -> None:
        self.store = store
        self.library = library
        self.steward = steward
        self.fleet = fleet
        self.keeping = keeping
        self.team = team
        self.channel = channel
        self._passed_over: set[str] = set()

    async def run(self) -> None:
        """Runs until cancelled."""

        async def look() -> None:
            try:
                await self.round()
            except TargetFailed as reason:
                log.warning("backups_not_kept", reason=str(reason))

        await rounds(look, EVERY_S, FIRST_AFTER_S)

    async def round(self) -> None:
        """Once a day prunes and tells of guests without a whole backup; then looks at the backup that is due.

        Raises StoreError, TargetFailed.
        """
        # A freeze holds back what removes anything; looking goes on. In doubt about it, this raises.
        if await self.store.frozen() is None and await self.store.day_is_over("backups_pruned", DAY_S):
            self._passed_over.clear()
            await self._prune()
        if self.keeping.alert_s and await self.store.day_is_over("backups_behind_told", DAY_S):
            await self._tell_who_is_behind()
        if self.keeping.look_every_s:
            await self._look()

    async def _prune(self) -> None:
        try:
            pruned = await self.steward.prune(WHO)
        except TargetFailed as reason:
            log.warning("backups_not_pruned", reason=str(reason))
            pruned = Pruned(findings=(str(reason),))
        for tag, gone in ((Tag.BACKUP_TRASHED, pruned.trashed), (Tag.BACKUP_REMOVED, pruned.removed)):
            for one in gone:
                await self.store.note(Note(tag, self.team, WHO, {"backup": one.id}), (one.guest, one.name))
        log.info("backups_pruned", trashed=len(pruned.trashed), removed=len(pruned.removed))
        # Told before the archive is read once more: whatever kept it from being pruned may keep it from that too.
        if pruned.findings:
            await self._tell(_odd(pruned))
        for bot, count in pruned.others.items():
            await self.store.tell_once(f"backups_of_other_bot:{bot}", [self._post(_of_another(bot, count))])
        before = await self.store.backups()
        shown = await self.library.listing()
        known = {one.id for one in await self.store.backups() if one.state is BackupState.DAMAGED}
        # A backup that is committed while the archive is read is not in the list, and not gone.
        await self.store.rebuild_backups(shown, among={one.id for one in before})
        for one in shown.backups:
            # Some damage shows without reading an archive: one that was cut, or is gone.
            if one.state is BackupState.DAMAGED and one.id not in known:
                await self._tell(await self._damage(one))

    async def _look(self) -> None:
        known = await self.store.backups()
        # What somebody looks at already is looked at then.
        not_now = self.library.looking_at() | self._passed_over
        one = next_look(known, self.store.clock(), self.keeping.look_every_s, not_now)
        if one is None:
            return
        how = Proof.FULL if self.keeping.share >= 1 else Proof.SAMPLE
        try:
            found = await self._check(one, how)
        except (NotFound, Refused, TargetFailed) as reason:
            # Another one is due next time; this one after the next pruning, which reads the archive anew.
            self._passed_over.add(one.id)
            log.warning("backup_not_looked_at", backup=one.id, reason=str(reason))
            return
        await self.store.keep_backup(found)
        look = found.verified
        if look is None:
            return
        detail = {"backup": one.id, "how": look.how.value, "damage": list(look.damage), "note": look.note}
        story: Sequence[Outgoing] = ()
        if look.damage:
            story = [self._post(await self._damage(found))]
        elif look.note:
            story = [self._post(_noted(found, look.note))]
        await self.store.note(Note(Tag.BACKUP_VERIFIED, self.team, WHO, detail), (one.guest, one.name), story)

    async def _damage(self, one: Backup) -> Message:
        others = [other for other in await self.store.backups(guest=one.guest) if other.id != one.id]
        return _damaged(one, newest_good(others))

    async def _check(self, one: Backup, how: Proof) -> Backup:
        """A part of it, or all of it where a part proves nothing."""
        try:
            return await self.library.check(one.id, how, self.keeping.share, WHO, _deaf)
        except Refused:
            return await self.library.check(one.id, Proof.FULL, 1.0, WHO, _deaf)

    async def _tell_who_is_behind(self) -> None:
        now = self.store.clock()
        found = behind(await self.store.backups(), now, self.keeping.alert_s)
        # Of a guest that is gone no newer backup can be made.
        living = [(one, good) for one, good in found if self._lives(one.guest)]
        if living:
            await self._tell(_behind(living, now))

    def _lives(self, guest: str) -> bool:
        if any(view.state is not FeedState.LIVE for view in self.fleet.pools()):
            # It may be one of those that cannot be seen now.
            return True
        try:
            self.fleet.vm(guest)
        except NotFound:
            return False
        return True

    async def _tell(self, message: Message) -> None:
        await self.store.tell(self._post(message))

    def _post(self, message: Message) -> Outgoing:
        return Outgoing("post", message, channel=self.channel)


def _deaf(_done: int, _total: int) -> None:
    """Nobody follows a look that nobody asked for."""


def _damaged(one: Backup, other: Backup | None) -> Message:
    headline = say("The backup {backup} of {guest} is damaged", backup=Code(one.id), guest=one.name)
    damage = one.verified.damage if one.verified is not None else ()
    lines = [say("{what}", what=Quote(sentence)) for sentence in damage[:_MOST_LINES]]
    if len(damage) > _MOST_LINES:
        lines.append(say("{n} more parts of it are damaged.", n=len(damage) - _MOST_LINES))
    if other is None:
        lines.append(say("There is no other whole backup of this guest."))
    else:
        lines.append(say("The newest whole one is {backup}.", backup=Code(other.id)))
    ways = [
        say("{again} makes a new one.", again=Code(f"/xen backup {one.guest}")),
        say("{look} reads all of it and names every damaged block.", look=Code(f"/xen verify {one.id} full")),
    ]
    return Message(headline, (Headline(headline, (), Mark.ATTENTION), Facts(tuple(lines)), Ways(tuple(ways))))


def _noted(one: Backup, note: str) -> Message:
    headline = say("The backup {backup} of {guest} is whole, but its proof is not", backup=Code(one.id), guest=one.name)
    lines = (
        say("{what}", what=Quote(note)),
        say("All of the archive was read for it: every byte is as it was when every block was verified."),
    )
    way = say("{again} makes a new one, with a proof.", again=Code(f"/xen backup {one.guest}"))
    return Message(headline, (Headline(headline, (), Mark.ATTENTION), Facts(lines), Ways((way,))))


def _behind(found: Sequence[tuple[Backup, Backup | None]], now: float) -> Message:
    guests = counted(len(found), "guest", "guests")
    headline = say("{guests} without a fresh whole backup", guests=guests)
    lines: list[Phrase] = []
    for one, good in found[:_MOST_LINES]:
        if good is None:
            lines.append(say("{guest}: none of its backups was found whole.", guest=one.name))
        else:
            lines.append(say("{guest}: the newest whole one is {age} old.", guest=one.name, age=Span(now - good.at)))
    if len(found) > _MOST_LINES:
        lines.append(say("And {n} more.", n=len(found) - _MOST_LINES))
    names = many([Code(f"/xen backup {one.guest}") for one, _ in found[:_MOST_LINES]])
    way = say("Back them up: {words}", words=names)
    return Message(headline, (Headline(headline, (), Mark.ATTENTION), Facts(tuple(lines)), Ways((way,))))


def _of_another(bot: str, count: int) -> Message:
    backups = counted(count, "backup", "backups")
    headline = say("The archive holds {backups} of another xenbot", backups=backups)
    lines = (
        say("That one is {bot}. Its backups are listed and can be restored; only it removes them.", bot=Code(bot)),
        say("If there is no other xenbot, its store was lost: {claim} lets this one keep them.", claim=_CLAIM),
    )
    return Message(headline, (Headline(headline, (), Mark.ATTENTION), Facts(lines)))


def _odd(pruned: Pruned) -> Message:
    headline = say(
        "The archive of backups holds {things} to look at", things=counted(len(pruned.findings), "thing", "things")
    )
    lines = [say("{what}", what=Quote(sentence)) for sentence in pruned.findings[:_MOST_LINES]]
    if len(pruned.findings) > _MOST_LINES:
        lines.append(
            say(
                "And {n} more: {all} names them.", n=len(pruned.findings) - _MOST_LINES, all=Code("xenbot backups list")
            )
        )
    return Message(headline, (Headline(headline, (), Mark.ATTENTION), Facts(tuple(lines))))
