"""Networks, interfaces of hosts and VLANs."""

import pytest
from datacentre_client import Rpc

MAIN = "Pool-wide network associated with eth0"


@pytest.fixture
async def pif(rpc: Rpc) -> str:
    """The management interface of the coordinator."""
    found: str = (await rpc.call("host.get_PIFs", await rpc.find("host", "xenserver1")))[0]
    return found


async def make_network(rpc: Rpc, name: str) -> str:
    made: str = await rpc.call("network.create", {"name_label": name, "other_config": {}})
    return made


async def test_a_network_gets_a_bridge_of_its_own_and_goes_when_empty(rpc: Rpc) -> None:
    one, two = await make_network(rpc, "one"), await make_network(rpc, "two")
    assert [await rpc.call("network.get_bridge", network) for network in (one, two)] == ["xapi0", "xapi1"]
    taken = {"name_label": "x", "other_config": {}, "bridge": "xapi0"}
    assert await rpc.fail("network.create", taken) == ["BRIDGE_NAME_EXISTS", "xapi0"]
    assert (await rpc.fail("network.create", {**taken, "bridge": "x" * 16}))[0] == "INVALID_VALUE"
    await rpc.call("network.destroy", one)
    main = await rpc.find("network", MAIN)
    vifs = await rpc.call("network.get_VIFs", main)
    assert await rpc.fail("network.destroy", main) == ["NETWORK_CONTAINS_VIF", *vifs]
    internal = await rpc.find("network", "Host internal management network")
    assert await rpc.fail("network.destroy", internal) == ["CANNOT_DESTROY_SYSTEM_NETWORK", internal]


async def test_a_pool_reads_disks_with_encryption_or_without(rpc: Rpc) -> None:
    one, two = await make_network(rpc, "one"), await make_network(rpc, "two")
    await rpc.call("network.add_purpose", one, "nbd")
    await rpc.call("network.add_purpose", one, "nbd")
    assert await rpc.call("network.get_purpose", one) == ["nbd"]
    refused = ["NETWORK_INCOMPATIBLE_PURPOSES", "insecure_nbd", "nbd"]
    assert await rpc.fail("network.add_purpose", two, "insecure_nbd") == refused
    await rpc.call("network.remove_purpose", one, "nbd")
    await rpc.call("network.add_purpose", two, "insecure_nbd")


async def test_a_vlan_is_an_interface_on_another_network(rpc: Rpc, pif: str) -> None:
    network = await make_network(rpc, "guests")
    vlan = await rpc.call("VLAN.create", pif, 40, network)
    record = await rpc.call("VLAN.get_record", vlan)
    untagged = record["untagged_PIF"]
    assert (record["tagged_PIF"], record["tag"]) == (pif, 40)
    assert await rpc.call("PIF.get_VLAN_slave_of", pif) == [vlan]
    assert await rpc.call("PIF.get_VLAN_master_of", untagged) == vlan
    assert await rpc.call("network.get_PIFs", network) == [untagged]
    other = await make_network(rpc, "others")
    refusals = [
        ([pif, 4095, other], ["VLAN_TAG_INVALID", "4095"]),
        ([pif, -1, other], ["VLAN_TAG_INVALID", "-1"]),
        ([untagged, 41, other], ["PIF_IS_VLAN", untagged]),
        ([pif, 40, other], ["PIF_VLAN_EXISTS", pif]),
        ([pif, 41, network], ["NETWORK_ALREADY_CONNECTED", network, untagged]),
    ]
    for params, expected in refusals:
        assert await rpc.fail("VLAN.create", *params) == expected
    await rpc.call("PIF.plug", untagged)
    assert await rpc.call("PIF.get_currently_attached", untagged) is True
    await rpc.call("PIF.unplug", untagged)
    await rpc.call("VLAN.destroy", vlan)
    assert await rpc.fail("PIF.get_record", untagged) == ["HANDLE_INVALID", "PIF", untagged]
    assert await rpc.call("PIF.get_VLAN_slave_of", pif) == []


async def test_a_pool_makes_a_vlan_on_every_host(rpc: Rpc, pif: str) -> None:
    network = await make_network(rpc, "guests")
    made = await rpc.call("pool.create_VLAN", "eth0", network, 7)
    hosts = {await rpc.call("PIF.get_host", untagged) for untagged in made}
    assert hosts == set(await rpc.call("host.get_all"))
    other = await make_network(rpc, "others")
    assert len(await rpc.call("pool.create_VLAN_from_PIF", pif, other, 8)) == len(made)
    assert await rpc.fail("pool.create_VLAN", "eth9", network, 7) == ["PIF_DEVICE_NOT_FOUND"]


async def test_the_management_interface_is_left_alone(rpc: Rpc, pif: str) -> None:
    for method, params in (
        ("PIF.unplug", []),
        ("PIF.forget", []),
        ("PIF.reconfigure_ip", ["None", "", "", "", ""]),
    ):
        assert await rpc.fail(method, pif, *params) == ["PIF_IS_MANAGEMENT_INTERFACE", pif], method
    other = ["Static", "192.0.2.9", "255.255.255.0", "", ""]
    assert (await rpc.fail("PIF.reconfigure_ip", pif, *other))[0] == "PIF_CONFIGURATION_ERROR"
    bad = ["Static", "here", "255.255.255.0", "", ""]
    assert await rpc.fail("PIF.reconfigure_ip", pif, *bad) == ["INVALID_IP_ADDRESS_SPECIFIED", "IP"]
    assert await rpc.fail("PIF.set_property", pif, "speed", "1") == ["INVALID_VALUE", "name", "speed"]
    await rpc.call("PIF.set_property", pif, "gro", "off")
    assert await rpc.call("PIF.get_properties", pif) == {"gro": "off"}


async def test_a_host_has_the_cards_it_has(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    assert await rpc.call("PIF.scan", host) == ""
    mac = "02:00:00:00:99:01"
    assert await rpc.fail("PIF.introduce", host, mac, "eth1") == ["MAC_DOES_NOT_EXIST", mac]
    assert await rpc.fail("PIF.introduce", host, "mac", "eth1") == ["MAC_INVALID", "mac"]
    assert await rpc.fail("PIF.introduce", host, mac, "eth0", True) == ["DUPLICATE_PIF_DEVICE_NAME", "eth0"]
