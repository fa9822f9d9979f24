"""What belongs to hosts, and what updates them: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "host_crashdump": """
uuid: string
host: ref host ctor
timestamp: datetime
size: int
other_config: map string string rw
destroy(ref host_crashdump): pool-operator
upload(ref host_crashdump, string, map string string): pool-operator
""",
    "host_patch": """
uuid: string
name_label: string ctor
name_description: string ctor
version: string ctor
host: ref host ctor
applied: bool
timestamp_applied: datetime
size: int
pool_patch: ref pool_patch ctor
other_config: map string string rw
apply(ref host_patch) -> string: pool-operator
destroy(ref host_patch): pool-operator
""",
    "host_metrics": """
uuid: string
memory_total: int
memory_free: int removed
live: bool
last_updated: datetime
other_config: map string string rw
""",
    "host_cpu": """
uuid: string
host: ref host
number: int
vendor: string
speed: int
modelname: string
family: int
model: int
stepping: string
flags: string
features: string
utilisation: float
other_config: map string string rw
""",
    "pool_patch": """
uuid: string
name_label: string ctor
name_description: string ctor
version: string ctor
size: int
pool_applied: bool
host_patches: set ref host_patch
after_apply_guidance: set enum after_apply_guidance
pool_update: ref pool_update ctor
other_config: map string string rw
apply(ref pool_patch, ref host) -> string: pool-operator
clean(ref pool_patch): pool-operator
clean_on_host(ref pool_patch, ref host): pool-operator
destroy(ref pool_patch): pool-operator
pool_apply(ref pool_patch): pool-operator
pool_clean(ref pool_patch): pool-operator
precheck(ref pool_patch, ref host) -> string: pool-operator
""",
    "pool_update": """
uuid: string
name_label: string ctor
name_description: string ctor
version: string ctor
installation_size: int ctor
key: string ctor
after_apply_guidance: set enum update_after_apply_guidance ctor
vdi: ref VDI ctor
hosts: set ref host
other_config: map string string rw
enforce_homogeneity: bool ctor
apply(ref pool_update, ref host): pool-operator
destroy(ref pool_update): pool-operator
introduce(ref VDI) -> ref pool_update: pool-operator
pool_apply(ref pool_update): pool-operator
pool_clean(ref pool_update): pool-operator
precheck(ref pool_update, ref host) -> enum livepatch_status: pool-operator
""",
    "Repository": """
(write pool-operator cert)
uuid: string
name_label: string rw
name_description: string rw
binary_url: string ctor
source_url: string ctor
update: bool ctor
hash: string
up_to_date: bool removed
gpgkey_path: string ctor
forget(ref Repository): pool-operator cert
introduce(string, string, string, string, bool, string?) -> ref Repository: pool-operator cert
set_gpgkey_path(ref Repository, string): pool-operator cert
""",
}
