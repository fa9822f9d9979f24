"""A plan of a backup made again: before it starts, and for what is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import backup_world as backups
import msgspec
import pytest
from backup_world import decided, place, read
from migration_facts import ALONE, GIB

from bot.domain.backup_facts import BackupFacts, Room
from bot.domain.catalogue import Backup
from bot.domain.inventory import PowerState
from bot.domain.plan import Grade, ceiling, digest, drift
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.errors import Refused, TargetFailed
from bot.operations.backup import OPERATION, hindrances, plan
from bot.operations.backup_steps import Manner
from bot.operations.base import NOBODY

RULES = ApprovalSettings()


class Shelf:
    """An archive with so much room, and a catalogue without entries."""

    def __init__(self, free: int, *, gone: bool = False) -> None:
        self.free = free
        self.gone = gone

    async def room(self, _besides: object = ()) -> Room:
        if self.gone:
            raise TargetFailed("Nothing is mounted at /srv/backups.", "Mount it.")
        return Room(self.free, 500 * GIB)

    async def shares_server(self, config: Mapping[str, str], /) -> bool:
        return config.get("server") == "backupserver"

    async def backups(self, *, guest: str = "", limit: int | None = None) -> Sequence[Backup]:
        return ()


class Reads:
    """The facts of some guests, by UUID."""

    def __init__(self, *guests: BackupFacts, free: int = 300 * GIB, gone: bool = False) -> None:
        self.archives = self.catalogue = Shelf(free, gone=gone)
        self.guests = {one.vm.uuid: one for one in guests}

    async def backup(self, vm: str) -> BackupFacts:
        return self.guests[vm]


async def changed(approved: object, *now: BackupFacts, **more: object) -> list[str]:
    again = await OPERATION.replan(approved, Reads(*now, **more), RULES, NOBODY)  # type: ignore[arg-type]
    return [plain(one) for one in drift(approved, ceiling(approved), again)]  # type: ignore[arg-type]


async def test_the_same_facts_make_the_same_plan() -> None:
    first = await plan(["vm-1", "vm-2"], Manner(), Reads(read(), read(of=backups.SECOND)), RULES)  # type: ignore[arg-type]
    assert not first.blocked
    assert await changed(first, read(), read(of=backups.SECOND)) == []


async def test_numbers_that_other_backups_moved_make_it_stale_only_when_they_block() -> None:
    approved = decided(read(), there=place(300 * GIB))
    tight = read(backups.on(used=499 * GIB), backups.where(depths={"0": 21}, merging={"sr-nfs": 12}, exported=("x",)))
    assert await changed(approved, tight, free=5 * GIB) == []
    (worse,) = await changed(approved, read(), free=GIB)
    assert worse.startswith("Room in the archive: 2 GiB are needed at least")
    (gone,) = await changed(approved, read(), gone=True)
    assert gone == "Room in the archive: Nothing is mounted at /srv/backups."


async def test_a_guest_that_was_stopped_meanwhile_makes_it_stale() -> None:
    approved = decided(read())
    found = await changed(approved, read(backups.vm(power_state=PowerState.HALTED)))
    assert any("was Running, now it is Halted" in one for one in found)


async def test_a_lane_is_judged_by_itself_under_what_was_agreed_to_for_all() -> None:
    approved = decided(read(), read(of=backups.SECOND))
    mine = frozenset(index for index, step in enumerate(approved.steps) if step.lane == "vm-1")
    rest = OPERATION.rest(approved, mine)
    again = await OPERATION.replan(rest, Reads(read(of=backups.SECOND)), RULES, NOBODY)  # type: ignore[arg-type]
    assert digest(again) == digest(rest)
    assert drift(rest, ceiling(approved), again) == ()


async def test_asked_again_only_the_guests_without_a_backup_are_planned() -> None:
    whole = decided(read(), read(of=backups.SECOND), manner=Manner(kept_s=86_400.0))
    done = frozenset(index for index, step in enumerate(whole.steps) if step.lane == "vm-1" and not step.undoes)
    assert OPERATION.renew is not None
    rest = OPERATION.rest(whole, done)
    again = await OPERATION.renew(rest, Reads(read(), read(of=backups.SECOND)), RULES)  # type: ignore[arg-type]
    assert [one.uuid for one in again.targets] == ["vm-2"]
    assert any("kept for at least 24 h" in plain(line) for line in again.after)
    with pytest.raises(Refused, match="Every guest of that job"):
        await OPERATION.renew(msgspec.structs.replace(rest, steps=()), Reads(read()), RULES)  # type: ignore[arg-type]


async def test_guests_of_two_pools_are_asked_for_apart() -> None:
    abroad = msgspec.structs.replace(read(of=backups.SECOND), pool=ALONE)
    with pytest.raises(Refused, match="different pools: experiment and xenserver2"):
        await plan(["vm-1", "vm-2"], Manner(), Reads(read(), abroad), RULES)  # type: ignore[arg-type]


async def test_cold_without_room_for_a_snapshot_is_planned_in_place() -> None:
    full = read(backups.on(used=500 * GIB))
    made = await plan(["vm-1"], Manner(cold=True), Reads(full), RULES)  # type: ignore[arg-type]
    assert [step.kind for step in made.steps] == ["VM.clean_shutdown", "backup-in-place", "VM.start"]
    assert not [one for one in made.checks if one.grade is Grade.BLOCKED]


async def test_what_would_stop_backups_is_told_of_each_guest_that_a_schedule_covers_and_of_all_together() -> None:
    def sized(size: int) -> list[BackupFacts]:
        return [read(backups.image(used=size)), read(backups.image(used=200 * GIB), of=backups.SECOND)]

    async def told(those: list[BackupFacts]) -> list[tuple[str, str]]:
        found = hindrances([one.vm for one in those], Manner(), Reads(*those), RULES)  # type: ignore[arg-type]
        return [(whom, plain(why)) async for whom, why, _ in found]

    assert await told(sized(90 * GIB)) == []
    assert await told(sized(400 * GIB)) == [("centos54", "400 GiB are needed at least, 300 GiB are free")]
    together = [("2 guests together", "400 GiB are needed at least, 300 GiB are free")]
    assert await told(sized(200 * GIB)) == together
