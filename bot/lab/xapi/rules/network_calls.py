"""Calls on networks, on the interfaces of hosts and on VLANs: records and their rules; no frame is ever sent."""

import ipaddress
import re
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.values import NULL_REF, Value

_BRIDGE_LENGTH: Final = 15  # what the name of an interface may have in Linux
_TAGS: Final = range(4095)
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_CONFLICTING: Final = {"nbd": "insecure_nbd", "insecure_nbd": "nbd"}
_INTRODUCED: Final = (
    "device",
    "network",
    "host",
    "MAC",
    "MTU",
    "VLAN",
    "physical",
    "ip_configuration_mode",
    "IP",
    "netmask",
    "gateway",
    "DNS",
    "bond_slave_of",
    "VLAN_master_of",
    "management",
    "other_config",
    "disallow_unplug",
    "ipv6_configuration_mode",
    "IPv6",
    "ipv6_gateway",
    "primary_address_type",
    "managed",
    "properties",
)


async def create_network(context: Context, values: dict[str, Value]) -> str:
    """Makes a network within each host; it reaches further once an interface is on it."""
    database = context.pool.database
    taken = {record["bridge"] for _, record in database.items("network")}
    bridge = values["bridge"] or find_bridge(database)
    if len(bridge) > _BRIDGE_LENGTH:
        raise ApiError("INVALID_VALUE", "bridge", bridge)
    if bridge in taken:
        raise ApiError("BRIDGE_NAME_EXISTS", bridge)
    return database.create("network", **{**values, "bridge": bridge})


def find_bridge(database: Database) -> str:
    """Returns the name of a bridge that no network has yet."""
    taken = {record["bridge"] for _, record in database.items("network")}
    return next(name for name in map("xapi{}".format, range(10_000)) if name not in taken)


async def destroy_network(context: Context, self: str) -> str:
    """Removes a network that nothing is on."""
    record = context.pool.database.record("network", self)
    if record["other_config"].get("is_host_internal_management_network") == "true":
        raise ApiError("CANNOT_DESTROY_SYSTEM_NETWORK", self)
    if record["VIFs"]:
        raise ApiError("NETWORK_CONTAINS_VIF", *record["VIFs"])
    if record["PIFs"]:
        raise ApiError("NETWORK_CONTAINS_PIF", *record["PIFs"])
    context.pool.database.delete("network", self)
    return ""


async def add_purpose(context: Context, self: str, purpose: str) -> str:
    """Lets disks be read over a network; a pool does that with encryption or without, never both."""
    database = context.pool.database
    purposes = database.get("network", self, "purpose")
    conflicting = _CONFLICTING[purpose]
    if any(conflicting in record["purpose"] for _, record in database.items("network")):
        raise ApiError("NETWORK_INCOMPATIBLE_PURPOSES", purpose, conflicting)
    if purpose not in purposes:
        database.set("network", self, purpose=[*purposes, purpose])
    return ""


async def remove_purpose(context: Context, self: str, purpose: str) -> str:
    """Takes a purpose from a network, if it has it."""
    purposes = context.pool.database.get("network", self, "purpose")
    context.pool.database.set("network", self, purpose=[other for other in purposes if other != purpose])
    return ""


async def plug(context: Context, self: str) -> str:
    """Brings an interface up; one that is up stays so."""
    context.pool.database.set("PIF", self, currently_attached=True)
    return ""


async def unplug(context: Context, self: str) -> str:
    """Takes an interface down, unless the pool needs it."""
    record = context.pool.database.record("PIF", self)
    _check_not_management(record, self)
    if record["disallow_unplug"]:
        raise ApiError("PIF_DOES_NOT_ALLOW_UNPLUG", self)
    context.pool.database.set("PIF", self, currently_attached=False)
    return ""


async def scan(context: Context, host: str) -> str:
    """Looks for new interfaces of a host; a simulated one has none."""
    context.pool.database.row("host", host)
    return ""


async def introduce(context: Context, host: str, mac: str, device: str, managed: bool = True) -> str:  # noqa: FBT001, FBT002  as on the wire
    """Refuses: every interface that a simulated host has is known already."""
    del managed
    database = context.pool.database
    database.row("host", host)
    if not _MAC.fullmatch(mac):
        raise ApiError("MAC_INVALID", mac)
    for pif in database.get("host", host, "PIFs"):
        record = database.record("PIF", pif)
        if record["physical"] and record["device"] == device:
            raise ApiError("DUPLICATE_PIF_DEVICE_NAME", device)
    raise ApiError("MAC_DOES_NOT_EXIST", mac)


async def forget(context: Context, self: str) -> str:
    """Removes the record of a card that was taken out."""
    record = context.pool.database.record("PIF", self)
    if not record["physical"]:
        raise ApiError("PIF_IS_NOT_PHYSICAL", self)
    if record["VLAN_slave_of"]:
        raise ApiError("PIF_VLAN_STILL_EXISTS", self)
    _check_not_management(record, self)
    _remove_interface(context.pool.database, self)
    return ""


async def introduce_in_database(context: Context, *values: Value) -> str:
    """Makes the record of an interface as it is told, as recovering a database does."""
    database = context.pool.database
    told = dict(zip(_INTRODUCED, values, strict=False))
    for name in ("network", "host"):
        database.row(name, told[name])
    return database.create("PIF", **told, currently_attached=False)


async def forget_in_database(context: Context, self: str) -> str:
    """Removes the record of an interface, whatever it is for."""
    _remove_interface(context.pool.database, self)
    return ""


async def reconfigure_ip(context: Context, self: str, mode: str, *values: str) -> str:
    """Gives an interface another address; that of the management interface is where the lab's host listens."""
    named = dict(zip(("IP", "netmask", "gateway", "DNS"), values, strict=True))
    record = context.pool.database.record("PIF", self)
    if mode == "None":
        _check_not_management(record, self)
    if mode == "Static":
        _check_addresses(named, required=("IP", "netmask"))
    if record["management"] and (mode != "Static" or named["IP"] != record["IP"]):
        raise ApiError("PIF_CONFIGURATION_ERROR", self, "The address of a simulated host cannot change.")
    context.pool.database.set("PIF", self, ip_configuration_mode=mode, **named)
    return ""


async def reconfigure_ipv6(context: Context, self: str, mode: str, address: str, gateway: str, dns: str) -> str:
    """Gives an interface another IPv6 address."""
    if mode == "Static":
        try:
            ipaddress.IPv6Interface(address)
        except ValueError:
            raise ApiError("INVALID_IP_ADDRESS_SPECIFIED", "IPv6") from None
    listed = [address] if address else []
    context.pool.database.set("PIF", self, ipv6_configuration_mode=mode, IPv6=listed, ipv6_gateway=gateway, DNS=dns)
    return ""


async def set_primary_address_type(context: Context, self: str, kind: str) -> str:
    """Says by which kind of address an interface is meant; it must have one."""
    record = context.pool.database.record("PIF", self)
    if record["management"] and kind != record["primary_address_type"]:
        raise ApiError("PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE", self)
    context.pool.database.set("PIF", self, primary_address_type=kind)
    return ""


async def set_property(context: Context, self: str, name: str, value: str) -> str:
    """Sets a property of an interface: whether the card joins what it receives is the only one."""
    properties = context.pool.database.get("PIF", self, "properties")
    if name != "gro":
        raise ApiError("INVALID_VALUE", "name", name)
    if value not in {"on", "off"}:
        raise ApiError("INVALID_VALUE", "value", value)
    context.pool.database.set("PIF", self, properties={**properties, name: value})
    return ""


async def create_vlan(context: Context, tagged: str, tag: int, network: str) -> str:
    """Makes a VLAN of an interface, and an interface on another network for it."""
    database = context.pool.database
    record = database.record("PIF", tagged)
    database.row("network", network)
    if tag not in _TAGS:
        raise ApiError("VLAN_TAG_INVALID", str(tag))
    if record["VLAN"] >= 0:
        raise ApiError("PIF_IS_VLAN", tagged)
    for vlan in record["VLAN_slave_of"]:
        if database.get("VLAN", vlan, "tag") == tag:
            raise ApiError("PIF_VLAN_EXISTS", tagged)
    for pif in database.get("network", network, "PIFs"):
        if database.get("PIF", pif, "host") == record["host"]:
            raise ApiError("NETWORK_ALREADY_CONNECTED", network, pif)
    untagged = database.create(
        "PIF",
        device=record["device"],
        network=network,
        host=record["host"],
        MAC=record["MAC"],
        MTU=database.get("network", network, "MTU"),
        VLAN=tag,
        metrics=database.create("PIF_metrics", carrier=True),
        currently_attached=False,
    )
    vlan = database.create("VLAN", tagged_PIF=tagged, untagged_PIF=untagged, tag=tag)
    database.set("PIF", untagged, VLAN_master_of=vlan)
    return vlan


async def destroy_vlan(context: Context, self: str) -> str:
    """Removes a VLAN with its interface."""
    database = context.pool.database
    untagged = database.get("VLAN", self, "untagged_PIF")
    _check_not_management(database.record("PIF", untagged), untagged)
    database.delete("VLAN", self)
    _remove_interface(database, untagged)
    return ""


async def create_vlans(context: Context, device: str, network: str, tag: int) -> list[str]:
    """Makes a VLAN of an interface on every host; returns the interfaces made for it."""
    database = context.pool.database
    found = [pif for pif, record in list(database.items("PIF")) if record["device"] == device and record["physical"]]
    if not found:
        raise ApiError("PIF_DEVICE_NOT_FOUND")
    vlans = [await create_vlan(context, pif, tag, network) for pif in found]
    return [database.get("VLAN", vlan, "untagged_PIF") for vlan in vlans]


async def create_vlans_from_interface(context: Context, pif: str, network: str, tag: int) -> list[str]:
    """Makes a VLAN of the interface on every host that is on the same network as this one."""
    return await create_vlans(context, context.pool.database.get("PIF", pif, "device"), network, tag)


def _check_not_management(record: dict[str, Value], pif: str) -> None:
    if record["management"]:
        raise ApiError("PIF_IS_MANAGEMENT_INTERFACE", pif)


def _check_addresses(named: dict[str, str], *, required: tuple[str, ...]) -> None:
    for name, text in named.items():
        for part in text.split(",") if text or name in required else []:
            try:
                ipaddress.IPv4Address(part)
            except ValueError:
                raise ApiError("INVALID_IP_ADDRESS_SPECIFIED", name) from None


def _remove_interface(database: Database, pif: str) -> None:
    metrics = database.get("PIF", pif, "metrics")
    database.delete("PIF", pif)
    if metrics != NULL_REF and database.has("PIF_metrics", metrics):
        database.delete("PIF_metrics", metrics)


CALLS: Final[tuple[Call, ...]] = (
    declare("network.create", create_network),
    declare("network.destroy", destroy_network),
    declare("network.add_purpose", add_purpose),
    declare("network.remove_purpose", remove_purpose),
    declare("PIF.plug", plug),
    declare("PIF.unplug", unplug),
    declare("PIF.scan", scan),
    declare("PIF.introduce", introduce),
    declare("PIF.forget", forget),
    declare("PIF.db_introduce", introduce_in_database),
    declare("PIF.db_forget", forget_in_database),
    declare("PIF.reconfigure_ip", reconfigure_ip),
    declare("PIF.reconfigure_ipv6", reconfigure_ipv6),
    declare("PIF.set_primary_address_type", set_primary_address_type),
    declare("PIF.set_property", set_property),
    declare("VLAN.create", create_vlan),
    declare("VLAN.destroy", destroy_vlan),
    declare("pool.create_VLAN", create_vlans),
    declare("pool.create_VLAN_from_PIF", create_vlans_from_interface),
)
