"""Records: searches, setters, and types held against the published data model where it is at hand."""

from typing import Any
from xml.etree.ElementTree import fromstring

import aiohttp
import pytest
from datacentre_client import Connect, Rpc, guest_of
from published_model import RECORDED, published

from bot.lab.xapi import Datacentre
from bot.lab.xapi.schema.model import CLASSES


async def test_records_have_the_published_types(connect: Connect) -> None:
    model = published()
    for name in ("xenserver1", "xenserver2", "xenserver-fp1"):
        client = await connect(name).login()
        events = (await client.call("event.from", ["*"], "", 0.0))["events"]
        for event in events:
            kind = next(name for name in CLASSES if name.lower() == event["class"])
            for field in model[kind]["fields"]:
                value = event["snapshot"][field["name"]]
                assert has_type(value, field["type"]), (kind, field["name"], value)
                assert is_known_enum(model, field["type"], value), (kind, field["name"], value)


def has_type(value: object, text: str) -> bool:
    simple = {"int": int, "float": float, "bool": bool}
    if text.endswith(" set"):
        return isinstance(value, list) and all(has_type(item, text.removesuffix(" set")) for item in value)
    if text.endswith(" map"):
        inner = text.removesuffix(" map").strip("()").partition(" -> ")[2]
        return isinstance(value, dict) and all(has_type(item, inner) for item in value.values())
    if text.endswith(" ref"):
        return isinstance(value, str) and value.startswith("OpaqueRef:")
    return type(value) is simple.get(text, str)


def is_known_enum(model: dict[str, Any], text: str, value: object) -> bool:
    if not text.startswith("enum ") or text.endswith((" set", " map")):
        return True
    enums = {enum["name"]: enum for kind in model.values() for enum in kind["enums"]}
    return value in {one["name"] for one in enums[text.removeprefix("enum ")]["values"]}


@pytest.mark.parametrize(
    ("recorded", "class_name"),
    [
        ("b0013-xmlrpc-VM.get_record-running.txt", "VM"),
        ("b0014-xmlrpc-VM_metrics.get_record.txt", "VM_metrics"),
        ("b0015-xmlrpc-VM_guest_metrics.get_record.txt", "VM_guest_metrics"),
        ("b0016-xmlrpc-VBD.get_record-attached.txt", "VBD"),
        ("b0017-xmlrpc-VIF.get_record-attached.txt", "VIF"),
        ("a0100-xmlrpc-task.get_record-success.txt", "task"),
    ],
)
async def test_records_are_encoded_as_a_real_server_does(
    http: aiohttp.ClientSession, rpc: Rpc, recorded: str, class_name: str
) -> None:
    if not (RECORDED / recorded).is_file():
        pytest.skip("the recorded exchanges are not here")
    text = (RECORDED / recorded).read_text(encoding="utf-8").rpartition("<?xml")[2]
    if class_name == "task":
        await rpc.call("task.create", "one", "")
    ref = (await rpc.call(f"{class_name}.get_all"))[0]
    values = "".join(f"<param><value>{one}</value></param>" for one in (rpc.session, ref))
    body = (
        f"<?xml version='1.0'?><methodCall><methodName>{class_name}.get_record</methodName>"
        f"<params>{values}</params></methodCall>"
    )
    async with http.post(f"{rpc.url}/", data=body.encode()) as got:
        ours = find_shapes(await got.text())
    theirs = find_shapes("<?xml" + text)
    # The recorded server is newer: what both have must look alike.
    for name in CLASSES[class_name].fields:
        assert ours[name] == theirs[name], name


def find_shapes(text: str) -> dict[str, str]:
    """Returns the tag that each member of a record has inside its value; none for plain text."""
    # S314: both texts are of servers that this test started or that were recorded beside it.
    record = fromstring(text).findall(".//member")[1].find("value/struct")  # noqa: S314  see above
    assert record is not None
    shapes = {}
    for member in record.findall("member"):
        name, value = member.find("name"), member.find("value")
        assert name is not None
        assert value is not None
        shapes[name.text or ""] = value[0].tag if len(value) else "text"
    return shapes


async def test_searches_find_by_expression(rpc: Rpc) -> None:
    async def names(expression: str) -> set[str]:
        found = await rpc.call("VM.get_all_records_where", expression)
        return {record["name_label"] for record in found.values()}

    assert await names('field "name__label"="centos54"') == {"centos54"}
    assert await names('field "power_state"="Suspended" or field "name__label"="winxp"') == {"sleeper", "winxp"}
    assert await names('not (field "power_state"="Running")') == {"sleeper"}
    domains = await names('field "is_control_domain"="true" and field "power_state"="Running"')
    assert domains == {"Control domain on host: xenserver1", "Control domain on host: xenserver3"}
    assert len(await rpc.call("VM.get_all_records_where", "true")) == len(await rpc.call("VM.get_all"))
    assert await names("false") == set()
    assert await names('field "domid"="-1"') == {"sleeper"}


async def test_maps_refuse_a_key_twice_and_forget_one_without_complaint(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await rpc.call("VM.add_to_other_config", guest, "k", "v") == ""
    assert await rpc.fail("VM.add_to_other_config", guest, "k", "w") == [
        "MAP_DUPLICATE_KEY",
        "VM",
        "other_config",
        guest,
        "k",
    ]
    assert await rpc.call("VM.remove_from_other_config", guest, "k") == ""
    assert await rpc.call("VM.remove_from_other_config", guest, "k") == ""
    assert "k" not in await rpc.call("VM.get_other_config", guest)


async def test_tags_are_a_set(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.add_tags", guest, "one")
    await rpc.call("VM.add_tags", guest, "one")
    assert await rpc.call("VM.get_tags", guest) == ["one"]
    await rpc.call("VM.remove_tags", guest, "one")
    assert await rpc.call("VM.get_tags", guest) == []
    await rpc.call("VM.set_tags", guest, ["a", "b"])
    assert await rpc.call("VM.get_tags", guest) == ["a", "b"]


async def test_blocked_operations_leave_the_allowed_ones_and_beat_every_check(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "sleeper"), await rpc.find("host", "xenserver3")
    await rpc.call("VM.add_to_blocked_operations", guest, "pool_migrate", "because")
    expected = ["OPERATION_BLOCKED", guest, "because"]
    assert await rpc.fail("VM.pool_migrate", guest, host, {"force": "true"}) == expected
    running = await rpc.find("VM", "centos54")
    await rpc.call("VM.add_to_blocked_operations", running, "clean_shutdown", "because")
    assert "clean_shutdown" not in await rpc.call("VM.get_allowed_operations", running)


async def test_read_only_fields_have_no_setter(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await rpc.fail("VM.set_uuid", guest, "x") == ["MESSAGE_METHOD_UNKNOWN", "VM.set_uuid"]
    assert await rpc.fail("VM.set_power_state", guest, "x") == [
        "MESSAGE_METHOD_UNKNOWN",
        "VM.set_power_state",
    ]


async def test_values_of_enumerations_come_in_any_letter_case_and_no_others(rpc: Rpc) -> None:
    drive = (await rpc.call("VM.get_VBDs", await rpc.find("VM", "centos54")))[0]
    assert await rpc.fail("VBD.set_type", drive, "Tape") == ["INTERNAL_ERROR", 'Failure("Unknown tag/contents")']
    await rpc.call("VBD.set_type", drive, "cd")
    assert await rpc.call("VBD.get_type", drive) == "CD"


async def test_twins_share_a_name(rpc: Rpc) -> None:
    assert len(await rpc.call("VM.get_by_name_label", "twin")) == 2


async def test_the_article_world_is_as_told(datacentre: Datacentre, rpc: Rpc) -> None:
    state = datacentre.state()
    assert {pool["name"] for pool in state["pools"]} == {"experiment", ""}
    assert {host["name"]: host["address"] for host in state["hosts"]} == {
        "xenserver1": "127.0.1.1",
        "xenserver2": "127.0.1.2",
        "xenserver3": "127.0.1.3",
        "xenserver4": "127.0.1.4",
        "xenserver-fp1": "127.0.1.5",
    }
    assert guest_of(datacentre, "db1")["tags"] == ["critical"]
    assert guest_of(datacentre, "winxp")["tools"] is False
    assert guest_of(datacentre, "sleeper")["power_state"] == "Suspended"
    [shared] = [sr for sr in (await rpc.call("SR.get_all_records")).values() if sr["shared"]]
    assert (shared["name_label"], shared["type"], len(shared["PBDs"])) == ("nfs-vhd", "nfs", 2)
    plug = await rpc.call("PBD.get_device_config", shared["PBDs"][0])
    assert plug == {"server": "nfsserver", "serverpath": "/home/test"}
