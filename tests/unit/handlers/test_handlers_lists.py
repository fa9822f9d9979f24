"""Lists of many guests or pools: filters, pages whose buttons ask for the same again, the report on guest tools."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from ports import FakeFacts, Room
from small_fleet import GIB, NOW, POOL, VIEW, guest, host
from test_handlers_status import reads_as_reviewed

from bot.domain.health import HealthFacts
from bot.domain.inventory import PoolView, PowerState, Tools
from bot.domain.message import Button, Choices, Facts, Mark, Message, Table, Verdict
from bot.domain.plain_text import text_of
from bot.domain.texts import plain


def room(*vms: Any) -> Room:
    return Room(msgspec.structs.replace(VIEW, vms=vms))


async def read(where: Room, words: str) -> tuple[Message, list[list[str]], list[Button]]:
    """The answer, the cells of its table, its buttons."""
    answer = await where.type(words)
    assert isinstance(answer, Message)
    rows = [[plain(cell) for cell in row] for part in answer.parts if isinstance(part, Table) for row in part.rows]
    return answer, rows, [button for part in answer.parts if isinstance(part, Choices) for button in part.buttons]


async def walked(where: Room, words: str) -> list[str]:
    """All names of a list, by pressing Next until there is none."""
    names: list[str] = []
    while words:
        _, rows, buttons = await read(where, words)
        names += [row[0] for row in rows]
        words = next((button.target for button in buttons if button.label == "Next"), "")
    return names


async def test_five_thousand_guests_are_read_page_by_page_and_none_twice() -> None:
    names = [f"vm{number:04}" for number in range(5000)]
    where = room(*(guest(f"uuid-{name}", name) for name in names))
    answer, rows, buttons = await read(where, "vms")
    assert plain(answer.summary) == "5,000 guests, 5,000 running: page 1 of 200"
    assert len(rows) == 25
    assert [button.label for button in buttons] == ["Next"]
    assert await walked(where, "vms page 195") == names[194 * 25 :]
    _, rows, buttons = await read(where, "vms page 200")
    assert [button.target for button in buttons] == ["vms page 199"]
    assert (await read(where, "vms page 9999"))[1] == rows


async def test_the_next_page_keeps_every_filter_and_its_hostile_text() -> None:
    odd = 'tag "x" state'
    vms = [guest(f"u{number}", f"a tag b {number:02}", tags=frozenset({"to go"})) for number in range(60)]
    where = room(*vms, guest("u-other", "a tag b without", host="h-3", tags=frozenset({"to go"})), guest("u-odd", odd))
    words = 'vms xenserver1 state running tag "To Go" like "A TAG b"'
    assert await walked(where, words) == [vm.name for vm in vms]
    _, _, buttons = await read(where, words)
    assert buttons[0].target == 'vms h-1 state "running" tag "To Go" like "A TAG b" page 2'
    _, _, buttons = await read(where, "vms running")
    assert buttons[0].target == 'vms state "running" page 2'


async def test_a_pool_that_was_never_loaded_lists_nobody_elses_guests() -> None:
    empty = PoolView("other", VIEW.state, 1.0, "", None, (), (), ())
    where = Room(VIEW, empty)
    assert (await read(where, "vms other"))[1] == []
    assert (await read(where, "tools other"))[1] == []


async def test_the_tools_report_is_worst_first_and_does_not_call_a_fresh_boot_a_fault() -> None:
    where = room(
        guest("u1", "fine"),
        guest("u2", "quiet", tools=Tools.NO_AGENT),
        guest("u3", "winxp", tools=Tools.NONE, can_suspend=False),
        guest("u4", "fresh", tools=Tools.NONE, started_at=NOW - 20),
        guest("u5", "oldpv", tools=Tools.NONE, hvm=False, domain_type="pv"),
        guest("u6", "off", tools=Tools.NONE, power_state=PowerState.HALTED, host=None),
    )
    answer, rows, _ = await read(where, "tools")
    assert [row[0] for row in rows] == ["winxp", "quiet", "oldpv", "fresh"]
    assert rows[0][1:] == ["none", "emulated by QEMU: slow, cannot be moved live", "HVM", "xenserver1"]
    assert rows[2][1:4] == ["no agent", "paravirtual", "PV"]
    assert rows[3][1:3] == ["just booted", "known once its tools report"]
    said = "Guest tools: 2 guests have no tools, 1 agent does not answer, 1 guest has just booted, 1 answers"
    assert plain(answer.summary) == said
    (advice,) = [part for part in answer.parts if isinstance(part, Facts)]
    assert [plain(line) for line in advice.lines] == [
        "oldpv is in PV mode, which ends with newer servers: convert to HVM before the next upgrade",
        "First: Install the guest tools inside winxp, then reboot it.",
    ]
    _, every, _ = await read(where, "tools all")
    assert [row[0] for row in every] == ["winxp", "quiet", "oldpv", "fresh", "fine", "off"]
    assert every[-1][1] == "not running"
    assert isinstance(answer.parts[0], Verdict)
    assert answer.parts[0].mark is Mark.ATTENTION
    assert [found.name for found in where.fleet.pools()[0].vms if found.name == "off"] == ["off"]


async def test_the_tools_report_is_as_filed() -> None:
    where = Room(
        msgspec.structs.replace(
            VIEW,
            hosts=(host(1), host(3, hvm_capable=False)),
            vms=(
                guest("u1", "centos54", tools_version="8.4.0", windows=False),
                guest("u2", "winxp", tools=Tools.NONE, can_suspend=False, addresses=()),
                guest("u3", "web1", tools_version="7.30.1", windows=False),
                guest("u4", "ci1", tools=Tools.NO_AGENT),
                guest("u5", "fresh", tools=Tools.NONE, started_at=NOW - 20),
                guest("u6", "<!channel> & *bold*", hvm=False, domain_type="pv"),
            ),
        )
    )
    for name, words in (("tools", "tools experiment"), ("tools-all", "tools experiment all")):
        answer = await where.type(words)
        assert isinstance(answer, Message)
        assert reads_as_reviewed(name, text_of(answer))


async def test_the_tools_report_tells_what_is_outdated_by_others_of_the_pool_and_of_the_same_kind() -> None:
    where = room(
        guest("u1", "new", tools_version="8.4.0", windows=False),
        guest("u2", "old", tools_version="7.30.1", windows=False),
        guest("u3", "same", tools_version="8.4.9", windows=False),
        guest("u4", "window", tools_version="6.5.0", windows=True),
        guest("u5", "silent", tools_version="1.0.0"),
        guest("u6", "strange", tools_version="v2-beta", windows=False),
    )
    answer, rows, buttons = await read(where, "tools experiment")
    assert [row[:3] for row in rows] == [["old", "7.30.1, others here have 8.4.9", "paravirtual"]]
    assert plain(answer.summary) == "Guest tools: all 6 answer"
    assert [(button.label, button.target) for button in buttons] == [("Show all", "tools p-1 all")]


async def test_the_tools_report_names_hosts_without_hvm_and_modes_that_it_does_not_know() -> None:
    vms = (
        guest("u1", "win", hvm=True, domain_type="hvm"),
        guest("u2", "inside", hvm=False, domain_type="pv_in_pvh", vcpus=64),
        guest("u3", "pvh", hvm=True, domain_type="pvh", tools=Tools.NONE, can_suspend=False),
        guest("u4", "tomorrow", hvm=False, domain_type="tdx"),
    )
    where = Room(msgspec.structs.replace(VIEW, hosts=(host(1), host(3, hvm_capable=False)), vms=vms))
    answer, rows, _ = await read(where, "tools experiment all")
    text = "\n".join(plain(line) for part in answer.parts if isinstance(part, Facts) for line in part.lines)
    assert "xenserver3 cannot run HVM guests" in text
    assert "3 guests of experiment need it: inside, pvh, win" in text
    modes = {row[0]: row[1:4] for row in rows}
    assert modes["inside"][2] == "PV inside PVH"
    assert modes["pvh"] == ["no agent", "paravirtual", "PVH"]
    assert modes["tomorrow"] == ["there", "not known for this mode", "unknown mode tdx"]


async def test_the_tools_report_fits_a_phone_and_leads_on_to_the_rest() -> None:
    where = room(
        *(
            guest(f"u{n}", f"vm{n:03}", domain_type="hvm", hvm=True, tools=Tools.NONE, can_suspend=False, vcpus=n)
            for n in range(200)
        )
    )
    _, rows, buttons = await read(where, "tools")
    assert [row[0] for row in rows] == [f"vm{n:03}" for n in range(199, 191, -1)], "the largest would gain most"
    assert [button.label for button in buttons] == ["Show all"]
    assert len(set(await walked(where, buttons[0].target))) == 200


async def test_the_tools_report_is_calm_where_nothing_is_wrong() -> None:
    answer, rows, _ = await read(room(guest("u1", "fine"), guest("u2", "also fine")), "tools xenserver1")
    assert plain(answer.summary) == "Guest tools: all 2 answer"
    assert rows == []
    answer, _, _ = await read(room(guest("u1", "fresh", tools=Tools.NONE, started_at=NOW)), "tools")
    assert isinstance(answer.parts[0], Verdict)
    assert answer.parts[0].mark is Mark.PLAIN
    assert plain((await read(room(), "tools"))[0].summary) == "Guest tools: no guest is running"


async def test_guests_on_a_silent_host_are_marked_as_such() -> None:
    where = Room(msgspec.structs.replace(VIEW, hosts=(host(1), host(3, silent_since=NOW - 60))))
    _, rows, _ = await read(where, "vms like twin")
    assert [row[2] for row in rows] == ["xenserver1", "xenserver3 (silent)"]


async def test_both_lists_know_pools_and_hosts_by_name() -> None:
    other = msgspec.structs.replace(POOL, uuid="p-2", name="other", label="other")
    view = PoolView(
        "other",
        VIEW.state,
        1.0,
        "",
        other,
        (host(9, pool="p-2", memory_free=GIB),),
        (guest("u9", "theirs", pool="p-2", host="h-9", tools=Tools.NO_AGENT),),
        (),
    )
    where = Room(VIEW, view)
    assert [row[0] for row in (await read(where, "tools other"))[1]] == ["theirs"]
    assert [row[0] for row in (await read(where, "vms xenserver9"))[1]] == ["theirs"]
    assert "theirs" not in [row[0] for row in (await read(where, "vms experiment"))[1]]


class Together(FakeFacts):
    """The facts of a pool are there once those of every pool were asked for."""

    def __init__(self, pools: int) -> None:
        super().__init__()
        self.every = asyncio.Barrier(pools)

    async def health(self, pool: str) -> HealthFacts:
        async with asyncio.timeout(60.0):
            await self.every.wait()
        found = msgspec.structs.replace(POOL, uuid=pool)
        nothing = dict.fromkeys(("hosts", "plugs", "stores", "cables", "bonds", "vms", "snapshots", "stuck"), ())
        return HealthFacts(found, **nothing, held={}, twins={}, alerts=(), authorities=(), read_at=NOW, age_s=1.0)


async def test_no_pool_of_a_check_of_all_waits_for_the_hosts_of_another() -> None:
    other = msgspec.structs.replace(VIEW, name="other", pool=msgspec.structs.replace(POOL, uuid="p-2", name="other"))
    silent = msgspec.structs.replace(VIEW, name="new", pool=None)
    room = Room(VIEW, other, silent)
    room.facts = Together(2)
    text = await room.read("pool-check")
    assert "experiment: 1 to watch" in text
    assert "other: 1 to watch" in text
    assert "new: has not answered yet" in text
