"""Roles: the same on every server, so that they are in no database, make no events and cannot be changed.

A permission is a role without subroles, one for each message; a role consists of permissions. Their UUIDs are the
MD5 of their names, as on a real server.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.schema.signatures import SIGNATURES, Signature
from bot.lab.xapi.sessions import ROLES
from bot.lab.xapi.values import Value

_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "read-only": "The Read-Only role can log in with basic read-only access",
    "vm-operator": "The VM Operator role can use VMs and interact with their consoles",
    "vm-admin": "The VM Administrator role can manage VMs and templates",
    "vm-power-admin": "The VM Power Administrator role has full access to VMs and templates, wherever they run",
    "pool-operator": "The Pool Operator role manages hosts and what the whole pool shares",
    "client-cert": "The Client Certificate role can do what a client with a certificate may do",
    "pool-admin": "The Pool Administrator role has full access to all features and settings",
}
# Permissions that no message of the model has by its name: weakest role, then their names.
_BESIDE: Final = """
read-only: http/get_audit_log http/get_blob http/get_host_rrds http/get_pool_update_download http/get_root
    http/get_services http/get_vm_rrds http/get_wlb_diagnostics http/get_wlb_report http/host_rrd http/post_cli
    http/post_json http/post_json_options http/post_jsonrpc http/post_jsonrpc_options http/post_root
    http/post_root_options http/post_rpc2 http/rrd_updates http/sr_rrd http/vm_rrd
vm-operator: http/connect_console http/connect_console_ws http/get_vncsnapshot
vm-admin: http/get_export http/get_export_metadata http/get_export_raw_vdi http/put_import
    http/put_import_metadata http/put_import_raw_vdi
vm-power-admin: http/get_services_sm http/get_services_xenops http/post_services_sm http/post_services_xenops
    http/put_blob http/put_messages http/put_services_sm http/put_services_xenops
pool-operator: task.cancel/any task.destroy/any http/get_enabled_repository http/get_host_logs_download
    http/get_host_updates http/get_system_status http/get_updates http/put_bundle http/put_pool_patch_upload
pool-admin: http/connect_remotecmd http/get_config_sync http/get_host_backup http/get_pool_xml_db_sync
    http/post_remote_db_access http/post_remote_db_access_v2 http/post_services http/put_host_restore
    http/put_pool_xml_db_sync http/put_services http/rrd
local: http/get_repository
"""
# What only those who may change roles themselves should see of the list above.
_INTERNAL: Final = frozenset({"client-cert"})
# Expressions that a real server knows for this class; with any other it tells everything.
_NO_PERMISSIONS, _ONLY_PERMISSIONS = "subroles<>[]", "subroles=[]"


@dataclass(frozen=True, slots=True)
class _Role:
    ref: str
    record: dict[str, Value]


def find_ref(name: str) -> str:
    """Returns the reference that a role or permission of that name has on every server."""
    return f"OpaqueRef:{_name_uuid(name)}"


def _name_uuid(name: str) -> str:
    return str(uuid.UUID(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()))


@cache
def list_roles() -> Mapping[str, _Role]:
    """Returns all roles and permissions by reference, permissions first."""
    permissions = {name: roles for signature in SIGNATURES.values() for name, roles in _list_permissions(signature)}
    for line in _BESIDE.replace("\n    ", " ").strip().splitlines():
        weakest, _, names = line.partition(": ")
        permissions.update((name, _list_enough(weakest, certificate=False)) for name in names.split())
    made = {}
    for name in permissions:
        made[find_ref(name)] = _make(name, "A basic permission", [])
    for role, description in _DESCRIPTIONS.items():
        made[find_ref(role)] = _make(
            role, description, [find_ref(name) for name, roles in permissions.items() if role in roles]
        )
    return made


def _list_permissions(signature: Signature) -> list[tuple[str, list[str]]]:
    """Returns the permissions that a message needs, each with the roles that have it."""
    name = signature.name.lower()
    found = [(name, _list_enough(signature.role, certificate=signature.for_certificates))]
    for key, role in (signature.key_roles or {}).items():
        found.append((f"{name}/key:{key}", _list_enough(role, certificate=False)))
    return found


def _list_enough(role: str, *, certificate: bool) -> list[str]:
    enough = [] if role == "local" else list(ROLES[ROLES.index(role) :])
    return [*enough, "client-cert"] if certificate or role == "read-only" else enough


def _make(name: str, description: str, subroles: list[str]) -> _Role:
    record: dict[str, Value] = {
        "uuid": _name_uuid(name),
        "name_label": name,
        "name_description": description,
        "subroles": subroles,
        "is_internal": name in _INTERNAL,
    }
    return _Role(find_ref(name), record)


def find_role(ref: str) -> dict[str, Value]:
    """Returns the record of a role or permission.

    Raises:
        ApiError: `HANDLE_INVALID` when there is none.
    """
    role = list_roles().get(ref)
    if role is None:
        raise ApiError("HANDLE_INVALID", "role", ref)
    return role.record


def list_permissions(ref: str) -> list[str]:
    """Returns the references of a role's permissions; a permission is its own only one. Fails as `find_role` does."""
    subroles: list[str] = find_role(ref)["subroles"]
    return list(subroles) or [ref]


async def get_all(_context: Context) -> Value:
    """Returns the references of all roles and permissions."""
    return list(list_roles())


async def get_all_records(_context: Context) -> Value:
    """Returns all roles and permissions."""
    return {ref: role.record for ref, role in list_roles().items()}


async def get_all_records_where(_context: Context, expression: str) -> Value:
    """Returns roles, permissions or both; a real server reads no other expression for this class."""
    wanted = {_NO_PERMISSIONS: (True,), _ONLY_PERMISSIONS: (False,)}.get(expression, (True, False))
    return {ref: role.record for ref, role in list_roles().items() if bool(role.record["subroles"]) in wanted}


async def get_record(_context: Context, self: str) -> Value:
    """Returns one."""
    return find_role(self)


async def get_by_uuid(_context: Context, role_uuid: str) -> Value:
    """Returns the reference of a UUID."""
    ref = f"OpaqueRef:{role_uuid}"
    if ref not in list_roles():
        raise ApiError("UUID_INVALID", "role", role_uuid)
    return ref


async def get_by_name_label(_context: Context, label: str) -> Value:
    """Returns the reference of a name, if there is one."""
    ref = find_ref(label)
    return [ref] if ref in list_roles() else []


async def get_permissions(_context: Context, self: str) -> Value:
    """Returns the permissions of a role."""
    return list_permissions(self)


async def get_permissions_name_label(_context: Context, self: str) -> Value:
    """Returns the names of the permissions of a role."""
    return [find_role(ref)["name_label"] for ref in list_permissions(self)]


async def get_by_permission(_context: Context, permission: str) -> Value:
    """Returns the roles that have a permission."""
    return [ref for ref, role in list_roles().items() if permission in role.record["subroles"]]


async def get_by_permission_name_label(context: Context, label: str) -> Value:
    """Returns the roles that have a permission of that name."""
    return await get_by_permission(context, find_ref(label))


def _get(name: str) -> Handler:
    async def get(_context: Context, self: str) -> Value:
        return find_role(self)[name]

    return get


CALLS: Final[tuple[Call, ...]] = (
    declare("role.get_all", get_all),
    declare("role.get_all_records", get_all_records),
    declare("role.get_all_records_where", get_all_records_where),
    declare("role.get_record", get_record),
    declare("role.get_by_uuid", get_by_uuid),
    declare("role.get_by_name_label", get_by_name_label),
    declare("role.get_permissions", get_permissions),
    declare("role.get_permissions_name_label", get_permissions_name_label),
    declare("role.get_by_permission", get_by_permission),
    declare("role.get_by_permission_name_label", get_by_permission_name_label),
    *(declare(f"role.get_{name}", _get(name)) for name in CLASSES["role"].fields),
)
