"""Where to: the best host with its reason, the others to choose from, and the grid that says why not."""

from __future__ import annotations

import migration_facts as world
import msgspec
from migration_facts import GIB, decided, facts, guest, host

from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import Host, Network, Vm
from bot.domain.message import Checks, Choices, Facts, Table, Verdict, Ways
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.operations import choosing, why

ALL = frozenset(f"h-{number}" for number in range(1, 10))
NET = msgspec.structs.replace(world.NETWORK, hosts=ALL)
ROOT = msgspec.structs.replace(world.DISK, sr=msgspec.structs.replace(world.NFS, hosts=ALL))


def roaming(**changes: object) -> Vm:
    """A guest whose disk and network every host reaches."""
    return guest(**{"networks": (NET,), "disks": (ROOT,), **changes})


class Hosts:
    """Direct reads of a pool with these hosts beside xenserver1."""

    def __init__(self, *hosts: Host, vm: Vm) -> None:
        self.hosts, self.vm = hosts, vm

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        pool = (host(1), *self.hosts)
        return tuple(facts(self.vm, target, pool_hosts=pool) for target in self.hosts)


async def found(*hosts: Host, vm: Vm | None = None) -> tuple[choosing.Candidate, ...]:
    return await choosing.candidates("vm-1", Hosts(*hosts, vm=vm or roaming()), ApprovalSettings())


def names(read: tuple[choosing.Candidate, ...]) -> list[str]:
    return [one.facts.target.name for one in read]


async def test_the_roomiest_host_of_the_least_risk_comes_first_and_blocked_ones_last() -> None:
    read = await found(
        host(3, enabled=False, memory_free=60 * GIB),
        host(4, memory_free=20 * GIB),
        host(5, memory_free=30 * GIB),
        host(6, memory_free=4 * GIB),
        host(7, memory_free=0, cpu_vendor="AuthenticAMD"),
    )
    assert names(read) == ["xenserver5", "xenserver4", "xenserver6", "xenserver3", "xenserver7"]
    plan = choosing.proposed(read)
    assert plan.chosen is not None
    assert plain(plan.chosen) == (
        "xenserver5 was chosen out of 3 hosts that can take centos54: the move there is of the least risk"
    )
    assert [(one.name, plain(one.note)) for one in plan.others] == [
        ("xenserver4", "low risk, 19.5 GiB left"),
        ("xenserver6", "high risk, 3.5 GiB left"),
        ("xenserver3", "not now: 1 obstacle"),
        ("xenserver7", "not now: 2 obstacles"),
    ]


async def test_the_room_is_compared_by_share_and_then_the_reason_is_memory() -> None:
    small = host(4, memory_free=20 * GIB, memory_total=24 * GIB)
    plan = choosing.proposed(await found(host(3, memory_free=30 * GIB), small))
    assert plain(plan.targets[1].name) == "xenserver4"
    assert plan.chosen is not None
    assert plain(plan.chosen).endswith("it keeps the most memory free")


async def test_the_only_host_is_called_the_only_one() -> None:
    plan = choosing.proposed(await found(host(3), host(4, enabled=False)))
    assert plan.chosen is not None
    assert plain(plan.chosen) == "xenserver3 is the only other host that can take centos54 now"


async def test_where_none_can_take_it_the_closest_is_shown_as_such() -> None:
    plan = choosing.proposed(await found(host(3, enabled=False, live=False), host(4, enabled=False)))
    assert plan.refusal is not None
    assert plain(plan.refusal) == "centos54 can go to no other host of experiment now; xenserver4 comes closest"
    assert [check.key for check in plan.blocked] == ["enabled"]
    assert plan.chosen is None


async def test_the_grid_holds_every_host_and_what_is_in_its_way() -> None:
    lacking = Network("n-2", "dmz", frozenset({"h-1", "h-4"}), internal=False)
    vm = roaming(networks=(NET, lacking), disks=(msgspec.structs.replace(world.DISK, sr=world.LOCAL),))
    read = await found(host(3, memory_free=0), host(4, cpu_vendor="AuthenticAMD"), vm=vm)
    message = why.explained(vm, read, grid=True)
    table = next(part for part in message.parts if isinstance(part, Table))
    rows = [[plain(cell) for cell in row] for row in table.rows]
    assert table.columns == ("Host", "Verdict", "Version", "Storage", "CPU", "Memory", "Networks", "Host", "XAPI")
    assert [row[:2] for row in rows] == [["xenserver4", "no: 2 obstacles"], ["xenserver3", "no: 3 obstacles"]]
    assert rows[1][3:7] == ["✗ shared storage", "✓", "✗ not enough memory", "✗ missing network"]
    assert rows[0][3:7] == ["✗ shared storage", "✗ another CPU vendor", "✓ 21.1 GiB left", "✓"]
    lines = [plain(line) for part in message.parts if isinstance(part, Facts) for line in part.lines]
    assert lines == ["No single change opens a host; xenserver4 comes closest, with 2 obstacles."]
    assert not any(isinstance(part, Choices) for part in message.parts)  # the grid is there, and nothing to plan


async def test_the_grid_says_where_xapi_names_what_we_have_found() -> None:
    (one,) = await found(host(3, memory_free=0))
    code = XapiVerdict("HOST_NOT_ENOUGH_FREE_MEMORY", ("1", "0"))
    read = msgspec.structs.replace(one.facts, xapi=code)
    message = why.explained(read.vm, [choosing.Candidate(read, decided(read))], grid=True)
    table = next(part for part in message.parts if isinstance(part, Table))
    assert [plain(cell) for cell in table.rows[0]][-1] == "✗ says the same"


async def test_without_the_grid_a_host_is_a_short_line_with_what_is_first_in_its_way() -> None:
    message = why.explained(roaming(), await found(host(3), host(4, cpu_vendor="AuthenticAMD", memory_free=0)))
    table = next(part for part in message.parts if isinstance(part, Table))
    assert [[plain(cell) for cell in row] for row in table.rows] == [
        ["xenserver3", "can go, low risk", "– (21.1 GiB left)"],
        ["xenserver4", "no: 2 obstacles", "another CPU vendor, and 1 more"],
    ]
    (choices,) = (part for part in message.parts if isinstance(part, Choices))
    assert [(one.label, one.target) for one in choices.buttons] == [
        ("Plan: migrate", "migrate vm-1"),
        ("All constraints", "why vm-1 grid"),
    ]


async def test_a_host_that_nothing_can_leave_is_not_called_a_change_away() -> None:
    vm = roaming(domain_type="pv_in_pvh")
    there = guest("other", uuid="vm-9", host="h-3", memory_needed=64 * GIB, networks=(NET,), disks=(ROOT,))
    (only,) = await found(host(3, memory_free=0), vm=vm)
    read = msgspec.structs.replace(only.facts, neighbours=(there,))
    shut = choosing.Candidate(read, decided(read))
    lines = [plain(line) for part in why.explained(vm, [shut]).parts if isinstance(part, Facts) for line in part.lines]
    assert len(lines) == 1
    assert lines[0].startswith(
        "No single change opens another host now. xenserver3 comes closest. Nothing makes it fit"
    )
    free = msgspec.structs.replace(read, pool_hosts=(host(1), host(3), host(5, memory_free=64 * GIB)))
    opened = why.explained(vm, [choosing.Candidate(free, decided(free))])
    (ways,) = (part for part in opened.parts if isinstance(part, Ways))
    assert "other 64 GiB would do" in plain(ways.lines[0])


async def test_the_single_change_that_opens_a_host_is_named() -> None:
    message = why.explained(
        guest(), await found(host(3), host(4, enabled=False), host(5, enabled=False, memory_free=0))
    )
    headline = message.parts[0]
    assert isinstance(headline, Verdict)
    assert plain(headline.headline) == "centos54 can go to 1 of 3 other hosts"
    assert [plain(one) for one in headline.beside] == ["runs on xenserver1"]
    (ways,) = [part for part in message.parts if isinstance(part, Ways)]
    assert [plain(line) for line in ways.lines] == ["xenserver4: Enable xenserver4 when its maintenance is over."]
    (choices,) = [part for part in message.parts if isinstance(part, Choices)]
    assert (choices.buttons[0].action, choices.buttons[0].target) == ("ask", "migrate vm-1")


def test_where_a_disk_is_all_that_keeps_a_guest_its_move_is_a_press_away() -> None:
    read = world.web_local()
    message = why.explained(read.vm, [choosing.Candidate(read, decided(read))])
    (choices,) = [part for part in message.parts if isinstance(part, Choices)]
    assert [one.label for one in choices.buttons] == [
        "Plan: move disk",
        "Plan: migrate with storage",
        "All constraints",
    ]
    assert choices.buttons[0].target.startswith(f"move-disks {read.vm.uuid} disk 0 to ")


async def test_what_holds_for_every_host_is_said_once() -> None:
    vm = roaming(immobile=True)
    message = why.explained(vm, await found(host(3), host(4), vm=vm))
    (checks,) = [part for part in message.parts if isinstance(part, Checks)]
    assert [check.key for check in checks.items] == ["immobile"]
    (ways,) = [part for part in message.parts if isinstance(part, Ways)]
    assert [plain(line).partition(":")[0] for line in ways.lines] == ["xenserver3, xenserver4"]


async def test_a_guest_alone_in_its_pool_can_go_nowhere() -> None:
    message = why.explained(guest(), await found())
    assert plain(message.summary) == "centos54 can go nowhere: its pool has no other host"


def test_a_choice_changes_no_promise() -> None:
    from bot.domain.plan import Choice, digest
    from bot.domain.texts import say

    plan = decided(facts())
    chosen = msgspec.structs.replace(plan, chosen=say("x"), others=(Choice("h-9", "x", say("y")),))
    assert digest(chosen) == digest(plan)
