"""Devices that guests are given: graphics and USB: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "PCI": """
uuid: string
class_name: string ctor
vendor_name: string ctor
device_name: string ctor
host: ref host ctor
pci_id: string ctor
dependencies: set ref PCI
other_config: map string string rw
subsystem_vendor_name: string ctor
subsystem_device_name: string ctor
driver_name: string ctor
""",
    "PGPU": """
uuid: string
PCI: ref PCI ctor
GPU_group: ref GPU_group ctor
host: ref host
other_config: map string string rw
supported_VGPU_types: set ref VGPU_type
enabled_VGPU_types: set ref VGPU_type
resident_VGPUs: set ref VGPU
supported_VGPU_max_capacities: map ref VGPU_type int
dom0_access: enum pgpu_dom0_access = enabled
is_system_display_device: bool
compatibility_metadata: map string string
add_enabled_VGPU_types(ref PGPU, ref VGPU_type): pool-operator
disable_dom0_access(ref PGPU) -> enum pgpu_dom0_access: pool-operator
enable_dom0_access(ref PGPU) -> enum pgpu_dom0_access: pool-operator
get_remaining_capacity(ref PGPU, ref VGPU_type) -> int: read-only
remove_enabled_VGPU_types(ref PGPU, ref VGPU_type): pool-operator
set_GPU_group(ref PGPU, ref GPU_group): pool-operator
set_enabled_VGPU_types(ref PGPU, set ref VGPU_type): pool-operator
""",
    "GPU_group": """
uuid: string
name_label: string rw
name_description: string rw
PGPUs: set ref PGPU
VGPUs: set ref VGPU
GPU_types: set string
other_config: map string string rw
allocation_algorithm: enum allocation_algorithm rw = depth_first
supported_VGPU_types: set ref VGPU_type
enabled_VGPU_types: set ref VGPU_type
create(string?, string?, map string string?) -> ref GPU_group: pool-operator
destroy(ref GPU_group): pool-operator
get_remaining_capacity(ref GPU_group, ref VGPU_type) -> int: read-only
""",
    "VGPU": """
uuid: string
VM: ref VM
GPU_group: ref GPU_group
device: string = 0
currently_attached: bool
other_config: map string string rw
type: ref VGPU_type
resident_on: ref PGPU
scheduled_to_be_resident_on: ref PGPU
compatibility_metadata: map string string
extra_args: string rw
PCI: ref PCI
create(ref VM, ref GPU_group, string?, map string string?, ref VGPU_type?) -> ref VGPU: pool-operator
destroy(ref VGPU): pool-operator
""",
    "VGPU_type": """
uuid: string
vendor_name: string ctor
model_name: string ctor
framebuffer_size: int ctor
max_heads: int ctor
max_resolution_x: int ctor
max_resolution_y: int ctor
supported_on_PGPUs: set ref PGPU
enabled_on_PGPUs: set ref PGPU
VGPUs: set ref VGPU
supported_on_GPU_groups: set ref GPU_group
enabled_on_GPU_groups: set ref GPU_group
implementation: enum vgpu_type_implementation ctor = passthrough
identifier: string ctor
experimental: bool ctor
compatible_types_in_vm: set ref VGPU_type
""",
    "PUSB": """
(write pool-admin)
uuid: string
USB_group: ref USB_group ctor
host: ref host ctor
path: string ctor
vendor_id: string ctor
vendor_desc: string ctor
product_id: string ctor
product_desc: string ctor
serial: string ctor
version: string ctor
description: string ctor
passthrough_enabled: bool
other_config: map string string rw
speed: float ctor = -1.0
scan(ref host): pool-admin
set_passthrough_enabled(ref PUSB, bool): pool-admin
""",
    "USB_group": """
(write pool-admin)
uuid: string
name_label: string rw
name_description: string rw
PUSBs: set ref PUSB
VUSBs: set ref VUSB
other_config: map string string rw
create(string?, string?, map string string?) -> ref USB_group: pool-admin
destroy(ref USB_group): pool-admin
""",
    "VUSB": """
(write pool-admin)
uuid: string
allowed_operations: set enum vusb_operations
current_operations: map string enum vusb_operations
VM: ref VM
USB_group: ref USB_group
other_config: map string string rw
currently_attached: bool
create(ref VM, ref USB_group, map string string?) -> ref VUSB: pool-admin
destroy(ref VUSB): pool-admin
unplug(ref VUSB): pool-admin
""",
}
