"""Exchanges recorded from a real server: read from their files, sent again with the lab's own references, compared.

The recorded server is newer than the lab's worlds and its pool is another one: what both have must look alike.
"""

import json
import re
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.schema.signatures import SIGNATURES

_REF = re.compile(r"OpaqueRef:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECORDED_PASSWORD = "xenroot"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer.

    Attributes:
        line: Method, path and version of HTTP.
        body: What was sent.
        status: Of the answer; 0 where the connection was closed without one.
        headers: Of the answer, with lower-case names.
        answer: The body that came back.
    """

    line: str
    body: str
    status: int
    headers: dict[str, str]
    answer: str

    @property
    def is_json(self) -> bool:
        """Tells whether it was JSON-RPC."""
        return " /jsonrpc " in self.line

    def call(self) -> tuple[str, list[Any]]:
        """Returns the method and parameters of a remote call."""
        if self.is_json:
            request = json.loads(self.body)
            return request["method"], request["params"]
        params, method = xmlrpc.client.loads(self.body)
        assert method is not None
        return method, list(params)


def read_exchange(path: Path) -> Exchange:
    """Reads a recorded file."""
    request, _, response = path.read_text(encoding="utf-8").partition("=== RESPONSE ===\n")
    head, _, body = request.partition("=== REQUEST ===\n")[2].partition("\n\n")
    status_line, _, rest = response.partition("\n")
    header_text, _, answer = rest.partition("\n\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in header_text.splitlines())}
    words = status_line.split()
    return Exchange(
        head.partition("\n")[0], body.rstrip("\n"), int(words[1]) if words else 0, headers, answer.rstrip("\n")
    )


def adapt_call(exchange: Exchange, objects: dict[str, str], password: str) -> tuple[str, list[Any]]:
    """Returns the recorded call with the lab's password and, by their class, its objects and session put in."""
    method, params = exchange.call()
    signature = SIGNATURES.get(method.removeprefix("Async."))
    if signature is None:
        return method, [_replace(FieldType("ref", "session"), params[0], objects), *params[1:]]
    kinds = [FieldType("ref", "session")] if signature.needs_session else []
    kinds += [*signature.params, *(FieldType("string") for _ in params)]
    adapted = [_replace(kind, value, objects) for kind, value in zip(kinds, params, strict=False)]
    return method, [password if value == _RECORDED_PASSWORD else value for value in adapted]


def _replace(kind: FieldType, value: Any, objects: dict[str, str]) -> Any:
    """Puts the lab's objects in; what was no reference to begin with is sent as it was recorded."""
    if isinstance(value, str):
        if kind.kind == "ref" and _REF.fullmatch(value):
            return objects[kind.name]
        # A subscription to one object, or a search for it, has the reference inside the text.
        return _REF.sub(lambda _: objects["inside"], value)
    if isinstance(value, list):
        return [_replace(kind.of[0] if kind.of else kind, item, objects) for item in value]
    if isinstance(value, dict) and kind.kind == "record":
        fields = CLASSES[kind.name].fields
        return {name: _replace(fields[name].type, item, objects) for name, item in value.items()}
    if isinstance(value, dict) and kind.kind == "map":
        return {_replace(kind.of[0], key, objects): _replace(kind.of[1], item, objects) for key, item in value.items()}
    return value


def compare_errors(theirs: list[str], ours: list[str], *, texts_differ: bool) -> None:
    """Holds two failures side by side: code, number of parameters, and their text but for references and sizes."""
    assert ours[0] == theirs[0], (theirs, ours)
    assert len(ours) == len(theirs), (theirs, ours)
    if not texts_differ:
        assert [_mask(text) for text in ours] == [_mask(text) for text in theirs]


def _mask(text: str) -> str:
    text = _UUID.sub("uuid", _REF.sub("reference", text))
    return "number" if text.isdigit() and len(text) > 4 else text


def mask(value: Any) -> Any:
    """Returns a value with all references alike."""
    if isinstance(value, str):
        return _REF.sub("reference", value)
    if isinstance(value, list):
        return [mask(item) for item in value]
    return {key: mask(item) for key, item in value.items()} if isinstance(value, dict) else value


def compare_xml(theirs: str, ours: str) -> None:
    """Holds two XML answers side by side: the tags of all values that both have."""
    # S314: both are of servers that this test started or that were recorded beside it.
    left, right = (_find_value(fromstring(text)) for text in (theirs, ours))  # noqa: S314  see above
    _compare_elements(left, right, "answer")


def _find_value(root: Element) -> Element:
    found = root.find(".//param/value")
    assert found is not None
    return found


def _compare_elements(theirs: Element, ours: Element, where: str) -> None:
    assert _tag(ours) == _tag(theirs), where
    if _tag(theirs) == "array":
        left, right = (one.findall("array/data/value") for one in (theirs, ours))
        if left and right:
            _compare_elements(left[0], right[0], f"{where}[]")
    if _tag(theirs) == "struct":
        left_members, right_members = _list_members(theirs), _list_members(ours)
        for name in left_members.keys() & right_members.keys():
            _compare_elements(left_members[name], right_members[name], f"{where}.{name}")
        references = [
            [item for name, item in one.items() if _REF.fullmatch(name)] for one in (left_members, right_members)
        ]
        if all(references):
            _compare_elements(references[0][0], references[1][0], f"{where}.*")


def _tag(value: Element) -> str:
    return value[0].tag if len(value) else "text"


def _list_members(value: Element) -> dict[str, Element]:
    members = {}
    for member in value.findall("struct/member"):
        name, item = member.find("name"), member.find("value")
        assert name is not None
        assert item is not None
        members[name.text or ""] = item
    return members


def compare_records(class_name: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Holds the records of two objects side by side: the lab has no field that the newer server has not."""
    assert ours.keys() <= theirs.keys(), ours.keys() - theirs.keys()
    assert list(ours) == [name for name in theirs if name in ours], class_name
    assert list(ours) == list(CLASSES[class_name].fields)


def compare_json(theirs: Any, ours: Any, where: str = "answer") -> None:
    """Holds two JSON values side by side: the types of all that both have."""
    assert type(ours) is type(theirs), where
    if isinstance(theirs, list) and theirs and ours:
        compare_json(theirs[0], ours[0], f"{where}[]")
    if isinstance(theirs, dict):
        for name in theirs.keys() & ours.keys():
            compare_json(theirs[name], ours[name], f"{where}.{name}")
