"""Faults on calls: slow ones, repeated ones, those of one host only; and the description a page draws them from."""

import asyncio
from typing import Any

import pytest
from datacentre_client import DEADLINE_S, Connect, Rpc, Until

from bot.lab.xapi import Datacentre
from bot.lab.xapi.controls import describe, read_control


async def arm(datacentre: Datacentre, **fault: object) -> str:
    return (await datacentre.do({"do": "arm", "fault": fault}))["name"]


async def test_a_slow_call_takes_simulated_seconds(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "stop_clock"})
    await arm(datacentre, method="pool.get_all", action="slow", seconds=40)
    slow = asyncio.create_task(rpc.call("pool.get_all"))
    await until(lambda: datacentre.state()["faults"] == [])
    await datacentre.do({"do": "advance", "seconds": 39})
    assert not slow.done()
    await datacentre.do({"do": "advance", "seconds": 1})
    assert await asyncio.wait_for(slow, DEADLINE_S)


async def test_a_fault_strikes_so_many_times_or_for_ever(datacentre: Datacentre, rpc: Rpc) -> None:
    await arm(datacentre, method="pool.get_all", action="fail", error=["TWICE"], times=2)
    await arm(datacentre, method="pool.get_all_records", action="fail", error=["EVER"], times="forever", name="ever")
    assert [await rpc.fail("pool.get_all") for _ in range(2)] == [["TWICE"], ["TWICE"]]
    assert await rpc.call("pool.get_all")
    assert [await rpc.fail("pool.get_all_records") for _ in range(5)] == [["EVER"]] * 5
    assert [(fault["name"], fault["left"]) for fault in datacentre.state()["faults"]] == [("ever", "forever")]
    await datacentre.do({"do": "release", "name": "ever"})
    assert await rpc.call("pool.get_all_records")


async def test_a_fault_can_strike_at_one_host_only(datacentre: Datacentre, rpc: Rpc, connect: Connect) -> None:
    await arm(datacentre, method="session.login_with_password", action="fail", error=["HERE"], host="xenserver2")
    await connect("xenserver4").login()
    assert await connect("xenserver2").fail("session.login_with_password") == ["HERE"]


def test_every_control_is_described_for_a_form() -> None:
    schema = describe()
    controls = {one["properties"]["do"]["enum"][0]: one for one in list_controls(schema)}
    for name, control in controls.items():
        assert control["title"], name
        assert control["description"].endswith("."), name
        for field in control["properties"].values():
            assert "$ref" in field or field.get("enum") or field["title"], name
    assert controls["kill_host"]["properties"]["host"] == {"title": "Host", "type": "string", "x-from": "hosts"}
    assert "pool_migrate" in controls["block_operation"]["properties"]["operation"]["enum"]
    fault = schema["$defs"]["Fault"]["properties"]
    assert set(fault["action"]["enum"]) == {"fail", "hold", "slow", "drop"}
    assert fault["method"]["x-from"] == "methods"


async def test_a_described_control_is_understood_and_a_missing_field_is_named(datacentre: Datacentre) -> None:
    examples: dict[str, Any] = {"number": 0.5, "integer": 1, "string": "x"}
    for control in list_controls(describe()):
        wanted = {name: control["properties"][name] for name in control["required"]}
        request = {
            name: field.get("enum", [examples.get(field.get("type", ""), "x")])[0] for name, field in wanted.items()
        }
        if "fault" in request:
            is_stream = request["do"] == "arm_stream"
            request["fault"] = {"stream" if is_stream else "method": "GET /export", "action": "fail"}
        assert read_control(request)
        for missing in request.keys() - {"do"}:
            incomplete = {key: value for key, value in request.items() if key != missing}
            with pytest.raises(ValueError, match=f"missing required field `{missing}`"):
                await datacentre.do(incomplete)


def list_controls(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the schema of each control."""
    return [schema["$defs"][one["$ref"].rpartition("/")[2]] for one in schema["anyOf"]]
