"""Whether a host has the devices that a guest needs: networks, passed-through cards, graphics, USB, virtual functions.

The order of these checks is that of a real server.
"""

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.values import NULL_REF, Value


def check_networks(database: Database, vm: str, host: str) -> None:
    """Looks for the networks of a guest's interfaces at a host.

    Raises:
        ApiError: `VM_REQUIRES_NETWORK [vm, network]` for one that is not there; when all are, then
            `HOST_CANNOT_ATTACH_NETWORK [host, network]` for one whose interface belongs to a bond.
    """
    networks = [database.get("VIF", vif, "network") for vif in database.get("VM", vm, "VIFs")]
    for network in networks:
        if not _is_there(database, network, host):
            raise ApiError("VM_REQUIRES_NETWORK", vm, network)
    for network in networks:
        for pif in _list_interfaces(database, network, host):
            if pif["bond_slave_of"] != NULL_REF:
                raise ApiError("HOST_CANNOT_ATTACH_NETWORK", host, network)


def _is_there(database: Database, network: str, host: str) -> bool:
    if database.get("network", network, "PIFs"):
        return bool(_list_interfaces(database, network, host))
    # A network without interfaces exists on one host at a time: where its running guests are.
    for other in database.get("network", network, "VIFs"):
        guest = database.record("VM", database.get("VIF", other, "VM"))
        is_elsewhere = guest["resident_on"] not in {NULL_REF, host}
        if is_elsewhere and database.get("VIF", other, "currently_attached"):
            return False
    return True


def _list_interfaces(database: Database, network: str, host: str) -> list[dict[str, Value]]:
    pifs = [database.record("PIF", pif) for pif in database.get("network", network, "PIFs")]
    return [pif for pif in pifs if pif["host"] == host]


def check_devices(database: Database, vm: str, host: str) -> None:
    """Looks for the hardware that a guest is given of a host; what it has there already is not counted again.

    Raises:
        ApiError: `VM_REQUIRES_IOMMU [host]`, `VM_REQUIRES_GPU [vm, group]`, `VM_REQUIRES_VGPU [vm, group, type]`,
            `OPERATION_NOT_ALLOWED [text]` for a USB device, `NETWORK_SRIOV_INSUFFICIENT_CAPACITY [network]`.
    """
    record = database.record("VM", vm)
    vgpus = [database.record("VGPU", vgpu) for vgpu in record["VGPUs"] if database.has("VGPU", vgpu)]
    is_passed = any(_is_passed_through(database, vgpu) for vgpu in vgpus)
    needs_iommu = record["attached_PCIs"] or record["other_config"].get("pci") or is_passed
    if needs_iommu and database.get("host", host, "chipset_info").get("iommu") != "true":
        raise ApiError("VM_REQUIRES_IOMMU", host)
    if record["resident_on"] == host:
        return
    _check_graphics(database, vm, host, vgpus)
    for vusb in record["VUSBs"]:
        if not _has_usb(database, vusb, host):
            raise ApiError("OPERATION_NOT_ALLOWED", f"VUSB {vusb} is not available on Host {host}")
    for vif in record["VIFs"]:
        network = database.get("VIF", vif, "network")
        # No card of a simulated host has virtual functions to give away.
        if any(pif["sriov_logical_PIF_of"] for pif in _list_interfaces(database, network, host)):
            raise ApiError("NETWORK_SRIOV_INSUFFICIENT_CAPACITY", network)


def _is_passed_through(database: Database, vgpu: dict[str, Value]) -> bool:
    kind = vgpu["type"]
    return database.has("VGPU_type", kind) and database.get("VGPU_type", kind, "implementation") == "passthrough"


def _check_graphics(database: Database, vm: str, host: str, vgpus: list[dict[str, Value]]) -> None:
    taken: dict[str, int] = {}
    for vgpu in vgpus:
        group, kind = vgpu["GPU_group"], vgpu["type"]
        cards = [ref for ref, card in database.items("PGPU") if (card["GPU_group"], card["host"]) == (group, host)]
        if not cards:
            raise ApiError("VM_REQUIRES_GPU", vm, group)
        card = next((ref for ref in cards if _count_room(database, ref, kind) > taken.get(ref, 0)), None)
        if card is None:
            raise ApiError("VM_REQUIRES_VGPU", vm, group, kind)
        taken[card] = taken.get(card, 0) + 1


def _count_room(database: Database, card: str, kind: str) -> int:
    """Returns how many more of a type a card can take: all that it carries are of one type."""
    record = database.record("PGPU", card)
    carried = {database.get("VGPU", vgpu, "type") for vgpu in record["resident_VGPUs"]}
    if kind not in record["enabled_VGPU_types"] or carried - {kind}:
        return 0
    most: int = record["supported_VGPU_max_capacities"].get(kind, 0)
    return most - len(record["resident_VGPUs"])


def _has_usb(database: Database, vusb: str, host: str) -> bool:
    """Tells whether the device behind a virtual one is plugged into a host."""
    if not database.has("VUSB", vusb):
        return False
    group = database.get("VUSB", vusb, "USB_group")
    return any(pusb["USB_group"] == group and pusb["host"] == host for _, pusb in database.items("PUSB"))
