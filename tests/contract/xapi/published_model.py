"""The published data model, where it is at hand, in the words of the lab's schema."""

import json
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
