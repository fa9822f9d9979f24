"""What the card of a verification says of what was found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from restore_world import NOW, archived

from bot.domain.catalogue import Archived, Backup, Proof, Verification
from bot.domain.texts import plain
from bot.operations import verify
from bot.operations.base import Look, Seen

NOTE = "The proof cannot be used: it is cut."


async def found(*looks: Verification, catalogued: Verification | None = None) -> Look:
    """What is said in the end of a job that has looked so; what is `catalogued` could not be kept beside the first."""
    known = {f"20261126-010203-abcd123{n}": archived(verified=look) for n, look in enumerate(looks)}
    known = {name: archived(id=name, verified=one.backup.verified) for name, one in known.items()}

    async def lies_there(name: str) -> Archived:
        return known[name]

    async def backups(*, guest: str) -> list[Backup]:
        assert guest == "vm-1"
        first = next(iter(known.values())).backup
        return [msgspec.structs.replace(first, verified=catalogued)] if catalogued is not None else []

    library, catalogue = SimpleNamespace(archived=lies_there), SimpleNamespace(backups=backups)
    facts: Any = SimpleNamespace(library=library, catalogue=catalogue)
    plan = verify.decide([one.backup for one in known.values()], Proof.FULL, NOW)
    assert verify.OPERATION.sum_up is not None
    return await verify.OPERATION.sum_up(plan, frozenset(range(len(looks))), facts)


WHOLE, NOTED = Verification(NOW, Proof.FULL, "U1"), Verification(NOW, Proof.FULL, "U1", (), NOTE)


async def test_one_that_is_whole_without_a_usable_proof_says_so() -> None:
    assert (await found(WHOLE)).evidence == ()
    look = await found(NOTED)
    assert look.seen is Seen.DONE
    (said,) = map(plain, look.evidence)
    assert said.startswith(NOTE)
    assert said.endswith("make a new backup.")


@pytest.mark.parametrize("looks", [(WHOLE, NOTED), (NOTED, WHOLE)])
async def test_of_several_the_one_whose_proof_cannot_be_used_is_named(looks: tuple[Verification, ...]) -> None:
    look = await found(*looks)
    assert plain(look.headline) == "2 of 2 backups are whole"
    (said,) = map(plain, look.evidence)
    assert f"abcd123{looks.index(NOTED)}" in said
    assert NOTE in said


async def test_damage_that_could_not_be_kept_beside_a_full_archive_is_told_all_the_same() -> None:
    before = Verification(NOW - 3600, Proof.STREAM, "xenbot")
    hurt = Verification(NOW + 5, Proof.FULL, "U1", ("Block 7 of disk 0 is damaged.",), "It could not be kept.")
    look = await found(before, catalogued=hurt)
    assert look.seen is Seen.HARMED
    assert "Block 7 of disk 0 is damaged." in plain(look.headline)
