"""Clusters, provisioning services and alerts: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "message": """
(bare)
uuid: string
name: string
priority: int
cls: enum cls
obj_uuid: string
timestamp: datetime
body: string
create(string, int, enum cls, string, string) -> ref message: pool-operator sync
destroy(ref message): pool-operator sync
destroy_many(set ref message): pool-operator
get(enum cls, string, datetime) -> map ref message record message: read-only sync
get_all() -> set ref message: read-only sync
get_all_records() -> map ref message record message: read-only sync
get_all_records_where(string) -> map ref message record message: read-only sync
get_by_uuid(string) -> ref message: read-only sync
get_record(ref message) -> record message: read-only sync
get_since(datetime) -> map ref message record message: read-only sync
""",
    "blob": """
(sync)
uuid: string
name_label: string rw
name_description: string rw
size: int
public: bool rw
last_updated: datetime ctor
mime_type: string ctor
create(string, bool?) -> ref blob: pool-operator
destroy(ref blob): pool-operator
""",
    "data_source": """
(bare, sync)
name_label: string
name_description: string
enabled: bool
standard: bool
units: string
min: float
max: float
value: float
""",
    "Cluster": """
uuid: string
cluster_hosts: set ref Cluster_host
pending_forget: set string
cluster_token: string ctor
cluster_stack: string ctor = corosync
is_quorate: bool
quorum: int
live_hosts: int
allowed_operations: set enum cluster_operation
current_operations: map string enum cluster_operation
pool_auto_join: bool ctor = true
token_timeout: float ctor = 20.0
token_timeout_coefficient: float ctor = 1.0
cluster_config: map string string ctor
other_config: map string string rw
create(ref PIF, string, bool, float?, float?) -> ref Cluster: pool-operator
destroy(ref Cluster): pool-operator
get_network(ref Cluster) -> ref network: read-only
pool_create(ref network, string, float?, float?) -> ref Cluster: pool-operator
pool_destroy(ref Cluster): pool-operator
pool_force_destroy(ref Cluster): pool-operator
pool_resync(ref Cluster): pool-operator
""",
    "Cluster_host": """
uuid: string
cluster: ref Cluster ctor
host: ref host ctor
enabled: bool
PIF: ref PIF ctor
joined: bool = true
live: bool
last_update_live: datetime
allowed_operations: set enum cluster_host_operation
current_operations: map string enum cluster_host_operation
other_config: map string string ctor
create(ref Cluster, ref host, ref PIF) -> ref Cluster_host: pool-operator
destroy(ref Cluster_host): pool-operator
disable(ref Cluster_host): pool-operator
enable(ref Cluster_host): pool-operator
force_destroy(ref Cluster_host): pool-operator
""",
    "PVS_site": """
uuid: string
name_label: string rw
name_description: string rw
PVS_uuid: string ctor
cache_storage: set ref PVS_cache_storage
servers: set ref PVS_server
proxies: set ref PVS_proxy
forget(ref PVS_site): pool-operator
introduce(string, string, string) -> ref PVS_site: pool-operator
set_PVS_uuid(ref PVS_site, string): pool-operator
""",
    "PVS_server": """
uuid: string
addresses: set string ctor
first_port: int ctor
last_port: int ctor
site: ref PVS_site ctor
forget(ref PVS_server): pool-operator
introduce(set string, int, int, ref PVS_site) -> ref PVS_server: pool-operator
""",
    "PVS_proxy": """
uuid: string
site: ref PVS_site ctor
VIF: ref VIF ctor
currently_attached: bool
status: enum pvs_proxy_status = stopped
create(ref PVS_site, ref VIF) -> ref PVS_proxy: pool-operator
destroy(ref PVS_proxy): pool-operator
""",
    "PVS_cache_storage": """
(make pool-operator)
uuid: string
host: ref host ctor
SR: ref SR ctor
site: ref PVS_site ctor
size: int ctor = 21474836480
VDI: ref VDI
""",
    "Observer": """
(write pool-admin, make pool-admin)
uuid: string
name_label: string rw
name_description: string rw
hosts: set ref host ctor
attributes: map string string ctor
endpoints: set string ctor
components: set string ctor
enabled: bool ctor
set_attributes(ref Observer, map string string): pool-admin
set_components(ref Observer, set string): pool-admin
set_enabled(ref Observer, bool): pool-admin
set_endpoints(ref Observer, set string): pool-admin
set_hosts(ref Observer, set ref host): pool-admin
""",
}
