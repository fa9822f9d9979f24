"""The published data model, where it is at hand, in the words of the lab's schema."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[3] / ".." / "shared" / "reference"
RECORDED = REFERENCE / "real-xapi"


def published() -> dict[str, Any]:
    """Returns the classes by name; skips the test where the model is not here."""
    path = REFERENCE / "xenapi.json"
    if not path.is_file():
        pytest.skip("the published data model is not here")
    return {kind["name"]: kind for kind in json.loads(path.read_text(encoding="utf-8"))}


def published_errors() -> dict[str, list[str] | None]:
    """Returns error codes with the names of their parameters; None where nobody declared them."""
    path = REFERENCE / "xapi-datamodel.json"
    if not path.is_file():
        pytest.skip("the published data model is not here")
    model = json.loads(path.read_text(encoding="utf-8"))
    return {**model["errors_undeclared"], **model["errors"]}


# Errors whose parameters a real server sends otherwise than its data model declares.
SENT_OTHERWISE = {
    ("SESSION_AUTHENTICATION_FAILED", 2): "user and message are sent, none are declared",
    ("VM_IS_TEMPLATE", 2): "the operation is sent beside the guest",
    ("MEMORY_CONSTRAINT_VIOLATION", 0): "the boot check sends none",
    ("VDI_IN_USE", 1): "PBD.unplug names the disk alone",
    ("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", 1): "a move of disks names the disk",
    ("NO_HOSTS_AVAILABLE", 1): "an evacuation names the guest that cannot leave",
    ("SR_OPERATION_NOT_SUPPORTED", 0): "an import into a library does not name it",
    ("LICENSE_HOST_POOL_MISMATCH", 1): "a join tells the edition that the licence daemon does not know",
    ("LICENSE_HOST_POOL_MISMATCH", 2): "a join tells both editions",
    ("V6D_FAILURE", 1): "a join tells the editions of the pool",
    ("Fault", 1): "no code of the model: what misuse of Async is answered with",
}
# Errors that name as many objects as there are.
NAME_ALL = frozenset(
    {
        "SR_HAS_MULTIPLE_PBDS",
        "NETWORK_CONTAINS_VIF",
        "NETWORK_CONTAINS_PIF",
        "VMS_FAILED_TO_COOPERATE",
        "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT",
    }
)


@cache
def _count_declared() -> dict[str, int]:
    """Returns how many parameters each error has; none where the model is not here."""
    path = REFERENCE / "xapi-datamodel.json"
    if not path.is_file():
        return {}
    model = json.loads(path.read_text(encoding="utf-8"))
    declared = {**model["errors_undeclared"], **model["errors"]}
    return {code: len(names) for code, names in declared.items() if names is not None}


def check_parameters(error: list[str]) -> None:
    """Asserts that an error as it came over the wire has the declared number of parameters."""
    code, count = error[0], len(error) - 1
    expected = _count_declared().get("SR_BACKEND_FAILURE" if code.startswith("SR_BACKEND_FAILURE_") else code)
    assert expected in {None, count} or (code, count) in SENT_OTHERWISE or code in NAME_ALL, error


def spell_type(text: str) -> str:
    """Writes a published type as the schema does."""
    if text.endswith(" map"):
        key, _, value = text.removesuffix(" map").strip("()").partition(" -> ")
        return f"map {spell_type(key)} {spell_type(value)}"
    if text.endswith(" set"):
        return f"set {spell_type(text.removesuffix(' set'))}"
    if text.endswith(" record"):
        return f"record {text.removesuffix(' record').removeprefix('<class>')}".strip()
    if text == "an event batch":
        return "record"
    return f"ref {text.removesuffix(' ref')}" if text.endswith(" ref") else text


def weakest(roles: list[str], order: tuple[str, ...]) -> str:
    """Returns the weakest of the roles that may, `local` where only the local superuser may."""
    return next((role for role in order if role in roles), "local")
