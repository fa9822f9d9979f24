"""Messages (alerts): made, found, removed, and how many are kept."""

import pytest
from datacentre_client import Connect, Rpc, guest_of, host_of

from bot.lab.xapi import Datacentre, messages

EPOCH = "19700101T00:00:00Z"
FAR = "20990101T00:00:00Z"


async def test_a_message_is_made_and_found_by_its_object_and_date(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, host = guest_of(datacentre, "centos54")["uuid"], host_of(datacentre, "xenserver3")["uuid"]
    about_guest = await rpc.call("message.create", "MINE", 3, "VM", guest, "<b>text</b>")
    about_host = await rpc.call("message.create", "MINE", 4, "Host", host, "")
    record = await rpc.call("message.get_record", about_guest)
    assert (record["name"], record["priority"], record["cls"], record["obj_uuid"], record["body"]) == (
        "MINE",
        3,
        "VM",
        guest,
        "<b>text</b>",
    )
    assert set(await rpc.call("message.get", "Host", host, EPOCH)) == {about_host}
    assert await rpc.call("message.get", "Host", guest, EPOCH) == {}
    assert set(await rpc.call("message.get_since", EPOCH)) == {about_guest, about_host}
    assert await rpc.call("message.get_since", FAR) == {}
    found = await rpc.call("message.get_all_records_where", 'field "priority"="4"')
    assert set(found) == {about_host}


async def test_a_message_about_nothing_is_refused(rpc: Rpc, connect: Connect) -> None:
    assert await rpc.fail("message.create", "MINE", 3, "Host", "nothing", "") == ["UUID_INVALID", "Host", "nothing"]
    weak = await connect("xenserver1").login("vm-power-admin")
    assert (await weak.fail("message.create", "MINE", 3, "Host", "nothing", ""))[:2] == [
        "RBAC_PERMISSION_DENIED",
        "message.create",
    ]


async def test_messages_are_removed_one_by_one_or_together(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = guest_of(datacentre, "centos54")["uuid"]
    made = [await rpc.call("message.create", "MINE", 5, "VM", guest, "") for _ in range(4)]
    token = (await rpc.call("event.from", ["message"], "", 0.0))["token"]
    assert await rpc.call("message.destroy", made[0]) == ""
    assert await rpc.fail("message.destroy_many", [made[1], made[0]]) == ["HANDLE_INVALID", "message", made[0]]
    assert await rpc.call("message.destroy_many", made[1:3]) == ""
    assert await rpc.call("message.get_all") == [made[3]]
    answer = await rpc.call("event.from", ["message"], token, 5.0)
    assert [(event["operation"], event["id"]) for event in answer["events"]] == [("del", "0")] * 3
    assert {event["ref"] for event in answer["events"]} == set(made[:3])
    assert answer["valid_ref_counts"]["message"] == 1


async def test_the_oldest_messages_go_over_the_limit(
    datacentre: Datacentre, rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert messages.MESSAGES_KEPT == 10_000
    monkeypatch.setattr(messages, "MESSAGES_KEPT", 3)
    guest = guest_of(datacentre, "centos54")["uuid"]
    made = [await rpc.call("message.create", f"M{number}", 5, "VM", guest, "") for number in range(5)]
    assert set(await rpc.call("message.get_all")) == set(made[2:])
