"""How the bot finds out which guest it runs in."""

from __future__ import annotations

from pathlib import Path

from bot.xen import own_uuids

UUID = "1b3f0c2a-8d47-4f8e-9c11-3a5b6c7d8e9f"
TURNED = "2a0c3f1b-478d-8e4f-9c11-3a5b6c7d8e9f"


def test_what_the_hypervisor_says_counts_in_both_orders_of_bytes(tmp_path: Path) -> None:
    source = tmp_path / "uuid"
    source.write_text(UUID.upper() + "\n")
    assert own_uuids([tmp_path / "missing", source]) == {UUID, TURNED}


def test_outside_a_guest_and_in_the_control_domain_there_is_none(tmp_path: Path) -> None:
    control, nonsense = tmp_path / "control", tmp_path / "nonsense"
    control.write_text("00000000-0000-0000-0000-000000000000\n")
    nonsense.write_text("To be filled by O.E.M.\n")
    assert own_uuids([tmp_path / "missing", control, nonsense]) == frozenset()
