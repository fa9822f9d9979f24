"""XML-RPC values as XAPI writes them: integers as text without a type tag, no white space between elements."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from bot.lab.xapi.database import Row
from bot.lab.xapi.values import Date, SmallInt, Value

# XAPI drops control characters but tab, line feed and carriage return.
_DROPPED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL: Final = re.compile('[&<>"]')
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_CACHE: Final = "xml"


def escape(text: str) -> str:
    """Returns text that may stand between tags."""
    text = _DROPPED.sub("", text)
    return _SPECIAL.sub(lambda found: _ESCAPES[found.group()], text)


def encode_value(value: Value) -> str:
    """Returns `<value>…</value>` for a typed value."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def encode_row(row: Row) -> str:
    """Returns a record as a value, encoded once per change of it."""
    cached = row.encoded.get(_CACHE)
    if cached is None:
        cached = encode_value(row.fields).encode()
        row.encoded[_CACHE] = cached
    return cached.decode()


def _write(value: Value, parts: list[str]) -> None:
    write = _WRITERS.get(type(value))
    if write is None:
        raise TypeError(f"XML-RPC has no {type(value).__name__}.")
    write(value, parts)


def _write_array(value: list[Value], parts: list[str]) -> None:
    parts.append("<value><array><data>")
    for item in value:
        _write(item, parts)
    parts.append("</data></array></value>")


def _write_struct(value: dict[str, Value], parts: list[str]) -> None:
    parts.append("<value><struct>")
    for key, item in value.items():
        parts.append(f"<member><name>{escape(str(key))}</name>")
        _write(item, parts)
        parts.append("</member>")
    parts.append("</struct></value>")


_WRITERS: Final[Mapping[type, Callable[[Value, list[str]], None]]] = {
    str: lambda value, parts: parts.append(f"<value>{escape(value)}</value>"),
    bool: lambda value, parts: parts.append(f"<value><boolean>{int(value)}</boolean></value>"),
    int: lambda value, parts: parts.append(f"<value>{value}</value>"),
    float: lambda value, parts: parts.append(f"<value><double>{value:.16g}</double></value>"),
    Date: lambda value, parts: parts.append(f"<value><dateTime.iso8601>{value}</dateTime.iso8601></value>"),
    SmallInt: lambda value, parts: parts.append(f"<value><i4>{value:d}</i4></value>"),
    Row: lambda value, parts: parts.append(encode_row(value)),
    list: _write_array,
    dict: _write_struct,
}
