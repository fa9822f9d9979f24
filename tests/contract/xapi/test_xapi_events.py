"""`event.from`: tokens, long polling, batches, filters."""

import asyncio
import re

import pytest
from datacentre_client import DEADLINE_S, Connect, Rpc, Stock

from bot.lab.xapi import database

TOKEN = re.compile(r"\d{20},\d{20}")


async def test_the_empty_token_delivers_everything_as_additions(rpc: Rpc) -> None:
    answer = await rpc.call("event.from", ["*"], "", 30.0)
    assert {event["operation"] for event in answer["events"]} == {"add"}
    counts: dict[str, int] = {}
    for event in answer["events"]:
        counts[event["class"]] = counts.get(event["class"], 0) + 1
        assert event["timestamp"] == "0.0"
    told = {name: number for name, number in answer["valid_ref_counts"].items() if number}
    assert told.pop("session") == 1
    assert counts == told
    assert TOKEN.fullmatch(answer["token"])


async def test_nothing_new_takes_the_whole_timeout_and_keeps_the_token(rpc: Rpc) -> None:
    token = (await rpc.call("event.from", ["vm"], "", 0.0))["token"]
    loop = asyncio.get_running_loop()
    begun = loop.time()
    answer = await rpc.call("event.from", ["vm"], token, 0.3)
    assert loop.time() - begun >= 0.29
    assert (answer["events"], answer["token"]) == ([], token)


async def test_a_change_wakes_who_waits(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    token = (await rpc.call("event.from", ["vm"], "", 0.0))["token"]
    waiting = asyncio.create_task(rpc.call("event.from", ["VM"], token, 30.0))
    await rpc.call("VM.set_name_description", guest, "new")
    answer = await waiting
    [event] = answer["events"]
    assert (event["class"], event["operation"], event["ref"]) == ("vm", "mod", guest)
    assert event["snapshot"]["name_description"] == "new"
    assert int(event["id"]) == int(answer["token"].split(",")[0])


async def test_changes_of_one_object_collapse_and_short_lived_ones_vanish(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    token = (await rpc.call("event.from", ["vm", "task"], "", 0.0))["token"]
    for number in range(5):
        await rpc.call("VM.set_name_description", guest, str(number))
    task = await rpc.call("task.create", "short", "")
    await rpc.call("task.set_status", task, "success")
    await rpc.call("task.destroy", task)
    answer = await rpc.call("event.from", ["vm", "task"], token, 5.0)
    [event] = answer["events"]
    assert event["snapshot"]["name_description"] == "4"


async def test_deletions_have_no_snapshot_and_lower_the_count(rpc: Rpc) -> None:
    task = await rpc.call("task.create", "gone", "")
    first = await rpc.call("event.from", ["task"], "", 0.0)
    await rpc.call("task.set_status", task, "success")
    await rpc.call("task.destroy", task)
    answer = await rpc.call("event.from", ["task"], first["token"], 5.0)
    [event] = answer["events"]
    assert (event["operation"], event["ref"]) == ("del", task)
    assert "snapshot" not in event
    assert answer["valid_ref_counts"]["task"] == first["valid_ref_counts"]["task"] - 1


async def test_single_objects_can_be_watched(rpc: Rpc) -> None:
    guest, other = await rpc.find("VM", "centos54"), await rpc.find("VM", "web-local")
    wanted = [f"vm/{guest}"]
    first = await rpc.call("event.from", wanted, "", 0.0)
    assert [event["ref"] for event in first["events"]] == [guest]
    await rpc.call("VM.set_name_description", other, "not watched")
    assert (await rpc.call("event.from", wanted, first["token"], 0.0))["events"] == []


async def test_messages_come_first_with_a_generation_of_their_own(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    first = await rpc.call("event.from", ["message", "vm", "host", "task"], "", 0.0)
    await rpc.call("VM.pool_migrate", guest, host, {})
    answer = await rpc.call("event.from", ["message", "vm", "host", "task"], first["token"], 5.0)
    event = answer["events"][0]
    assert (event["class"], event["operation"], event["id"]) == ("message", "add", "0")
    assert event["snapshot"]["name"] == "VM_MIGRATED"
    before, after = (int(token.split(",")[1]) for token in (first["token"], answer["token"]))
    assert after > before


async def test_inject_makes_a_null_change(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    token = await rpc.call("event.inject", "VM", guest)
    assert TOKEN.fullmatch(token)
    [event] = (await rpc.call("event.from", ["vm"], token, 5.0))["events"]
    assert (event["ref"], event["operation"]) == (guest, "mod")


@pytest.mark.parametrize(
    ("classes", "token", "expected"),
    [
        (["vm"], "garbage", ["EVENT_FROM_TOKEN_PARSE_FAILURE", "garbage"]),
        (["vm/"], "", ["EVENT_SUBSCRIPTION_PARSE_FAILURE", "vm/"]),
        ([""], "", ["EVENT_SUBSCRIPTION_PARSE_FAILURE", ""]),
    ],
)
async def test_what_cannot_be_read_is_refused(rpc: Rpc, classes: list[str], token: str, expected: list[str]) -> None:
    assert await rpc.fail("event.from", classes, token, 1.0) == expected


async def test_logging_out_wakes_who_waits(connect: Connect) -> None:
    client, other = await connect("xenserver1").login(), await connect("xenserver1").login()
    token = (await client.call("event.from", ["vm"], "", 0.0))["token"]
    waiting = asyncio.create_task(client.fail("event.from", ["vm"], token, 30.0))
    assert await client.call("session.logout") == ""
    assert await waiting == ["SESSION_INVALID", client.session]
    assert await other.call("VM.get_all")


async def test_the_official_client_reads_counts_as_integers(stock: Stock) -> None:
    answer = await stock(lambda session: session.xenapi.event_from(["vm", "host"], "", 1.0))
    assert isinstance(answer["valid_ref_counts"]["host"], int)
    record = next(event["snapshot"] for event in answer["events"] if event["class"] == "vm")
    assert isinstance(record["memory_static_max"], str)


async def test_nobody_is_registered_for_a_queue_at_first(rpc: Rpc) -> None:
    assert await rpc.fail("event.next") == ["SESSION_NOT_REGISTERED", rpc.session]


async def test_an_old_style_queue_tells_what_changed_since_the_last_time(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await rpc.call("event.register", ["VM", "task"])
    await rpc.call("VM.set_name_description", guest, "new")
    await rpc.call("host.set_name_description", host, "not registered")
    [event] = await rpc.call("event.next")
    assert (event["class"], event["operation"], event["ref"]) == ("vm", "mod", guest)
    assert event["snapshot"]["name_description"] == "new"
    waiting = asyncio.create_task(rpc.call("event.next"))
    await rpc.call("event.register", ["host"])
    await rpc.call("host.set_name_description", host, "registered")
    assert [event["ref"] for event in await asyncio.wait_for(waiting, DEADLINE_S)] == [host]
    await rpc.call("event.unregister", ["vm", "task", "HOST"])
    assert await rpc.fail("event.next") == ["SESSION_NOT_REGISTERED", rpc.session]


async def test_a_queue_of_more_than_ten_megabytes_is_lost(rpc: Rpc) -> None:
    await rpc.call("event.register", ["*"])
    guests = [await rpc.find("VM", name) for name in ("centos54", "winxp", "web-local", "db1", "sleeper")]
    for guest in guests:
        for number in range(9):
            await rpc.call("VM.add_to_other_config", guest, f"large-{number}", "x" * 240_000)
    assert await rpc.fail("event.next") == ["EVENTS_LOST"]
    await rpc.call("VM.set_name_description", guests[0], "after")
    assert [event["ref"] for event in await rpc.call("event.next")] == [guests[0]]


async def test_logging_out_wakes_who_waits_for_a_queue(connect: Connect) -> None:
    client = await connect("xenserver1").login()
    await client.call("event.register", ["vm"])
    waiting = asyncio.create_task(client.fail("event.next"))
    await client.call("session.logout")
    assert await asyncio.wait_for(waiting, DEADLINE_S) == ["SESSION_INVALID", client.session]


async def test_a_token_older_than_the_memory_of_deletions_is_lost(rpc: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_DELETED_KEPT", 3)
    token = (await rpc.call("event.from", ["task"], "", 0.0))["token"]
    for _ in range(4):
        task = await rpc.call("task.create", "short", "")
        await rpc.call("task.set_status", task, "success")
        await rpc.call("task.destroy", task)
    assert await rpc.fail("event.from", ["task"], token, 0.0) == ["EVENTS_LOST"]
    fresh = (await rpc.call("event.from", ["task"], "", 0.0))["token"]
    assert (await rpc.call("event.from", ["task"], fresh, 0.0))["events"] == []


@pytest.mark.parametrize("class_name", ["VM", "host", "SR", "network", "pool", "VBD", "VIF", "PIF", "PBD", "VDI"])
async def test_every_class_tells_its_changes(rpc: Rpc, class_name: str) -> None:
    ref = (await rpc.call(f"{class_name}.get_all"))[0]
    first = await rpc.call("event.from", [class_name], "", 0.0)
    assert {event["class"] for event in first["events"]} == {class_name.lower()}
    assert len(first["events"]) == first["valid_ref_counts"][class_name.lower()]
    await rpc.call("event.inject", class_name, ref)
    [event] = (await rpc.call("event.from", [class_name.lower()], first["token"], 5.0))["events"]
    assert (event["ref"], event["operation"]) == (ref, "mod")
