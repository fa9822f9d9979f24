"""Objects that are nothing but their records, and what is refused because the lab's pools have no such thing."""

from typing import Any

import pytest
from datacentre_client import Rpc


async def test_a_secret_is_made_read_and_removed(rpc: Rpc) -> None:
    secret = await rpc.call("secret.create", {"value": "hush", "other_config": {"for": "nobody"}})
    assert await rpc.call("secret.get_value", secret) == "hush"
    await rpc.call("secret.set_value", secret, "other")
    found = await rpc.call("secret.get_by_uuid", await rpc.call("secret.get_uuid", secret))
    assert found == secret
    events = (await rpc.call("event.from", ["secret"], "", 0.0))["events"]
    assert secret in [event["ref"] for event in events]
    await rpc.call("secret.destroy", secret)
    assert await rpc.fail("secret.get_value", secret) == ["HANDLE_INVALID", "secret", secret]


@pytest.mark.parametrize(
    ("method", "record", "expected"),
    [
        ("VM.create", {"name_label": "x"}, 'Server_helpers.Dispatcher_FieldNotFound("user_version")'),
        ("secret.create", {"other_config": {}}, 'Server_helpers.Dispatcher_FieldNotFound("value")'),
        ("secret.create", {"value": 5, "other_config": {}}, "Failure(\"Expected string, got 'I(5)'\")"),
        ("VMSS.create", {"name_label": "x", "type": "nightly"}, 'Failure("Unknown tag/contents")'),
        ("VM_appliance.create", "x", 'Failure("bad __structure")'),
    ],
)
async def test_a_constructor_tells_what_its_record_lacks(rpc: Rpc, method: str, record: Any, expected: str) -> None:
    assert await rpc.fail(method, record) == ["INTERNAL_ERROR", expected]


async def test_a_constructor_fills_in_defaults_and_ignores_what_it_does_not_know(rpc: Rpc) -> None:
    schedule = {"name_label": "nightly", "type": "snapshot", "frequency": "daily", "flavour": "mint"}
    made = await rpc.call("VMSS.create", schedule)
    record = await rpc.call("VMSS.get_record", made)
    assert (record["enabled"], record["retained_snapshots"], record["schedule"]) == (True, 7, {})
    assert "flavour" not in record
    await rpc.call("VMSS.add_to_schedule", made, "hour", "3")
    assert await rpc.call("VMSS.get_schedule", made) == {"hour": "3"}
    await rpc.call("VMSS.set_frequency", made, "weekly")
    await rpc.call("VMSS.destroy", made)


async def test_constructors_work_as_tasks(rpc: Rpc) -> None:
    task = await rpc.call("Async.VM_appliance.create", {"name_label": "web"})
    record = await rpc.finish(task)
    assert record["status"] == "success"
    appliance = record["result"].removeprefix("<value>").removesuffix("</value>")
    assert await rpc.call("VM_appliance.get_by_name_label", "web") == [appliance]
    await rpc.call("VM_appliance.destroy", appliance)


async def test_a_blob_belongs_to_an_object_under_a_name(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    blob = await rpc.call("VM.create_new_blob", guest, "icon", "image/png")
    assert await rpc.call("VM.get_blobs", guest) == {"icon": blob}
    assert (await rpc.call("blob.get_record", blob))["public"] is False
    assert (await rpc.fail("VM.create_new_blob", guest, "icon", "image/png", True))[0] == "MAP_DUPLICATE_KEY"
    await rpc.call("blob.destroy", blob)
    assert await rpc.call("VM.get_blobs", guest) == {}


async def test_messages_are_made_about_objects_and_removed_together(rpc: Rpc) -> None:
    guest = await rpc.call("VM.get_uuid", await rpc.find("VM", "centos54"))
    made = [await rpc.call("message.create", "NOTE", 3, "VM", guest, f"number {number}") for number in range(3)]
    assert (await rpc.call("message.get_record", made[0]))["body"] == "number 0"
    assert await rpc.fail("message.create", "NOTE", 3, "VM", "x", "") == ["UUID_INVALID", "VM", "x"]
    assert await rpc.fail("message.create", "NOTE", 3, "Tree", guest, "") == [
        "INTERNAL_ERROR",
        'Failure("Unknown tag/contents")',
    ]
    assert (await rpc.fail("message.destroy_many", [*made, "x"]))[0] == "HANDLE_INVALID"
    assert set(made) <= set(await rpc.call("message.get_all"))
    await rpc.call("message.destroy_many", made)
    assert not set(made) & set(await rpc.call("message.get_all_records"))


async def test_repositories_are_noted_and_held_by_the_pool(rpc: Rpc) -> None:
    pool = (await rpc.call("pool.get_all"))[0]
    urls = ["https://repo.example/base", "https://repo.example/source"]
    made = await rpc.call("Repository.introduce", "base", "", *urls, True)
    assert await rpc.fail("Repository.introduce", "again", "", *urls, True, "") == ["REPOSITORY_ALREADY_EXISTS", made]
    assert await rpc.fail("Repository.introduce", "x", "", "ftp://x", "", True) == ["INVALID_BASE_URL", "ftp://x"]
    await rpc.call("pool.set_repositories", pool, [made])
    assert await rpc.fail("Repository.forget", made) == ["REPOSITORY_IS_IN_USE"]
    await rpc.call("pool.set_repositories", pool, [])
    await rpc.call("Repository.forget", made)


async def test_what_a_pool_does_not_have_is_refused_as_a_real_one_refuses(rpc: Rpc) -> None:
    pool, host = (await rpc.call("pool.get_all"))[0], await rpc.find("host", "xenserver1")
    guest, network = await rpc.find("VM", "centos54"), (await rpc.call("network.get_all"))[0]
    pif = (await rpc.call("host.get_PIFs", host))[0]
    group = await rpc.call("GPU_group.create")
    refusals: list[tuple[str, list[Any], list[str]]] = [
        ("host.call_plugin", [host, "noplug", "fn", {}], ["XENAPI_MISSING_PLUGIN", "noplug"]),
        ("host.call_extension", [host, "ext.call"], ["MESSAGE_METHOD_UNKNOWN", "ext.call"]),
        ("pool.retrieve_wlb_configuration", [], ["WLB_NOT_INITIALIZED"]),
        ("pool.sync_updates", [pool, False, "", ""], ["NO_REPOSITORY_ENABLED"]),
        ("auth.get_subject_identifier", ["ada"], ["AUTH_IS_DISABLED"]),
        ("pool.enable_external_auth", [pool, {}, "corp", "kerberos"], ["AUTH_UNKNOWN_TYPE", "kerberos"]),
        ("VGPU.create", [guest, group], ["GPU_GROUP_CONTAINS_NO_PGPUS", group]),
        ("Bond.create", [network, [pif], ""], ["PIF_BOND_NEEDS_MORE_MEMBERS"]),
        ("network_sriov.create", [pif, network], ["PIF_IS_NOT_SRIOV_CAPABLE", pif]),
        ("Cluster.pool_create", [network, "corosync"], ["LICENCE_RESTRICTION", "Corosync"]),
        ("VM.send_sysrq", [guest, "b"], ["NOT_IMPLEMENTED", "send_sysrq"]),
        ("VM.call_plugin", ["x", "p", "f", {}], ["HANDLE_INVALID", "VM", "x"]),
        ("pool_patch.apply", ["x", host], ["HANDLE_INVALID", "pool_patch", "x"]),
        ("Cluster.destroy", ["OpaqueRef:NULL"], ["HANDLE_INVALID", "Cluster", "OpaqueRef:NULL"]),
        ("host.license_apply", [host, "x"], ["MESSAGE_REMOVED"]),
    ]
    for method, params, expected in refusals:
        assert await rpc.fail(method, *params) == expected, method
    await rpc.call("GPU_group.destroy", group)
