"""Makes the network cards of hosts: one by itself, or two as a bond that the host is reached over."""

from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import Value, past, stable_uuid
from bot.lab.xapi.world import WorldHost

_BOND: Final = "bond0"
_PARTS: Final = ("eth0", "eth1")


def add_interfaces(database: Database, ref: str, host: WorldHost, network: str, card: str) -> None:
    """Makes what joins a host to the network that all hosts are on; `card` is the PCI device."""
    uuid = stable_uuid("PIF", host.name)
    address: dict[str, Value] = {
        "management": True,
        "ip_configuration_mode": "Static",
        "IP": f"127.0.1.{host.number}",
        "netmask": "255.255.0.0",
    }
    if not host.bonded:
        _add_interface(database, ref, host, network, device="eth0", uuid=uuid, physical=True, PCI=card, **address)
        return
    master = _add_interface(database, ref, host, network, device=_BOND, uuid=uuid, **address)
    bond = database.create(
        "Bond",
        uuid=stable_uuid("Bond", host.name),
        master=master,
        properties={"hashing_algorithm": "src_mac"},
        links_up=len(_PARTS),
    )
    parts = [
        _add_interface(
            database,
            ref,
            host,
            _network_below(database, network, device),
            device=device,
            uuid=stable_uuid("PIF", host.name, device),
            physical=True,
            PCI=card,
            bond_slave_of=bond,
        )
        for device in _PARTS
    ]
    database.set("Bond", bond, primary_slave=parts[0])


def _add_interface(
    database: Database, ref: str, host: WorldHost, network: str, *, device: str, uuid: str, **fields: Value
) -> str:
    metrics = database.create(
        "PIF_metrics",
        carrier=True,
        speed=1000,
        duplex=True,
        vendor_name="Intel Corporation",
        device_name="I350 Gigabit Network Connection",
        pci_bus_path="0000:02:00.0",
        last_updated=past(),
    )
    # A bond has the address of its first part.
    number = 0 if device == _BOND else _PARTS.index(device)
    return database.create(
        "PIF",
        uuid=uuid,
        device=device,
        network=network,
        host=ref,
        MAC=f"02:00:00:{number:02x}:{host.number:02x}:00",
        MTU=1500,
        VLAN=-1,
        metrics=metrics,
        primary_address_type="IPv4",
        properties={"gro": "on"},
        **fields,
    )


def _network_below(database: Database, network: str, device: str) -> str:
    """The network of a card below a bond, one for all hosts of the pool; no guest can be on it."""
    uuid = stable_uuid("network", database.get("network", network, "uuid"), device)
    for ref, record in database.items("network"):
        if record["uuid"] == uuid:
            return ref
    return database.create(
        "network", uuid=uuid, name_label=f"Below {_BOND}: {device}", bridge=f"xapi-{device}", managed=True
    )
