"""The expressions of `get_all_records_where`: `field "name__label"="x" and not (field "is_a_template"="true")`.

`and` and `or` bind alike, from left to right, and both bind closer than `not`: `not a and b` is `not (a and b)`.
Text stands between double quotes and has no escapes. Values are compared as the text that the database keeps.
"""

import re
from collections.abc import Callable
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.model import ObjectClass
from bot.lab.xapi.values import Value

# Gets the reference and the record of an object.
Predicate = Callable[[str, dict[str, Value]], bool]
_Operand = Callable[[str, dict[str, Value]], str]

_BLANK: Final = re.compile(r"[ \t\n]*")
_TOKEN: Final = re.compile(r'"[^"]*"|true|false|field|and|or|not|[()=]')


def parse_query(expression: str, kind: ObjectClass) -> Predicate:
    """Returns the test that an expression means for objects of a class.

    The test raises `INTERNAL_ERROR` for a field that the class has no column for, as a real server does at the first
    object it looks at.

    Raises:
        ApiError: `INVALID_VALUE [expression, reason]`.
    """
    try:
        parser = _Parser(_split(expression), kind)
        predicate = parser.parse_whole()
    except _SyntaxError as error:
        raise ApiError("INVALID_VALUE", expression, error.reason) from None
    return predicate


class _SyntaxError(Exception):
    """The expression cannot be read; `reason` is what the server's parser says."""

    def __init__(self, reason: str = "Stdlib.Parsing.Parse_error") -> None:
        self.reason = reason


def _split(expression: str) -> list[str]:
    tokens, position = [], _skip(expression, 0)
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            raise _SyntaxError('Failure("lexing: empty token")')
        tokens.append(found.group())
        position = _skip(expression, found.end())
    return tokens


def _skip(expression: str, position: int) -> int:
    blank = _BLANK.match(expression, position)
    return blank.end() if blank else position


class _Parser:
    def __init__(self, tokens: list[str], kind: ObjectClass) -> None:
        self._tokens = tokens
        self._kind = kind
        self._position = 0

    def parse_whole(self) -> Predicate:
        predicate = self._parse_expression()
        if self._position != len(self._tokens):
            raise _SyntaxError
        return predicate

    def _parse_expression(self) -> Predicate:
        if self._take("not"):
            inner = self._parse_expression()
            return lambda ref, record: not inner(ref, record)
        left = self._parse_term()
        while True:
            if self._take("and"):
                left = _both(left, self._parse_side())
            elif self._take("or"):
                left = _either(left, self._parse_side())
            else:
                return left

    def _parse_side(self) -> Predicate:
        # After `and` or `or`, a `not` takes all that follows.
        if self._position < len(self._tokens) and self._tokens[self._position] == "not":
            return self._parse_expression()
        return self._parse_term()

    def _parse_term(self) -> Predicate:
        if self._take("("):
            inner = self._parse_expression()
            self._expect(")")
            return inner
        if self._take("true"):
            return lambda _ref, _record: True
        if self._take("false"):
            return lambda _ref, _record: False
        left = self._parse_operand()
        self._expect("=")
        right = self._parse_operand()
        return lambda ref, record: left(ref, record) == right(ref, record)

    def _parse_operand(self) -> _Operand:
        if self._take("field"):
            return self._make_lookup(self._take_text())
        text = self._take_text()
        return lambda _ref, _record: text

    def _make_lookup(self, column: str) -> _Operand:
        if column == "_ref":
            return lambda ref, _record: ref
        # Columns of namespaced fields are written with a double underscore, and a name is always one of these.
        name = column.replace("__", "_")
        if name not in self._kind.fields or column in {"name_label", "name_description"}:
            return self._refuse(column)
        return lambda _ref, record: print_value(record[name])

    def _refuse(self, column: str) -> _Operand:
        table = self._kind.name

        def refuse(_ref: str, _record: dict[str, Value]) -> str:
            text = f'Db_exn.DBCache_NotFound("missing column", "{table}", "{column}")'
            raise ApiError("INTERNAL_ERROR", text)

        return refuse

    def _take_text(self) -> str:
        if self._position >= len(self._tokens) or not self._tokens[self._position].startswith('"'):
            raise _SyntaxError
        self._position += 1
        return self._tokens[self._position - 1][1:-1]

    def _take(self, token: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] == token:
            self._position += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _SyntaxError


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda ref, record: left(ref, record) or right(ref, record)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda ref, record: left(ref, record) and right(ref, record)


def print_value(value: Value) -> str:
    """Returns a value as the database keeps it: text, with sets and maps in brackets."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = " ".join(f"({_quote(str(key))} {_quote(print_value(item))})" for key, item in value.items())
        return f"({pairs})"
    if isinstance(value, list):
        return f"({' '.join(_quote(print_value(item)) for item in value)})"
    return str(value)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
