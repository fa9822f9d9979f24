"""A host that nobody configured: the lines to write, whatever somebody typed as its name."""

from __future__ import annotations

import tomllib
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bot.domain.secret_names import password_variable
from bot.domain.texts import Code, Phrase, plain
from bot.errors import NotFound
from bot.operations.joining.newcomer import lacking
from bot.xen import PoolSettings


def _fleet(*views: Any) -> Any:
    return SimpleNamespace(pools=lambda: views)


def _codes(lines: tuple[Phrase, ...]) -> list[str]:
    return [value.text for line in lines for value in line.values.values() if isinstance(value, Code)]


@pytest.mark.parametrize("name", ["xenserver99", "192.0.2.7", "2001:db8::7", 'a "b" \\ c', "東京1"])
def test_the_lines_to_write_can_be_read_as_they_are(name: str) -> None:
    codes = _codes(lacking(NotFound("host", name), _fleet()))
    (pool,) = tomllib.loads("\n".join(codes[:3]))["pools"]
    settings = msgspec.convert(pool, PoolSettings)
    assert settings.name == name
    assert (settings.hosts[0].address == name) is (name in {"192.0.2.7", "2001:db8::7"})
    assert password_variable(name) in codes


def test_a_host_that_is_configured_and_lets_nobody_in_says_why_instead() -> None:
    view = SimpleNamespace(name="xenserver4", pool=None, reason="127.0.1.4 refused the login of root")
    lines = lacking(NotFound("host", "XenServer4"), _fleet(view))
    told = " ".join(plain(line) for line in lines)
    assert "refused the login of root" in told
    assert "XENBOT_POOL_XENSERVER4_PASSWORD" in told
    assert "[[pools]]" not in told


def test_nothing_is_told_of_what_is_no_host() -> None:
    assert lacking(NotFound("pool", "experimentt"), _fleet()) == ()
