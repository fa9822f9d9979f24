"""Plugging storage in on many hosts whose file server falls silent."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from test_sr_cards import storage

from bot.domain.calls import Call, Options, Ref
from bot.domain.plan import Step
from bot.domain.policy import ApprovalSettings
from bot.domain.storing import Tried, Wrong
from bot.domain.texts import plain, say
from bot.errors import CannotTell, Refused
from bot.operations import sr_check
from bot.operations.base import Seen
from bot.operations.ports import Facts
from bot.operations.sr_add_steps import ATTACH
from bot.operations.sr_work import SrWork
from bot.operations.storage_ports import RawDisks, Storing
from bot.operations.trying import TRY, look_at_trial, trial
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


class Disks:
    """Storage that takes disks at once, and a server behind it that answers no host but the first."""

    def __init__(self) -> None:
        self.noted: list[Tried] = []
        self.written: dict[str, bytes] = {}

    async def make_disk(self, _pool: str, _sr: str, host: str, _name: str, _size: int) -> str:
        return f"v-{host}"

    async def write(self, _pool: str, host: str, vdi: str, data: bytes) -> bool:
        if host != HOSTS[0]:
            await asyncio.Event().wait()
        self.written[vdi] = data
        return True

    async def read(self, _pool: str, _host: str, vdi: str, _size: int) -> bytes:
        return self.written[vdi]

    async def note(self, _pool: str, _vdi: str, tried: Tried) -> None:
        self.noted.append(tried)

    async def tried(self, _pool: str, _sr: str, _mark: str) -> tuple[Tried, ...]:
        return tuple(self.noted)

    @property
    def storage(self) -> Disks:
        return self


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


async def test_a_server_that_falls_silent_is_not_waited_for_by_each_host_that_tries_it() -> None:
    disks, name = Disks(), "nfs-vms"
    step, _ = trial(Ref("SR", "sr-1"), HOSTS, name, "", snapshot=False)
    errand = Errand(1, "", "p-1", step, "", {}, "U1", "", lambda _: None, lambda: None)
    await SrWork(cast("Storing", disks), cast("RawDisks", disks), try_s=0.2).workers()[TRY].run(errand)
    assert [one.host for one in disks.noted] == HOSTS
    silent, untried = (sum(one.code == code for one in disks.noted) for code in (Wrong.SILENT, Wrong.UNTRIED))
    # Two that fell silent, and those that were under way beside them.
    assert 2 <= silent <= 5
    assert untried >= 64 - 1 - 5
    look = await look_at_trial(sr_check.decide(storage(), ApprovalSettings()), step, name, cast("Facts", disks))
    assert look.seen is Seen.HARMED
    lines = [plain(line) for line in look.evidence]
    assert sum("no answer for" in line for line in lines) == silent
    assert lines[-1].startswith("Not tried any more: h-")
    assert lines[-1].endswith(f"and {untried - 6} more")
