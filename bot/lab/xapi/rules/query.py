"""The expressions of `get_all_records_where`: `field "name__label"="x" and not (field "is_a_template"="true")`."""

import re
from collections.abc import Callable
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.model import ObjectClass
from bot.lab.xapi.values import Value

Predicate = Callable[[dict[str, Value]], bool]

_TOKEN: Final = re.compile(r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_]+)|(?P<sign>[()=]))')


def parse_query(expression: str, kind: ObjectClass) -> Predicate:
    """Returns the test that an expression means for records of a class.

    Raises:
        ApiError: `INVALID_VALUE [expression, reason]`.
    """
    try:
        parser = _Parser(_split(expression), kind)
        predicate = parser.parse_or()
        parser.expect_end()
    except ValueError as error:
        raise ApiError("INVALID_VALUE", expression, f'Failure("{error}")') from None
    return predicate


def _split(expression: str) -> list[str]:
    tokens, position = [], 0
    text = expression.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError("lexing: empty token")
        tokens.append(found.group().strip())
        position = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], kind: ObjectClass) -> None:
        self._tokens = tokens
        self._kind = kind
        self._position = 0

    def parse_or(self) -> Predicate:
        left = self.parse_and()
        while self._take("or"):
            left = _either(left, self.parse_and())
        return left

    def parse_and(self) -> Predicate:
        left = self._parse_term()
        while self._take("and"):
            left = _both(left, self._parse_term())
        return left

    def _parse_term(self) -> Predicate:
        if self._take("not"):
            inner = self._parse_term()
            return lambda record: not inner(record)
        if self._take("("):
            inner = self.parse_or()
            self._expect(")")
            return inner
        if self._take("true"):
            return lambda _record: True
        if self._take("false"):
            return lambda _record: False
        left = self._parse_operand()
        self._expect("=")
        right = self._parse_operand()
        return lambda record: left(record) == right(record)

    def _parse_operand(self) -> Callable[[dict[str, Value]], str]:
        if self._take("field"):
            name = self._find_field(self._take_text())
            return lambda record: _print(record[name])
        text = self._take_text()
        return lambda _record: text

    def _find_field(self, name: str) -> str:
        # Namespaced fields are written with a double underscore: name__label is name_label in the record.
        for candidate in (name, name.replace("__", "_")):
            if candidate in self._kind.fields:
                return candidate
        if name == "_ref":
            raise ValueError("the lab does not search by _ref")
        raise ValueError(f"unknown field {name}")

    def _take_text(self) -> str:
        token = self._next()
        if not token.startswith('"'):
            raise ValueError("syntax error")
        return re.sub(r"\\(.)", r"\1", token[1:-1])

    def _take(self, token: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] == token:
            self._position += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ValueError("syntax error")

    def _next(self) -> str:
        if self._position >= len(self._tokens):
            raise ValueError("syntax error")
        self._position += 1
        return self._tokens[self._position - 1]

    def expect_end(self) -> None:
        if self._position != len(self._tokens):
            raise ValueError("syntax error")


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda record: left(record) or right(record)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda record: left(record) and right(record)


def _print(value: Value) -> str:
    """Returns a value as the database keeps it: text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = " ".join(f"('{key}' '{_print(item)}')" for key, item in value.items())
        return f"({pairs})"
    if isinstance(value, list):
        return f"({' '.join(repr(_print(item)) for item in value)})"
    return str(value)
