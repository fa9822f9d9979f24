"""Who may do what: one account per role, refusals word for word, roles and subjects as objects."""

from typing import Any

import pytest
from datacentre_client import Connect, Rpc

from bot.lab.xapi.schema.signatures import SIGNATURES
from bot.lab.xapi.sessions import ROLES

_TOLD = "No permission in user session. (Roles with this permission: {})"


@pytest.mark.parametrize(
    ("role", "method", "params", "permission", "told"),
    [
        (
            "read-only",
            "VM.start",
            ["x", True, True],
            "vm.start",
            "vm-power-admin, vm-admin, vm-operator, pool-admin, pool-operator",
        ),
        ("read-only", "host.disable", ["x"], "host.disable", "client-cert, pool-admin, pool-operator"),
        (
            "vm-admin",
            "VM.pool_migrate",
            ["x", "y", {}],
            "vm.pool_migrate",
            "vm-power-admin, client-cert, pool-admin, pool-operator",
        ),
        (
            "vm-operator",
            "VM.set_name_label",
            ["x", "y"],
            "vm.set_name_label",
            "vm-power-admin, vm-admin, pool-admin, pool-operator",
        ),
        ("vm-operator", "secret.get_all", [], "secret.get_all", "pool-admin, pool-operator"),
        (
            "vm-power-admin",
            "pool.sync_updates",
            ["x", True, "", ""],
            "pool.sync_updates",
            "client-cert, pool-admin, pool-operator",
        ),
        (
            "pool-operator",
            "subject.create",
            [{"subject_identifier": "s", "other_config": {}}],
            "subject.create",
            "pool-admin",
        ),
        ("pool-operator", "VM.add_to_other_config", ["x", "pci", "1"], "vm.add_to_other_config/key:pci", "pool-admin"),
        (
            "read-only",
            "VM.add_to_other_config",
            ["x", "XenCenter.CustomFields.a", "1"],
            "vm.add_to_other_config/key:XenCenter.CustomFields.*",
            "vm-power-admin, vm-admin, vm-operator, pool-admin, pool-operator",
        ),
        ("pool-admin", "host.get_sched_gran", ["x"], "host.get_sched_gran", ""),
    ],
)
async def test_a_refusal_names_the_permission_and_who_has_it(
    connect: Connect, role: str, method: str, params: list[Any], permission: str, told: str
) -> None:
    client = await connect("xenserver1").login(role)
    assert await client.fail(method, *params) == ["RBAC_PERMISSION_DENIED", permission, _TOLD.format(told)]


async def test_each_role_may_what_the_tables_say_and_the_superuser_everything(connect: Connect, rpc: Rpc) -> None:
    # Parameters that are read, and objects that are not there: what is allowed fails later than the role does.
    probes = {
        "VM.get_record": ["x"],
        "VM.start": ["x", True, True],
        "VM.set_name_description": ["x", "y"],
        "VM.pool_migrate": ["x", "y", {}],
        "SR.scan": ["x"],
        "host.set_name_label": ["x", "y"],
        "PUSB.set_passthrough_enabled": ["x", True],
        "VMSS.set_last_run_time": ["x", "20260101T00:00:00Z"],
    }
    for role in ROLES:
        client = await connect("xenserver1").login(role)
        for method, params in probes.items():
            weakest = SIGNATURES[method].role
            is_allowed = weakest != "local" and ROLES.index(role) >= ROLES.index(weakest)
            code = (await client.fail(method, *params))[0]
            assert (code != "RBAC_PERMISSION_DENIED") == is_allowed, (role, method, code)
    for method, params in probes.items():
        assert (await rpc.fail(method, *params))[0] == "HANDLE_INVALID", method


async def test_the_parameters_come_before_the_session_and_the_session_before_the_role(connect: Connect) -> None:
    client = await connect("xenserver1").login("read-only")
    assert (await client.fail("VM.start", "x", "yes", True))[0] == "INTERNAL_ERROR"
    assert (await client.fail("VM.start", "x", True, True))[0] == "RBAC_PERMISSION_DENIED"
    client.session = "OpaqueRef:gone"
    assert await client.fail("VM.start", "x", True, True) == ["SESSION_INVALID", "OpaqueRef:gone"]
    assert (await client.fail("VM.start", "x", "yes", True))[0] == "INTERNAL_ERROR"
    assert await client.fail("VMPP.protect_now", "x") == ["SESSION_INVALID", "OpaqueRef:gone"]


async def test_roles_are_the_same_everywhere_and_in_no_event(connect: Connect, rpc: Rpc) -> None:
    admin = (await rpc.call("role.get_by_name_label", "pool-admin"))[0]
    assert admin == "OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba"
    other = await connect("xenserver2").login()
    assert await other.call("role.get_by_name_label", "pool-admin") == [admin]
    roles = await rpc.call("role.get_all_records_where", "subroles<>[]")
    assert {record["name_label"] for record in roles.values()} == {*ROLES, "client-cert"}
    everything = await rpc.call("role.get_all_records")
    assert set(everything) == set(await rpc.call("role.get_all"))
    assert everything[admin] == await rpc.call("role.get_record", admin)
    assert (await rpc.call("event.from", ["role"], "", 0.0))["events"] == []
    assert await rpc.fail("role.get_record", "OpaqueRef:x") == ["HANDLE_INVALID", "role", "OpaqueRef:x"]
    assert await rpc.fail("role.get_by_uuid", "x") == ["UUID_INVALID", "role", "x"]


async def test_permissions_lead_to_roles_and_back(rpc: Rpc) -> None:
    start = (await rpc.call("role.get_by_name_label", "vm.start"))[0]
    assert await rpc.call("role.get_subroles", start) == []
    having = await rpc.call("role.get_by_permission", start)
    assert having == await rpc.call("role.get_by_permission_name_label", "vm.start")
    names = {(await rpc.call("role.get_name_label", role)) for role in having}
    assert names == {"vm-operator", "vm-admin", "vm-power-admin", "pool-operator", "pool-admin"}
    for role in having:
        assert start in await rpc.call("role.get_permissions", role)
    export = await rpc.call("role.get_by_permission_name_label", "http/get_export")
    assert len(export) == 4
    reader = (await rpc.call("role.get_by_name_label", "read-only"))[0]
    told = await rpc.call("role.get_permissions_name_label", reader)
    assert "vm.get_record" in told
    assert "vm.start" not in told


async def test_a_subject_has_roles(rpc: Rpc) -> None:
    values = {"subject_identifier": "S-1-5-21", "other_config": {"subject-name": "ada"}}
    subject = await rpc.call("subject.create", values)
    assert await rpc.fail("subject.create", values) == ["SUBJECT_ALREADY_EXISTS"]
    admin, reader = [(await rpc.call("role.get_by_name_label", name))[0] for name in ("pool-admin", "read-only")]
    assert await rpc.call("subject.get_roles", subject) == [admin]
    assert await rpc.fail("subject.add_to_roles", subject, admin) == ["ROLE_ALREADY_EXISTS"]
    assert await rpc.fail("subject.add_to_roles", subject, "x") == ["ROLE_NOT_FOUND"]
    await rpc.call("subject.add_to_roles", subject, reader)
    await rpc.call("subject.remove_from_roles", subject, admin)
    assert await rpc.fail("subject.remove_from_roles", subject, admin) == ["ROLE_NOT_FOUND"]
    assert await rpc.call("subject.get_permissions_name_label", subject) == sorted(
        await rpc.call("role.get_permissions_name_label", reader)
    )
    await rpc.call("subject.destroy", subject)
    assert await rpc.call("subject.get_all") == []
