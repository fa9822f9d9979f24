"""`/xen backups`, and which backup a person means who writes a guest's name."""

from __future__ import annotations

import msgspec
import pytest
from ports import Room
from small_fleet import NOW, VIEW, backup, guest, record

from bot.domain.catalogue import BackupState, Odd, Proof, Verification
from bot.domain.job import JobState
from bot.domain.message import Choices, Table
from bot.domain.texts import plain
from bot.errors import Ambiguous, NotFound, Refused, TargetFailed
from bot.operations.backed_up import meant, one_meant
from bot.operations.backup_steps import mark

HURT = Verification(NOW - 60, Proof.FULL, "U2", ("disk 0: block 7 differs",))


async def test_the_list_tells_age_size_what_was_proved_and_until_when_each_is_kept() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(2), backup(1, verified=HURT, state=BackupState.DAMAGED, name="<!channel>")]
    said = await where.read("backups")
    assert "2 backups of centos54, 1 found whole" in said
    assert "20261126-000001 of <!channel> is damaged: disk 0: block 7 differs" in said
    assert "10 d" in said
    assert "2 GiB" in said


async def test_what_a_phone_shows_of_the_list_holds_the_id_and_how_and_by_whom_is_told_of_one_guest() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(2), backup(1, verified=HURT, state=BackupState.DAMAGED), backup(3, verified=None)]
    (short,) = (part for part in (await where.type("backups")).parts if isinstance(part, Table))
    assert short.columns == ("Guest", "Age", "Backup", "Verified", "Size", "Kept until")
    assert [plain(row[2]) for row in short.rows] == [f"20261126-00000{number}" for number in (2, 1, 3)]
    whole, hurt, never = (plain(row[3]) for row in short.rows)
    assert whole.startswith("whole, ")
    assert hurt.startswith("damaged, ")
    assert never == "never"
    (one,) = (part for part in (await where.type("backups centos54")).parts if isinstance(part, Table))
    assert one.columns[:6] == short.columns
    last = [tuple(map(plain, row[6:])) for row in one.rows]
    assert ("every block, read again", "@U2") in last
    assert ("not at all", "nobody") in last


async def test_an_empty_archive_says_how_a_backup_is_made() -> None:
    assert "/xen backup <vm>" in await Room(VIEW).read("backups")


async def test_the_backups_of_one_guest_offer_its_restore_and_those_of_many_do_not() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(2, guest="old"), backup(1, guest="old")]
    answer = await where.type("backups")
    buttons = [one for part in answer.parts if isinstance(part, Choices) for one in part.buttons]
    assert [(one.label, one.target) for one in buttons] == [
        ("Plan: restore", "restore old"),
        ("Plan: verify", "verify old"),
    ]
    where.journal.catalogue.append(backup(3, guest="another"))
    assert not any(isinstance(part, Choices) for part in (await where.type("backups")).parts)


def odd(name: str, **more: str) -> Odd:
    return Odd(
        "/backups", name, "is none of the bot's", "If it is an archive, {command} takes it in.", "adopt it", **more
    )


async def test_what_lies_beside_the_backups_is_named_with_what_to_do_and_what_is_under_way_is_not() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(1)]
    where.journal.records = [record(7, JobState.RUNNING)]
    job = where.journal.records[0]
    under_way = f"20261126-061701-{mark(job.nonce, job.plan.targets[0].uuid)}"
    where.facts.library.found = [
        odd("<!channel>.xva"),
        odd(f"vm-1/{under_way}", guest="vm-1", draft=under_way),
        odd("vm-1/20261126-061701-00ff", guest="vm-1", draft="20261126-061701-00ff"),
    ]
    said = await where.read("backups")
    assert "<!channel>.xva is none of the bot's. If it is an archive, adopt it takes it in." in said
    assert "20261126-061701-00ff of centos54 is none" in said
    assert under_way not in said
    assert "Type what begins with xenbot on the bot's machine; the archive is /backups." in said
    assert "<!channel>.xva" not in await where.read("backups centos54")
    where.facts.library.found = [odd(f"file{number}") for number in range(30)]
    said = await where.read("backups")
    assert "file4 is none" in said
    assert "file5" not in said
    assert "And 25 more: xenbot backups list names them." in said


async def test_what_was_taken_in_by_hand_is_listed_at_once_and_what_is_known_stays_as_it_is() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(1)]
    where.facts.library.stored = [backup(1, verified=None), backup(2, guest="vm-9", name="old-web", job=None)]
    assert "2 backups of 2 guests, 2 found whole" in await where.read("backups")
    assert "1 backup of old-web" in await where.read("backups old-web")
    assert len(where.journal.catalogue) == 2


async def test_what_was_removed_by_hand_is_said_to_be_gone_and_is_no_backup_to_count_on() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(2), backup(1)]
    where.facts.library.stored = [backup(1)]
    said = await where.read("backups")
    assert "2 backups of centos54, 1 found whole" in said
    assert "20261126-000002 of centos54 is gone from the archive" in said


async def test_an_archive_that_cannot_be_read_hides_no_backup_that_is_catalogued() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(1)]
    where.facts.library.failure = TargetFailed(
        "/backups could not be read: it is not there.", "See that it is mounted."
    )
    said = await where.read("backups")
    assert "1 backup of centos54, 1 found whole" in said
    assert "/backups could not be read: it is not there. See that it is mounted." in said


async def test_a_long_list_is_read_page_by_page_and_no_backup_twice() -> None:
    where = Room(VIEW)
    where.journal.catalogue = [backup(number) for number in range(50, 0, -1)]
    seen: list[str] = []
    words = "backups centos54"
    while words:
        answer = await where.type(words)
        parts = answer.parts
        seen += [plain(row[2]) for part in parts if isinstance(part, Table) for row in part.rows]
        buttons = [one for part in parts if isinstance(part, Choices) for one in part.buttons]
        words = next((one.target for one in buttons if one.label == "Next"), "")
    assert seen == [f"20261126-{number:06}" for number in range(50, 0, -1)]


def test_a_guest_means_its_newest_backup_that_was_found_whole() -> None:
    known = [backup(1), backup(2), backup(3, verified=HURT, state=BackupState.DAMAGED), backup(4, verified=None)]
    assert one_meant("centos54", Room(VIEW).fleet, known).id == "20261126-000002"
    assert one_meant("20261126-000003", Room(VIEW).fleet, known).state is BackupState.DAMAGED
    with pytest.raises(Refused, match="found whole"):
        one_meant("centos54", Room(VIEW).fleet, known[2:])


def test_a_guest_that_is_gone_goes_by_the_name_it_had_and_two_of_one_name_are_told_apart() -> None:
    fleet = Room(VIEW).fleet
    gone = [backup(1, guest="old-1", name="web"), backup(2, guest="old-1", name="web")]
    assert [one.id for one in meant("WEB", fleet, gone)] == ["20261126-000002", "20261126-000001"]
    both = [*gone, backup(3, guest="old-2", name="web")]
    with pytest.raises(Ambiguous) as several:
        meant("web", fleet, both)
    assert {one.uuid for one in several.value.candidates} == {"old-1", "old-2"}
    assert [one.guest for one in meant("old-2", fleet, both)] == ["old-2"]
    with pytest.raises(NotFound) as none:
        meant("wep", fleet, both)
    assert none.value.nearest == ("web",)


def test_a_name_that_began_the_names_of_living_guests_still_means_the_one_that_is_gone() -> None:
    fleet = Room(msgspec.structs.replace(VIEW, vms=(guest("u1", "website1"), guest("u2", "website2")))).fleet
    assert meant("website", fleet, [backup(1, guest="old", name="website")])[0].guest == "old"


def test_of_two_guests_that_had_the_name_the_one_that_still_has_it_is_meant() -> None:
    known = [backup(1, guest="old"), backup(2, guest="vm-1")]
    assert [one.guest for one in meant("centos54", Room(VIEW).fleet, known)] == ["vm-1"]
