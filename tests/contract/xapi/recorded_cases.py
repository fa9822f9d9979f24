"""Which recorded exchanges are sent again, on which stage of the lab, and why the others are not.

A file is named by the first five signs of its name.
"""

from dataclasses import dataclass

_STREAMS = "the lab serves no export and import streams"
_COPIES = "shown by the tests of what it does"


@dataclass(frozen=True)
class Case:
    """How one file is sent again.

    Attributes:
        stage: What is done to the lab before, a function of `recorded_stages`.
        account: Who is logged in.
        host: Which host is asked.
        texts_differ: The parameters of the error are texts of that server, only their number is compared.
        same: Fields of the record whose values must be the recorded ones.
    """

    stage: str = ""
    account: str = "root"
    host: str = "xenserver1"
    texts_differ: bool = False
    same: tuple[str, ...] = ()


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

SKIPPED: dict[str, str] = {
    **dict.fromkeys(
        ("a0200", "a0202", "a0203", "a0204", "a0205", "a0206", "a0207", "a0208", "a0211", "a0225", "a0262", "a0263"),
        _STREAMS,
    ),
    **dict.fromkeys(
        ("a0339", "a0340", "a0528", "a0529", "a0532", "a0533", "a0534", "a0535", "a0540", "a0541", "a0575", "a0577"),
        _STREAMS,
    ),
    **dict.fromkeys(("a0644", "a0646", "a0657", "a0659", "b0469", "b0535", "b0536", "c-imp"), _STREAMS),
    **dict.fromkeys(("xva/l", "xva/x"), "an archive, no exchange"),
    "timel": "a timed log of events, no exchange",
    "a0285": "the lab has no external authentication",
    "b0520": "needs a guest of four terabytes",
    **dict.fromkeys(("a0098", "a0100", "b0140", "b0141", "b0142", "b0146", "b0170", "b0171", "b0172"), _COPIES),
    **dict.fromkeys(("a0143", "a0623", "a0695", "a0696", "a0700", "a0701", "a0704", "a0713"), _COPIES),
    **dict.fromkeys(("b0001", "b0005", "b0198", "b0211", "b0216", "b0225", "b0249", "b0251", "b0257"), _COPIES),
    **dict.fromkeys(("b0259", "b0262", "b0284", "b0333", "b0360", "b0449", "b0464", "b0466", "b0472"), _COPIES),
    **dict.fromkeys(("b0502", "b0508", "b0531", "b0537", "b0558", "b0561", "b0596"), _COPIES),
}
