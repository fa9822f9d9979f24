"""Devices that guests need of a host and that no call to the lab can make: graphics, bonds, virtual functions."""

import pytest

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.loading import load_world
from bot.lab.xapi.population import Populated, populate
from bot.lab.xapi.rules.boot_devices import check_devices, check_networks


@pytest.fixture
def pool() -> Populated:
    return populate(load_world("article"))[0]


def give_graphics(database: Database, vm: str, group: str, kind: str) -> None:
    vgpu = database.create("VGPU", VM=vm, GPU_group=group, type=kind)
    database.set("VM", vm, VGPUs=[*database.get("VM", vm, "VGPUs"), vgpu])


def refuse(database: Database, vm: str, host: str) -> list[str]:
    with pytest.raises(ApiError) as caught:
        check_devices(database, vm, host)
    return caught.value.description


def find_guest(database: Database) -> str:
    return next(ref for ref, record in database.items("VM") if record["name_label"] == "centos54")


def find_interface(database: Database, vm: str, host: str) -> tuple[str, str]:
    """Returns the first network of a guest and the interface that a host has in it."""
    network = database.get("VIF", database.get("VM", vm, "VIFs")[0], "network")
    interfaces = database.get("network", network, "PIFs")
    return network, next(pif for pif in interfaces if database.get("PIF", pif, "host") == host)


def test_a_guest_with_graphics_needs_a_card_with_room_for_each(pool: Populated) -> None:
    database, host = pool.database, pool.hosts["xenserver3"]
    vm = find_guest(database)
    group, kind = database.create("GPU_group"), database.create("VGPU_type", implementation="nvidia")
    give_graphics(database, vm, group, kind)
    assert refuse(database, vm, host) == ["VM_REQUIRES_GPU", vm, group]

    card = database.create("PGPU", GPU_group=group, host=host, enabled_VGPU_types=[kind])
    assert refuse(database, vm, host) == ["VM_REQUIRES_VGPU", vm, group, kind]
    database.set("PGPU", card, supported_VGPU_max_capacities={kind: 1})
    check_devices(database, vm, host)

    give_graphics(database, vm, group, kind)
    assert refuse(database, vm, host) == ["VM_REQUIRES_VGPU", vm, group, kind]
    database.set("PGPU", card, supported_VGPU_max_capacities={kind: 2})
    check_devices(database, vm, host)
    other = database.create("VGPU", GPU_group=group, type=database.create("VGPU_type"))
    database.set("PGPU", card, resident_VGPUs=[other])
    assert refuse(database, vm, host) == ["VM_REQUIRES_VGPU", vm, group, kind], "a card carries one type at a time"


def test_a_whole_card_needs_an_iommu(pool: Populated) -> None:
    database, host = pool.database, pool.hosts["xenserver3"]
    vm = find_guest(database)
    group, kind = database.create("GPU_group"), database.create("VGPU_type", implementation="passthrough")
    give_graphics(database, vm, group, kind)
    database.set("host", host, chipset_info={"iommu": "false"})
    assert refuse(database, vm, host) == ["VM_REQUIRES_IOMMU", host]
    database.set("host", host, chipset_info={"iommu": "true"})
    assert refuse(database, vm, host) == ["VM_REQUIRES_GPU", vm, group]


def test_an_interface_that_belongs_to_a_bond_carries_no_guest(pool: Populated) -> None:
    database, host = pool.database, pool.hosts["xenserver3"]
    vm = find_guest(database)
    network, interface = find_interface(database, vm, host)
    check_networks(database, vm, host)
    database.set("PIF", interface, bond_slave_of=database.create("Bond"))
    with pytest.raises(ApiError) as caught:
        check_networks(database, vm, host)
    assert caught.value.description == ["HOST_CANNOT_ATTACH_NETWORK", host, network]


def test_a_network_of_virtual_functions_has_none_left(pool: Populated) -> None:
    database, host = pool.database, pool.hosts["xenserver3"]
    vm = find_guest(database)
    network, interface = find_interface(database, vm, host)
    check_devices(database, vm, host)
    database.create("network_sriov", logical_PIF=interface)
    assert refuse(database, vm, host) == ["NETWORK_SRIOV_INSUFFICIENT_CAPACITY", network]
