"""TOML into frozen structs, with every problem and not just the first.

msgspec stops at the first thing it does not like. Here each struct is taken key by key, so that a person mends a file
once; what is left to msgspec is judging one value.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from bot.errors import ConfigError

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Returns the content of a TOML file. Raises ConfigError when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})."]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: {error}."]) from error


class Findings:
    """Collects what is wrong while values are converted."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, path: str, sentence: str) -> None:
        """Adds a finding about the key at `path`."""
        self.found.append(f"{path}: {sentence}")

    def refuse_unknown(self, path: str, given: Mapping[str, object], known: Sequence[str]) -> None:
        """Adds a finding for each key that nobody knows, with the nearest one that exists."""
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean `{near[0]}`?" if near else "."
                self.add(_join(path, key), f"unknown key{hint}")

    def convert(self, path: str, value: object, wanted: type[T]) -> T | None:
        """Returns `value` as the struct `wanted`; None, with findings, when it is not one."""
        before = len(self.found)
        self._examine(path, value, wanted)
        if len(self.found) > before:
            return None
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            self._note(path, error)
            return None

    def _examine(self, path: str, value: object, wanted: Any) -> None:  # noqa: ANN401  a type as annotations write it
        if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            self._examine_struct(path, value, wanted)
        elif (item := _struct_of(wanted)) is not None and isinstance(value, list):
            for index, one in enumerate(value):
                self._examine(f"{path}[{index}]", one, item)
        else:
            try:
                msgspec.convert(value, wanted)
            except msgspec.ValidationError as error:
                self._note(path, error)

    def _examine_struct(self, path: str, value: object, wanted: type[msgspec.Struct]) -> None:
        if not isinstance(value, dict):
            self.add(path, "expected a table of keys.")
            return
        fields = msgspec.structs.fields(wanted)
        self.refuse_unknown(path, value, [field.encode_name for field in fields])
        for field in fields:
            if field.encode_name in value:
                self._examine(_join(path, field.encode_name), value[field.encode_name], field.type)
            elif field.required:
                self.add(_join(path, field.encode_name), "is missing.")

    def _note(self, path: str, error: msgspec.ValidationError) -> None:
        # msgspec ends its sentence with the path inside the value: "Expected `str`, got `int` - at `$[1]`".
        sentence, _, inner = str(error).partition(" - at `$")
        self.add(path + inner.rstrip("`"), f"{sentence[:1].lower()}{sentence[1:]}.")


def list_keys(wanted: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Every key a struct takes, by its path; the items of a list are written `name[]`."""
    for field in msgspec.structs.fields(wanted):
        path = _join(prefix, field.encode_name)
        item = _struct_of(field.type)
        if item is None:
            yield path
        else:
            yield from list_keys(item, f"{path}[]")


def _struct_of(wanted: object) -> type[msgspec.Struct] | None:
    """The struct of which `wanted` is a tuple, if it is one."""
    arguments = get_args(wanted)
    if get_origin(wanted) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], msgspec.Struct):
        return arguments[0]
    return None


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
