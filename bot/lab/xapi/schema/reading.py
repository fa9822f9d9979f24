"""Reads what a client sent into typed values, or refuses it as a real server does."""

import re
from collections.abc import Mapping
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.model import CLASSES, ENUMS, FieldType
from bot.lab.xapi.values import Date, Value

# A value of an enumeration may come in any letter case.
_ENUM_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    name: {value.lower(): value for value in values} for name, values in ENUMS.items()
}
_DIGITS: Final = re.compile(r"-?\d+", re.ASCII)


def read_value(kind: FieldType, value: Value) -> Value:
    """Turns what a client sent into a typed value.

    Raises:
        ApiError: `INTERNAL_ERROR` for another type and for a value that an enumeration does not have, `INVALID_VALUE`
            for a date's bad text; as a real server answers.
    """
    if kind.kind == "set":
        if not isinstance(value, list):
            raise _wrong_shape("Enum", value)
        return [read_value(kind.of[0], item) for item in value]
    if kind.kind == "map":
        if not isinstance(value, dict):
            raise _wrong_shape("Dict", value)
        key_type, value_type = kind.of
        return {read_value(key_type, key): read_value(value_type, item) for key, item in value.items()}
    if kind.kind == "record":
        return _read_record(kind.name, value)
    return _read_scalar(kind, value)


def _read_record(class_name: str, value: Value) -> dict[str, Value]:
    """Returns what a constructor takes of a record, with the defaults of what was left out; the rest is ignored."""
    if not isinstance(value, dict):
        raise ApiError("INTERNAL_ERROR", 'Failure("bad __structure")')
    taken = {}
    for field in CLASSES[class_name].fields.values():
        if not field.made_with:
            continue
        if field.name in value:
            taken[field.name] = read_value(field.type, value[field.name])
        elif field.required:
            raise ApiError("INTERNAL_ERROR", f'Server_helpers.Dispatcher_FieldNotFound("{field.name}")')
        else:
            taken[field.name] = field.make_default()
    return taken


def _read_scalar(kind: FieldType, value: Value) -> Value:
    if kind.kind == "bool":
        if not isinstance(value, bool):
            raise _wrong_type("bool", value)
        return value
    if kind.kind in {"int", "float"}:
        return _read_number(kind.kind, value)
    if isinstance(value, Date) and kind.kind == "string":
        return str(value)
    if kind.kind == "datetime":
        return value if isinstance(value, Date) else _read_date(value)
    if kind.kind == "enum":
        return _read_enum(kind.name, value)
    if not isinstance(value, str):
        raise _wrong_type("string", value)
    return value


def _read_enum(name: str, value: Value) -> str:
    known = _ENUM_VALUES[name].get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise ApiError("INTERNAL_ERROR", 'Failure("Unknown tag/contents")')
    return known


def _read_date(value: Value) -> Date:
    if not isinstance(value, str):
        raise _wrong_type("string", value)
    compact = value.replace("-", "")
    has_shape = len(compact) == 18 and compact[8] == "T" and compact.endswith("Z")
    if not has_shape or not compact[:8].isdigit():
        raise ApiError("INVALID_VALUE", "datetime", value)
    return Date(compact)


def _read_number(kind: str, value: Value) -> int | float:
    # Integers come as text over XML-RPC; a float may come as an integer or as text.
    if isinstance(value, bool) or not isinstance(value, int | str if kind == "int" else int | float | str):
        raise _wrong_type("int64" if kind == "int" else kind, value)
    if kind == "float":
        try:
            return float(value)
        except ValueError:
            raise ApiError("INTERNAL_ERROR", 'Failure("float_of_string")') from None
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ApiError("INTERNAL_ERROR", 'Failure("Int64.of_string")')
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ApiError("INTERNAL_ERROR", 'Failure("Int64.of_string")')
    return number


def _wrong_type(expected: str, value: Value) -> ApiError:
    return ApiError("INTERNAL_ERROR", f"Failure(\"Expected {expected}, got '{_print(value)}'\")")


def _wrong_shape(expected: str, value: Value) -> ApiError:
    return ApiError("INTERNAL_ERROR", f"Failure(\"Expecting Rpc.{expected}, but found '{_print(value)}'\")")


def _print(value: Value) -> str:
    """Returns a value as the server's log would show what came over the wire."""
    if isinstance(value, bool):
        return f"B({str(value).lower()})"
    if isinstance(value, int):
        return f"I({value})"
    if isinstance(value, float):
        return f"F({value:g})"
    if isinstance(value, Date):
        return f"D({value})"
    if isinstance(value, str):
        return f"S({value})"
    if isinstance(value, list):
        return f"[{';'.join(_print(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{';'.join(f'{key}:{_print(item)}' for key, item in value.items())}}}"
    return "N"
