"""The tables against the published data model: fields, messages, roles, errors; and how much of it the lab holds."""

import ast
import inspect
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from datacentre_client import Rpc
from published_model import SENT_OTHERWISE, published, published_errors, spell_type, weakest

import bot.lab.xapi
from bot.lab.xapi import Datacentre
from bot.lab.xapi.dispatch import _MODULES, SERVED
from bot.lab.xapi.rules.unserved import REASONS
from bot.lab.xapi.schema.model import CLASSES, ENUMS, parse_type
from bot.lab.xapi.schema.signatures import SIGNATURES, Signature
from bot.lab.xapi.sessions import ROLES

# Parameters that came after the published model, all optional.
NEWER = {"host.disable": 1, "VM.migrate_send": 1}
# Fields and values that came after it, each after those that it has.
NEWER_FIELDS = {"Certificate": ["purpose"]}
NEWER_VALUES = {"certificate_type": ["pinned"], "certificate_purpose": ["licensing", "ldaps"]}


def test_every_field_is_there_in_its_type_order_and_writability() -> None:
    model = published()
    assert list(CLASSES) == list(model)
    for name, kind in CLASSES.items():
        fields = {field["name"]: field for field in model[name]["fields"]}
        newer = NEWER_FIELDS.get(name, [])
        assert list(kind.fields) == [*fields, *newer]
        for field in kind.fields.values():
            if field.name in newer:
                continue
            theirs = fields[field.name]
            assert field.type == parse_type(spell_type(theirs["type"])), (name, field.name)
            assert field.writable == (theirs["qualifier"] == "RW"), (name, field.name)
            assert field.made_with == (theirs["qualifier"] != "RO/runtime"), (name, field.name)


def test_every_enumeration_has_its_values() -> None:
    published_enums = {enum["name"]: enum for kind in published().values() for enum in kind["enums"]}
    values = {name: [value["name"] for value in enum["values"]] for name, enum in published_enums.items()}
    newer = {name: [*values.get(name, []), *more] for name, more in NEWER_VALUES.items()}
    assert {name: list(values) for name, values in ENUMS.items()} == {**values, **newer}


def test_constructors_require_what_has_no_default() -> None:
    for name, kind in published().items():
        if not CLASSES[name].maker:
            continue
        taken = [field for field in kind["fields"] if field["qualifier"] != "RO/runtime"]
        required = {field["name"] for field in taken if "default" not in field}
        assert {field.name for field in CLASSES[name].fields.values() if field.required} == required, name


def test_every_message_has_its_parameters_result_and_roles() -> None:
    seen = set()
    for name, kind in published().items():
        for message in kind["messages"]:
            signature = SIGNATURES[f"{name}.{message['name']}"]
            seen.add(signature.name)
            types = [parse_type(spell_type(param["type"])) for param in message["params"]]
            if types and types[0] == parse_type("ref session") and message["params"][0]["name"] == "session_id":
                types.pop(0)
            ours = list(signature.params)
            assert ours[: len(ours) - NEWER.get(signature.name, 0)] == types, signature.name
            result = spell_type(message["result"][0])
            assert signature.result == (None if result == "void" else parse_type(result)), signature.name
            assert signature.role == weakest(message["roles"], ROLES), signature.name
            is_exceptional = signature.role != "read-only"
            assert signature.for_certificates == ("client-cert" in message["roles"] and is_exceptional), signature.name
            assert signature.is_removed == (message["lifecycle"]["state"] == "Removed_s"), signature.name
    # Every class with a table can be searched by expression, but the publication tells it of messages alone.
    extra = {name for name in SIGNATURES.keys() - seen if not name.endswith(".get_all_records_where")}
    getters = {f"{name}.get_{field}" for name, fields in NEWER_FIELDS.items() for field in fields}
    assert extra == {"session.get_all_records", *getters}


def test_the_function_behind_a_message_takes_what_the_message_has() -> None:
    for name, call in SERVED.items():
        parameters = list(inspect.signature(call.handler).parameters.values())[1:]
        if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
            continue
        assert len(parameters) == len(call.signature.params), name
        assert sum(one.default is inspect.Parameter.empty for one in parameters) <= call.signature.required, name


def _list_raised() -> set[tuple[str, int]]:
    """Returns code and number of parameters of every error that the lab's code raises by its name."""
    found = set()
    for path in Path(bot.lab.xapi.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ApiError"):
                continue
            code, *params = node.args
            if isinstance(code, ast.Constant) and not any(isinstance(param, ast.Starred) for param in params):
                found.add((str(code.value), len(params)))
    return found | {(code, len(params)) for code, *params in REASONS.values()}


def test_every_error_has_the_declared_number_of_parameters() -> None:
    declared = published_errors()
    raised = _list_raised()
    assert len(raised) > 50
    for code, count in raised - SENT_OTHERWISE.keys():
        assert code in declared, code
        names = declared[code]
        assert names is None or len(names) == count, (code, names, count)


def test_every_message_has_one_function_or_one_reason() -> None:
    declared = Counter(call.name for module in _MODULES for call in module.CALLS)
    assert [name for name, times in declared.items() if times > 1] == []
    assert REASONS.keys() & SERVED.keys() == set()
    assert {name for name in REASONS if SIGNATURES[name].is_removed} == set()


def test_reasons_name_messages_and_arguments_that_are_there() -> None:
    for name, (_, *params) in REASONS.items():
        for number in re.findall(r"\{(\d)\}", " ".join(params)):
            assert int(number) < SIGNATURES[name].required, name


async def test_the_share_of_the_model_that_is_held(
    datacentre: Datacentre, rpc: Rpc, record_property: Callable[[str, object], None]
) -> None:
    model = published()
    methods = {f"{name}.{message['name']}" for name, kind in model.items() for message in kind["messages"]}
    objects = {}
    for name in CLASSES:
        lister = SIGNATURES.get(f"{name}.get_all")
        if lister and not lister.is_removed:
            objects[name] = len(await rpc.call(f"{name}.get_all"))
    ways = Counter(_tell_way(SIGNATURES[name], objects) for name in methods)
    fields = [(name, field["name"]) for name, kind in model.items() for field in kind["fields"]]
    held_fields = sum(field in CLASSES[name].fields for name, field in fields)
    codes = published_errors().keys()
    raised = {code for code, _ in _list_raised()} & codes
    answered = ways["works"] + ways["refuses"]
    record_property(
        "summary",
        f"XAPI data model: fields {held_fields}/{len(fields)} · methods that work {ways['works']}/{len(methods)}, "
        f"that work or are refused as a real server refuses {answered}/{len(methods)} · "
        f"error codes {len(raised)}/{len(codes)}",
    )
    assert held_fields == len(fields)
    assert ways["works"] >= 1590
    assert answered >= 1800


def _tell_way(signature: Signature, objects: dict[str, int]) -> str:
    """Tells whether a message works, is refused as a real server would here, or is not implemented."""
    if signature.is_removed or signature.name in REASONS.keys() - SERVED.keys():
        return "refuses"
    if signature.name in SERVED:
        return "works"
    # A message about objects that cannot come to be in the lab finds none, as in a pool that has none.
    named = {kind.name for kind in signature.params if kind.kind == "ref" and not objects.get(kind.name)}
    made = {name.partition(".")[0] for name in SERVED if name.endswith((".create", ".introduce"))}
    return "refuses" if named - made else "not implemented"
