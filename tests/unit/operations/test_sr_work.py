"""Plugging storage in on many hosts whose file server falls silent."""

from __future__ import annotations

from typing import cast

import pytest

from bot.domain.calls import Call, Options, Ref
from bot.domain.plan import Step
from bot.domain.texts import say
from bot.errors import CannotTell, Refused
from bot.operations.sr_add_steps import ATTACH
from bot.operations.sr_work import SrWork
from bot.operations.storage_ports import RawDisks, Storing
from bot.operations.work import Errand

HOSTS = [f"h-{number}" for number in range(1, 65)]


class Plugs:
    """Hosts that plug it in at once, but for some that never answer."""

    def __init__(self, *silent: str) -> None:
        self.silent = silent
        self.asked: list[str] = []

    async def fit(self, pool: str, sr: str, config: dict[str, str]) -> None:
        """Every host has its plug."""

    async def attach(self, _pool: str, _sr: str, host: str) -> None:
        self.asked.append(host)
        if host in self.silent:
            raise CannotTell("the pool gave no answer to PBD.plug for 180 s")

    async def scan(self, pool: str, sr: str) -> None:
        """Nothing lies in it."""


async def refusal(plugs: Plugs) -> str:
    call = Call(ATTACH, (Ref("SR", "sr-1"), Options({}), *(Ref("host", one) for one in HOSTS)), own=True)
    step = Step(ATTACH, say("Attach it"), call)
    errand = Errand(1, "", "p-1", step, "", {"h-1": "xenserver1"}, "U1", "", lambda _: None, lambda: None)
    worker = SrWork(cast("Storing", plugs), cast("RawDisks", None)).workers()[ATTACH]
    with pytest.raises(Refused) as refused:
        await worker.run(errand)
    return str(refused.value)


async def test_a_server_that_hangs_is_not_waited_for_on_each_of_sixty_four_hosts() -> None:
    plugs = Plugs(*HOSTS)
    why = await refusal(plugs)
    assert "xenserver1: the pool gave no answer to PBD.plug for 180 s." in why
    assert len(plugs.asked) <= 4
    assert f"After that it was not tried on the other {64 - len(plugs.asked)}." in why


async def test_one_silent_host_keeps_no_other_from_being_tried() -> None:
    plugs = Plugs("h-1")
    why = await refusal(plugs)
    assert plugs.asked == HOSTS
    assert "not tried" not in why
