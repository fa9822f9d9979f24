import pytest

from bot.xen.faults import failure

NAMES = {"OpaqueRef:11111111-aaaa": "centos54", "OpaqueRef:22222222-bbbb": "xenserver3"}


@pytest.mark.parametrize(
    ("details", "params"),
    [
        (["VM_REQUIRES_SR", "OpaqueRef:11111111-aaaa", "OpaqueRef:dead"], ("centos54", "SR")),
        (["HOST_DISABLED", "OpaqueRef:22222222-bbbb"], ("xenserver3",)),
        (["HANDLE_INVALID", "VM", "OpaqueRef:dead"], ("VM", "VM")),
        (["VM_BAD_POWER_STATE", "OpaqueRef:dead", "running", "halted"], ("VM", "running", "halted")),
        (["INTERNAL_ERROR", "Failure(OpaqueRef:dead, OpaqueRef:22222222-bbbb)"], ("Failure(object, xenserver3)",)),
        (["HOST_NOT_ENOUGH_FREE_MEMORY", "100", "5"], ("100", "5")),
        (
            ["VM_REQUIRES_SR", "OpaqueRef:11111111-aaaa", "OpaqueRef:NULL", "one too many"],
            ("centos54", "nothing", "one too many"),
        ),
    ],
)
def test_references_in_failures_become_names_or_kinds(details: list[str], params: tuple[str, ...]) -> None:
    named = failure(details, NAMES.get)
    assert (named.code, named.params) == (details[0], params)


def test_an_empty_failure_is_still_a_failure() -> None:
    assert failure([], NAMES.get).code == "INTERNAL_ERROR"
