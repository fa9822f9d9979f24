"""Which recorded exchanges are sent again, on which stage of the lab, and why the others are not.

A file is named by the first five signs of its name.
"""

from dataclasses import dataclass, field

_STREAMS = "a stream: sent again in test_xapi_recorded_streams"
_TEMPER = "needs a guest that ignores its shutdown: shown in test_xapi_power"
_ONE_HOST = "needs a pool of one host with a guest: shown in test_xapi_evacuation"
_EMERGENCY = "the reason is of the recorded server's set-up: shown in test_xapi_coordinator"


@dataclass(frozen=True)
class Case:
    """How one file is sent again.

    Attributes:
        stage: What is done to the lab before, a function of `recorded_stages`.
        account: Who is logged in.
        host: Which host is asked.
        texts_differ: The parameters of the error are texts of that server, only their number is compared.
        same: Fields of the record whose values must be the recorded ones.
        put: Parameters in place of the recorded ones, by their number; a text names a value of the stage.
    """

    stage: str = ""
    account: str = "root"
    host: str = "xenserver1"
    texts_differ: bool = False
    same: tuple[str, ...] = ()
    put: dict[int, object] = field(default_factory=dict)


_TASK = (
    "name_description",
    "status",
    "type",
    "progress",
    "subtask_of",
    "error_info",
    "allowed_operations",
    "backtrace",
)
_OPEN_TASK = ("name_description", "status", "type", "progress", "error_info", "allowed_operations", "finished")

CASES: dict[str, Case] = {
    "a0001": Case(),
    "a0002": Case(),
    "a0003": Case(),
    "a0004": Case(),
    "a0005": Case(same=("this_user", "pool", "is_local_superuser", "auth_user_sid", "auth_user_name", "parent")),
    "a0007": Case(),
    "a0008": Case(),
    "a0015": Case(),
    "a0020": Case(),
    "a0033": Case(),
    "a0047": Case(),
    "a0048": Case(),
    "a0050": Case(),
    "a0053": Case(),
    "a0054": Case(),
    "a0055": Case(),
    "a0056": Case(),
    "a0057": Case(),
    "a0058": Case(),
    "a0059": Case(),
    "a0064": Case(),
    "a0065": Case(),
    "a0067": Case(),
    "a0068": Case(),
    "a0074": Case(),
    "a0076": Case(texts_differ=True),
    "a0077": Case(texts_differ=True),
    "a0079": Case(),
    "a0080": Case(),
    "a0082": Case(),
    "a0083": Case("halted", same=("power_state", "domid", "resident_on", "memory_target", "consoles")),
    "a0086": Case("current_token"),
    "a0087": Case(),
    "a0089": Case(),
    "a0105": Case("failed_destroy", same=_TASK),
    "a0107": Case(),
    "a0109": Case("finished_task"),
    "a0110": Case("destroyed_task"),
    "a0111": Case(),
    "a0112": Case("own_task", same=_OPEN_TASK),
    "a0119": Case("halted"),
    "a0132": Case("with_key"),
    "a0145": Case("halted"),
    "a0173": Case(),
    "a0180": Case(),
    "a0259": Case(),
    "a0260": Case("logged_out"),
    "a0315": Case(account="read-only"),
    "a0317": Case(account="read-only"),
    "a0325": Case(account="read-only"),
    "a0376": Case(account="vm-admin"),
    "a0480": Case(host="xenserver3"),
    "a0488": Case(host="xenserver3"),
    "a0510": Case(),
    "b0013": Case(same=("power_state", "suspend_VDI", "is_a_template", "memory_overhead", "actions_after_softreboot")),
    "b0014": Case(),
    "b0015": Case(same=("live", "PV_drivers_detected")),
    "b0016": Case(same=("device", "userdevice", "mode", "type", "currently_attached", "unpluggable")),
    "b0017": Case(same=("device", "MTU", "currently_attached", "locking_mode")),
    "b0019": Case(same=("enabled", "API_version_major", "API_version_vendor", "display", "sched_policy")),
    "b0164": Case("destroyed_pending_task", same=_OPEN_TASK),
    "b0182": Case("waiting_call", same=(*_OPEN_TASK, "name_label", "result")),
    "b0183": Case("waiting_call", same=("power_state", "allowed_operations")),
    "b0208": Case(same=("currently_attached", "other_config")),
    "b0312": Case("blocked_migration"),
    "b0320": Case(),
    "b0341": Case(),
    "b0350": Case("without_tools", same=("power_state",)),
    "b0351": Case("without_tools"),
    "b0353": Case("without_tools"),
    "b0384": Case("own_cancelled_task", same=("status", "progress", "error_info", "finished")),
    "b0415": Case("migrated", same=(*_TASK, "name_label", "result")),
    "b0420": Case("migrating"),
    "b0424": Case("cancelled_migration", same=("name_label", "status", "progress", "error_info", "allowed_operations")),
    "b0432": Case("paused"),
    "b0433": Case("paused", same=("power_state",)),
    "b0494": Case("suspended", same=("power_state", "domid", "resident_on", "consoles")),
    "b0509": Case("host_disabled"),
    "b0510": Case("no_host"),
    "b0527": Case("too_many_processors", texts_differ=True),
    "b0576": Case("host_without_features"),
    "b0606": Case("suspended_then_stopped", same=("power_state", "domid", "resident_on", "suspend_VDI")),
}
CASES |= {
    "a0098": Case("halted"),
    "a0100": Case("cloned", same=(*_TASK, "name_label", "result", "subtasks", "other_config")),
    "a0143": Case("blocked_destroy"),
    "a0623": Case("halted"),
    "a0695": Case(),
    "a0696": Case("received", put={2: "dest", 4: "vdi_map"}),
    "a0700": Case("received", put={2: "dest"}),
    "a0701": Case("received", put={2: "dest", 4: "vdi_map"}, texts_differ=True),
    "a0704": Case("received_without_session", put={2: "dest"}),
    "a0713": Case("received_elsewhere", put={2: "dest", 4: "vdi_map"}),
    "b0001": Case(put={2: {"server": "nfsserver", "serverpath": "/home/second"}, 6: "nfs"}),
    "b0005": Case(),
    "b0140": Case("halted"),
    "b0141": Case("child_of_marker", same=(*_TASK, "name_label", "result", "subtasks")),
    "b0142": Case("marker", same=(*_OPEN_TASK, "name_label", "result", "subtasks", "subtask_of")),
    "b0146": Case("cloned_with_headers", same=(*_TASK, "other_config")),
    "b0170": Case("marker", same=("status", "progress", "result", "error_info")),
    "b0171": Case("child_of_marker", same=(*_TASK, "name_label", "result")),
    "b0172": Case("marker"),
    "b0211": Case(),
    "b0216": Case("new_storage_unplugged"),
    "b0225": Case(),
    "b0249": Case("full_storage"),
    "b0251": Case("disk_refused", same=(*_TASK, "name_label", "result")),
    "b0257": Case("disk_of_nobody", same=("name_label", "type", "managed", "is_a_snapshot", "snapshot_of", "missing")),
    "b0259": Case("disk_snapshot", same=("name_label", "type", "managed", "is_a_snapshot", "snapshot_of", "on_boot")),
    "b0262": Case("full_storage"),
    "b0284": Case("disk_of_nobody_moved", same=(*_TASK, "name_label", "result")),
    "b0333": Case(),
    "b0464": Case("snapshot", same=("power_state", "is_a_template", "is_a_snapshot", "snapshot_of", "snapshot_info")),
    "b0466": Case("snapshot", same=("type", "managed", "is_a_snapshot", "snapshot_of", "parent")),
    "b0472": Case("snapshot_destroyed", same=("type", "managed", "is_a_snapshot", "snapshot_of")),
    "b0531": Case("unplugged_at_all"),
    "b0537": Case("unplugged_at_all"),
    "b0596": Case("checkpoint_refused", same=("status", "progress", "error_info", "name_label", "result")),
}

# Requests for streams, and the tasks behind them.
STREAMS = (
    *("a0200", "a0202", "a0203", "a0204", "a0205", "a0206", "a0207", "a0208", "a0211", "a0225"),
    *("a0262", "a0263", "a0339", "a0340", "a0528", "a0529", "a0532", "a0533", "a0534", "a0535"),
    *("a0540", "a0541", "a0575", "a0577", "a0644", "a0646", "a0657", "a0659", "b0469", "b0535"),
    *("b0536", "c-imp"),
)
SKIPPED: dict[str, str] = {
    **dict.fromkeys(STREAMS, _STREAMS),
    **dict.fromkeys(("xva/l", "xva/x"), "an archive, no exchange"),
    "timel": "a timed log of events, no exchange",
    "a0285": "the lab has no external authentication",
    "b0520": "needs a guest of four terabytes",
    "b0198": "the code is of the recorded server's own storage driver",
    "b0360": _TEMPER,
    "b0449": _TEMPER,
    "b0502": _ONE_HOST,
    "b0508": _ONE_HOST,
    "b0558": _EMERGENCY,
    "b0561": _EMERGENCY,
}
