"""Calls on hosts: whether guests may come, what memory is left, settings that are more than a field."""

import re
from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.evacuation import assert_can_evacuate, evacuate, get_vms_which_prevent_evacuation
from bot.lab.xapi.rules.ha import assert_plan_survives, refresh_plan
from bot.lab.xapi.rules.host_operations import refresh_allowed_host, wait_for_host
from bot.lab.xapi.rules.memory import compute_free
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.toolstack import find_bar
from bot.lab.xapi.values import Date, Value, shifted

_POWER_ON_MODES: Final = re.compile(r"|wake-on-lan|iLO|DRAC|IPMI|[\w.-]+", re.ASCII)
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", re.ASCII)


async def compute_free_memory(context: Context, host: str) -> int:
    """Returns the bytes that XAPI counts as free; not `host_metrics.memory_free`."""
    return compute_free(context.pool.database, host)


async def compute_memory_overhead(context: Context, host: str) -> int:
    """Returns the bytes that Xen itself needs on a host."""
    overhead: int = context.pool.database.get("host", host, "memory_overhead")
    return overhead


async def get_servertime(context: Context, host: str) -> Date:
    """Returns the clock of a host; every simulated host is in UTC, so its local time is the same."""
    await forward(context, host)
    machine = context.pool.machines.get(host)
    return shifted(context.pool.clock.now(), machine.clock_ahead_s if machine is not None else 0.0)


async def disable(context: Context, host: str, auto_enable: bool = True) -> str:  # noqa: FBT001, FBT002  as on the wire
    """Lets no more guests start on a host or migrate to it; those that run there stay."""
    await forward(context, host)
    await wait_for_host(context, host, "disable")
    if context.pool.database.get("host", host, "enabled"):
        assert_plan_survives(context.pool, without=host)
    context.pool.machines[host].enables_itself = auto_enable
    context.pool.database.set("host", host, enabled=False)
    refresh_plan(context.pool)
    refresh_allowed_host(context.pool, host)
    return ""


async def enable(context: Context, host: str) -> str:
    """Lets guests start on a host again.

    Raises:
        ApiError: `HOST_DISABLED_UNTIL_REBOOT` for one that goes down, `HOST_DISABLED_INDEFINITELY` for one that lacks
            shared storage while high availability is on.
    """
    await forward(context, host)
    await wait_for_host(context, host, "enable")
    machine = context.pool.machines[host]
    bar = find_bar(context.pool, machine)
    if bar and not context.pool.database.get("host", host, "enabled"):
        raise ApiError(bar, host)
    machine.enables_itself = True
    context.pool.database.set("host", host, enabled=True)
    refresh_plan(context.pool)
    refresh_allowed_host(context.pool, host)
    return ""


async def get_uncooperative_resident_vms(context: Context, host: str) -> Value:
    """Returns the guests that do not balloon as they should; every simulated guest does."""
    context.pool.database.record("host", host)
    return []


async def get_management_interface(context: Context, host: str) -> str:
    """Returns the interface that a host is managed through."""
    for pif in context.pool.database.get("host", host, "PIFs"):
        if context.pool.database.get("PIF", pif, "management"):
            return str(pif)
    raise ApiError("HOST_HAS_NO_MANAGEMENT_IP")


async def set_hostname_live(context: Context, host: str, hostname: str) -> str:
    """Gives a host another name in its network."""
    await forward(context, host)
    if not _HOSTNAME.fullmatch(hostname):
        raise ApiError("HOST_NAME_INVALID", "hostname contains invalid characters")
    context.pool.database.set("host", host, hostname=hostname)
    return ""


async def set_power_on_mode(context: Context, host: str, mode: str, config: dict[str, str]) -> str:
    """Says how `host.power_on` reaches a host; the empty mode is none."""
    if not _POWER_ON_MODES.fullmatch(mode):
        raise ApiError("INVALID_VALUE", "power_on_mode", mode)
    context.pool.database.set("host", host, power_on_mode=mode, power_on_config=config)
    refresh_allowed_host(context.pool, host)
    return ""


async def set_iscsi_iqn(context: Context, host: str, value: str) -> str:
    """Sets the name of a host as an iSCSI initiator."""
    return await _set_with_other_config(context, host, "iscsi_iqn", value, value)


async def set_multipathing(context: Context, host: str, value: bool) -> str:  # noqa: FBT001  as on the wire
    """Switches multipathing of a host."""
    return await _set_with_other_config(context, host, "multipathing", value, str(value).lower())


async def _set_with_other_config(context: Context, host: str, name: str, value: Value, text: str) -> str:
    """Sets a field that older clients read from `other_config`, where a real server keeps a copy."""
    await forward(context, host)
    other: dict[str, str] = context.pool.database.get("host", host, "other_config")
    context.pool.database.set("host", host, **{name: value}, other_config={**other, name: text})
    return ""


async def call_plugin(context: Context, host: str, plugin: str, _function: str, _args: dict[str, str]) -> str:
    """Runs a plugin of the host; simulated hosts have none installed."""
    await forward(context, host)
    raise ApiError("XENAPI_MISSING_PLUGIN", plugin)


async def has_extension(context: Context, host: str, _name: str) -> bool:
    """Tells whether an extension is installed; simulated hosts have none."""
    await forward(context, host)
    return False


async def get_sched_gran(context: Context, host: str) -> str:
    """Returns how Xen schedules virtual CPUs on a host."""
    await forward(context, host)
    return context.pool.machines[host].sched_gran


async def set_sched_gran(context: Context, host: str, value: str) -> str:
    """Says how Xen schedules virtual CPUs on a host."""
    await forward(context, host)
    context.pool.machines[host].sched_gran = value
    return ""


async def clear_mandatory_guidance(context: Context) -> str:
    """Forgets what the addressed host was told to do after an update."""
    context.pool.database.set("host", context.machine.ref, pending_guidances=[])
    return ""


def _verify_tls(*, on: bool) -> Handler:
    async def switch(context: Context) -> str:
        context.pool.database.set("host", context.machine.ref, tls_verification_enabled=on)
        return ""

    return switch


async def retrieve_wlb_evacuate_recommendations(context: Context, host: str) -> Value:
    """Refuses: no simulated pool is connected to a workload balancer."""
    context.pool.database.record("host", host)
    raise ApiError("WLB_NOT_INITIALIZED")


def _set_plain(name: str) -> Handler:
    async def set_field(context: Context, host: str, value: Value) -> str:
        await forward(context, host)
        context.pool.database.set("host", host, **{name: value})
        return ""

    return set_field


CALLS: Final[tuple[Call, ...]] = (
    declare("host.compute_free_memory", compute_free_memory),
    declare("host.compute_memory_overhead", compute_memory_overhead),
    declare("host.get_servertime", get_servertime),
    declare("host.get_server_localtime", get_servertime),
    declare("host.disable", disable),
    declare("host.enable", enable),
    declare("host.evacuate", evacuate),
    declare("host.get_vms_which_prevent_evacuation", get_vms_which_prevent_evacuation),
    declare("host.assert_can_evacuate", assert_can_evacuate),
    declare("host.get_uncooperative_resident_VMs", get_uncooperative_resident_vms),
    declare("host.retrieve_wlb_evacuate_recommendations", retrieve_wlb_evacuate_recommendations),
    declare("host.get_management_interface", get_management_interface),
    declare("host.set_hostname_live", set_hostname_live),
    declare("host.set_power_on_mode", set_power_on_mode),
    declare("host.set_iscsi_iqn", set_iscsi_iqn),
    declare("host.set_multipathing", set_multipathing),
    declare("host.set_ssl_legacy", _set_plain("ssl_legacy")),
    declare("host.set_https_only", _set_plain("https_only")),
    declare("host.get_sched_gran", get_sched_gran),
    declare("host.set_sched_gran", set_sched_gran),
    declare("host.emergency_clear_mandatory_guidance", clear_mandatory_guidance),
    declare("host.emergency_disable_tls_verification", _verify_tls(on=False)),
    declare("host.emergency_reenable_tls_verification", _verify_tls(on=True)),
    declare("host.call_plugin", call_plugin),
    declare("host.has_extension", has_extension),
)
