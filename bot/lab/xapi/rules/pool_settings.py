"""Calls that change what a pool or host is set to, and those that have nothing to do on a simulated one."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.values import NULL_REF, Value

_SCHEMES: Final = ("http://", "https://")
_CACHING: Final = frozenset({"ext", "nfs"})
_SHOWN_LATER: Final = {"enabled": "disable_on_reboot", "disabled": "enable_on_reboot"}


async def set_https_only(context: Context, self: str, value: bool) -> str:  # noqa: FBT001  as on the wire
    """Says of every host whether it serves over TLS alone."""
    context.pool.database.row("pool", self)
    for host in context.pool.database.refs("host"):
        context.pool.database.set("host", host, https_only=value)
    return ""


async def enable_client_certificates(context: Context, self: str, name: str) -> str:
    """Lets clients in that show a certificate of that name."""
    context.pool.database.set("pool", self, client_certificate_auth_enabled=True, client_certificate_auth_name=name)
    return ""


async def disable_client_certificates(context: Context, self: str) -> str:
    """Lets no client in by its certificate."""
    context.pool.database.set("pool", self, client_certificate_auth_enabled=False, client_certificate_auth_name="")
    return ""


async def add_repository(context: Context, self: str, value: str) -> str:
    """Adds a repository to those the pool uses."""
    database = context.pool.database
    database.row("pool", self)
    database.row("Repository", value)
    used = database.get("pool", self, "repositories")
    if value not in used:
        database.set("pool", self, repositories=[*used, value])
    return ""


async def remove_repository(context: Context, self: str, value: str) -> str:
    """Takes a repository from those the pool uses."""
    used = context.pool.database.get("pool", self, "repositories")
    context.pool.database.set("pool", self, repositories=[other for other in used if other != value])
    return ""


async def configure_proxy(context: Context, self: str, url: str, username: str, password: str) -> str:
    """Says through which proxy repositories are read; its password becomes a secret."""
    database = context.pool.database
    database.row("pool", self)
    if not url.startswith(_SCHEMES):
        raise ApiError("INVALID_REPOSITORY_PROXY_URL", url)
    if bool(username) != bool(password):
        raise ApiError("INVALID_REPOSITORY_PROXY_CREDENTIAL")
    _forget_proxy_password(context, self)
    secret = database.create("secret", value=password) if password else NULL_REF
    database.set(
        "pool",
        self,
        repository_proxy_url=url,
        repository_proxy_username=username,
        repository_proxy_password=secret,
    )
    return ""


async def disable_proxy(context: Context, self: str) -> str:
    """Lets repositories be read directly."""
    _forget_proxy_password(context, self)
    context.pool.database.set("pool", self, repository_proxy_url="", repository_proxy_username="")
    return ""


def _forget_proxy_password(context: Context, pool: str) -> None:
    database = context.pool.database
    old = database.get("pool", pool, "repository_proxy_password")
    database.set("pool", pool, repository_proxy_password=NULL_REF)
    if database.has("secret", old):
        database.delete("secret", old)


async def check_update_readiness(context: Context, self: str, requires_reboot: bool) -> Value:  # noqa: FBT001  as on the wire
    """Returns for each host what stands against updating it: nothing, but for guests that cannot leave."""
    del requires_reboot
    context.pool.database.row("pool", self)
    return {host: [] for host in context.pool.database.refs("host")}


async def reconfigure_management(context: Context, network: str) -> str:
    """Moves the management of every host to a network; only where it is already it can be in the lab."""
    database = context.pool.database
    database.row("network", network)
    for host in database.refs("host"):
        pifs = [pif for pif in database.get("host", host, "PIFs") if database.get("PIF", pif, "network") == network]
        if not pifs:
            raise ApiError("PIF_NOT_PRESENT", host, network)
        await reconfigure_host_management(context, pifs[0])
    return ""


async def reconfigure_host_management(context: Context, pif: str) -> str:
    """Moves the management of a host to an interface, which must have an address."""
    record = context.pool.database.record("PIF", pif)
    if record["ip_configuration_mode"] == "None":
        raise ApiError("PIF_HAS_NO_NETWORK_CONFIGURATION", pif)
    if not record["management"]:
        raise ApiError("PIF_CONFIGURATION_ERROR", pif, "The address of a simulated host cannot change.")
    return ""


def _cache_on_all(*, on: bool) -> Handler:
    async def cache(context: Context, self: str) -> str:
        context.pool.database.row("pool", self)
        for host, record in list(context.pool.database.items("host")):
            local = [storage for storage in _list_local(context, record) if on]
            _set_cache(context, host, local[0] if local else NULL_REF)
        return ""

    return cache


def _list_local(context: Context, host: dict[str, Value]) -> list[str]:
    database = context.pool.database
    found = [database.get("PBD", pbd, "SR") for pbd in host["PBDs"]]
    return [storage for storage in found if not database.get("SR", storage, "shared")]


async def enable_cache(context: Context, host: str, storage: str) -> str:
    """Lets a host keep copies of images on a storage repository of its own."""
    owner = context.pool.database.record("host", host)
    record = context.pool.database.record("SR", storage)
    if record["type"] not in _CACHING or storage not in _list_local(context, owner):
        raise ApiError("SR_OPERATION_NOT_SUPPORTED", storage)
    _set_cache(context, host, storage)
    return ""


async def disable_cache(context: Context, host: str) -> str:
    """Lets a host keep no copies."""
    _set_cache(context, host, NULL_REF)
    return ""


def _set_cache(context: Context, host: str, storage: str) -> None:
    database = context.pool.database
    old = database.get("host", host, "local_cache_sr")
    for ref, enabled in ((old, False), (storage, True)):
        if database.has("SR", ref):
            database.set("SR", ref, local_cache_enabled=enabled)
    database.set("host", host, local_cache_sr=storage)


def _show_display(*, shown: bool) -> Handler:
    async def show(context: Context, host: str) -> str:
        now: str = context.pool.database.get("host", host, "display")
        wanted = "enabled" if shown else "disabled"
        settled = {"enable_on_reboot": "disabled", "disable_on_reboot": "enabled"}.get(now, now)
        display = wanted if settled == wanted else _SHOWN_LATER[settled]
        context.pool.database.set("host", host, display=display)
        return display

    return show


def _on(class_name: str, value: Value) -> Handler:
    """Returns the function of a message to an object that has nothing to do in the lab but to be there."""

    async def answer(context: Context, self: str, *_arguments: Value) -> Value:
        context.pool.database.row(class_name, self)
        return value

    return answer


async def nothing(_context: Context, *_arguments: Value) -> str:
    """Does what is done already."""
    return ""


async def list_nothing(_context: Context) -> Value:
    """Returns what a pool without external authentication, certificates and revocations of its own has of them."""
    return []


CALLS: Final[tuple[Call, ...]] = (
    declare("pool.set_https_only", set_https_only),
    declare("pool.enable_client_certificate_auth", enable_client_certificates),
    declare("pool.disable_client_certificate_auth", disable_client_certificates),
    declare("pool.add_repository", add_repository),
    declare("pool.remove_repository", remove_repository),
    declare("pool.configure_repository_proxy", configure_proxy),
    declare("pool.disable_repository_proxy", disable_proxy),
    declare("pool.check_update_readiness", check_update_readiness),
    declare("pool.management_reconfigure", reconfigure_management),
    declare("pool.enable_local_storage_caching", _cache_on_all(on=True)),
    declare("pool.disable_local_storage_caching", _cache_on_all(on=False)),
    declare("host.management_reconfigure", reconfigure_host_management),
    declare("host.enable_local_storage_caching", enable_cache),
    declare("host.disable_local_storage_caching", disable_cache),
    declare("host.enable_display", _show_display(shown=True)),
    declare("host.disable_display", _show_display(shown=False)),
    declare("pool.has_extension", _on("pool", value=False)),
    declare("pool.detect_nonhomogeneous_external_auth", _on("pool", "")),
    declare("pool.disable_external_auth", _on("pool", "")),
    declare("pool.enable_tls_verification", nothing),
    declare("pool.disable_redo_log", nothing),
    declare("pool.certificate_sync", nothing),
    declare("pool.certificate_list", list_nothing),
    declare("pool.crl_list", list_nothing),
    declare("host.disable_external_auth", _on("host", "")),
    declare("host.license_remove", _on("host", "")),
    declare("host.sync_data", _on("host", "")),
    declare("host.syslog_reconfigure", _on("host", "")),
    declare("host.send_debug_keys", _on("host", "")),
    declare("host.backup_rrds", _on("host", "")),
    declare("host.dmesg", _on("host", "")),
    declare("host.dmesg_clear", _on("host", "")),
    declare("host.get_log", _on("host", "")),
    declare("session.get_all_subject_identifiers", list_nothing),
    declare("session.logout_subject_identifier", nothing),
)
