"""Objects that are nothing but their records: made, told and removed without any work behind them.

A constructor has got every field it takes, typed; here stand the few things a real server checks besides.
"""

from collections.abc import Mapping
from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.roles import find_ref, find_role, list_permissions
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.values import NULL_REF, Value

# Class, then the list of others that must be empty before it goes, and the error that says so.
_HELD_BY: Final[Mapping[str, tuple[str, str]]] = {"VMSS": ("VMs", "VMSS_HAS_VM")}
_WITH_BLOBS: Final = ("VM", "host", "network", "pool", "SR")
# Repositories are reached by these.
_SCHEMES: Final = ("http://", "https://")


def _create(class_name: str) -> Handler:
    fields = CLASSES[class_name].fields

    async def create(context: Context, values: dict[str, Value]) -> str:
        for name, value in values.items():
            if fields[name].type.kind == "ref" and value != NULL_REF:
                context.pool.database.row(fields[name].type.name, value)
        return context.pool.database.create(class_name, **values)

    return create


def _destroy(class_name: str) -> Handler:
    async def destroy(context: Context, self: str) -> str:
        record = context.pool.database.record(class_name, self)
        if class_name in _HELD_BY:
            held, error = _HELD_BY[class_name]
            if record[held]:
                raise ApiError(error)
        context.pool.database.delete(class_name, self)
        return ""

    return destroy


async def destroy_appliance(context: Context, self: str) -> str:
    """Dissolves a group of guests; they stay."""
    for vm in list(context.pool.database.get("VM_appliance", self, "VMs")):
        context.pool.database.set("VM", vm, appliance=NULL_REF)
    context.pool.database.delete("VM_appliance", self)
    return ""


async def destroy_blob(context: Context, self: str) -> str:
    """Removes a blob, and its name from the object it was made for."""
    database = context.pool.database
    database.row("blob", self)
    for class_name in _WITH_BLOBS:
        for ref, record in database.items(class_name):
            if self in record["blobs"].values():
                kept = {name: blob for name, blob in record["blobs"].items() if blob != self}
                database.set(class_name, ref, blobs=kept)
    database.delete("blob", self)
    return ""


def _create_blob(class_name: str) -> Handler:
    async def create_new_blob(context: Context, self: str, name: str, mime_type: str, public: bool = False) -> str:  # noqa: FBT001, FBT002  as on the wire
        database = context.pool.database
        blobs = database.get(class_name, self, "blobs")
        if name in blobs:
            raise ApiError("MAP_DUPLICATE_KEY", class_name, "blobs", self, name)
        blob = await create_blob(context, mime_type, public)
        database.set(class_name, self, blobs={**blobs, name: blob})
        return blob

    return create_new_blob


async def create_blob(context: Context, mime_type: str, public: bool = False) -> str:  # noqa: FBT001, FBT002  as on the wire
    """Makes an empty blob; without a type it holds octets."""
    return context.pool.database.create(
        "blob", mime_type=mime_type or "application/octet-stream", public=public, last_updated=context.pool.clock.now()
    )


async def create_subject(context: Context, values: dict[str, Value]) -> str:
    """Makes a subject, with full access until its roles are changed."""
    known = [record["subject_identifier"] for _, record in context.pool.database.items("subject")]
    if values["subject_identifier"] in known:
        raise ApiError("SUBJECT_ALREADY_EXISTS")
    return context.pool.database.create("subject", **values, roles=[find_ref("pool-admin")])


async def add_to_roles(context: Context, self: str, role: str) -> str:
    """Gives a subject a role."""
    roles = context.pool.database.get("subject", self, "roles")
    try:
        find_role(role)
    except ApiError:
        raise ApiError("ROLE_NOT_FOUND") from None
    if role in roles:
        raise ApiError("ROLE_ALREADY_EXISTS")
    context.pool.database.set("subject", self, roles=[*roles, role])
    return ""


async def remove_from_roles(context: Context, self: str, role: str) -> str:
    """Takes a role from a subject."""
    roles = context.pool.database.get("subject", self, "roles")
    if role not in roles:
        raise ApiError("ROLE_NOT_FOUND")
    context.pool.database.set("subject", self, roles=[other for other in roles if other != role])
    return ""


async def get_permissions_name_label(context: Context, self: str) -> Value:
    """Returns the names of the permissions that the roles of a subject give."""
    roles = context.pool.database.get("subject", self, "roles")
    return sorted({find_role(permission)["name_label"] for role in roles for permission in list_permissions(role)})


def _create_group(class_name: str) -> Handler:
    async def create(
        context: Context, name_label: str = "", name_description: str = "", other_config: Value = None
    ) -> str:
        return context.pool.database.create(
            class_name, name_label=name_label, name_description=name_description, other_config=other_config or {}
        )

    return create


async def introduce_controller(context: Context, protocol: str = "ssl", address: str = "", port: int = 0) -> str:
    """Notes a controller of virtual switches; 6632 is its port unless another is told."""
    return context.pool.database.create(
        "SDN_controller", protocol=protocol, address=address, port=port or (6632 if protocol == "ssl" else 0)
    )


async def introduce_repository(
    context: Context,
    name_label: str,
    name_description: str,
    binary_url: str,
    source_url: str,
    update: bool,  # noqa: FBT001  as on the wire
    gpgkey_path: str = "",
) -> str:
    """Notes a repository of updates."""
    for url in (binary_url, source_url):
        if url and not url.startswith(_SCHEMES):
            raise ApiError("INVALID_BASE_URL", url)
    for ref, record in context.pool.database.items("Repository"):
        if record["binary_url"] == binary_url or record["name_label"] == name_label:
            raise ApiError("REPOSITORY_ALREADY_EXISTS", ref)
    return context.pool.database.create(
        "Repository",
        name_label=name_label,
        name_description=name_description,
        binary_url=binary_url,
        source_url=source_url,
        update=update,
        gpgkey_path=gpgkey_path,
    )


async def forget_repository(context: Context, self: str) -> str:
    """Forgets a repository that the pool does not use."""
    context.pool.database.row("Repository", self)
    if self in context.pool.database.get("pool", context.pool.ref, "repositories"):
        raise ApiError("REPOSITORY_IS_IN_USE")
    context.pool.database.delete("Repository", self)
    return ""


async def set_repositories(context: Context, self: str, repositories: list[str]) -> str:
    """Says which repositories the pool uses."""
    for repository in repositories:
        context.pool.database.row("Repository", repository)
    context.pool.database.set("pool", self, repositories=repositories)
    return ""


async def reset_telemetry_uuid(context: Context, self: str) -> str:
    """Gives the pool another secret name for its reports."""
    database = context.pool.database
    old = database.get("pool", self, "telemetry_uuid")
    database.set("pool", self, telemetry_uuid=database.create("secret", value="telemetry"))
    if database.has("secret", old):
        database.delete("secret", old)
    return ""


async def scan_usb(context: Context, host: str) -> str:
    """Looks for USB devices of a host; a simulated one has none."""
    context.pool.database.row("host", host)
    return ""


async def get_boot_record(context: Context, self: str) -> Value:
    """Returns the guest as it is configured; the message is kept for old clients."""
    return context.pool.database.row("VM", self)


async def get_cooperative(context: Context, self: str) -> bool:
    """Tells that the guest obeys its balloon driver; the message is kept for old clients."""
    context.pool.database.row("VM", self)
    return True


_MADE: Final = ("secret", "console", "user", "VMSS", "Observer")
CALLS: Final[tuple[Call, ...]] = (
    *(declare(f"{name}.create", _create(name)) for name in _MADE),
    *(declare(f"{name}.destroy", _destroy(name)) for name in (*_MADE, "subject", "GPU_group", "USB_group")),
    *(declare(f"{name}.create", _create_group(name)) for name in ("GPU_group", "USB_group")),
    *(declare(f"{name}.create_new_blob", _create_blob(name)) for name in _WITH_BLOBS),
    declare("blob.create", create_blob),
    declare("blob.destroy", destroy_blob),
    declare("VM_appliance.create", _create("VM_appliance")),
    declare("VM_appliance.destroy", destroy_appliance),
    declare("subject.create", create_subject),
    declare("subject.add_to_roles", add_to_roles),
    declare("subject.remove_from_roles", remove_from_roles),
    declare("subject.get_permissions_name_label", get_permissions_name_label),
    declare("SDN_controller.introduce", introduce_controller),
    declare("SDN_controller.forget", _destroy("SDN_controller")),
    declare("Repository.introduce", introduce_repository),
    declare("Repository.forget", forget_repository),
    declare("pool.set_repositories", set_repositories),
    declare("pool.reset_telemetry_uuid", reset_telemetry_uuid),
    declare("VM.get_boot_record", get_boot_record),
    declare("VM.get_cooperative", get_cooperative),
    declare("PUSB.scan", scan_usb),
)
