"""What can never be true in a real pool: a guard against the lab itself being wrong.

The rules are written for this file alone and share nothing with the code that changes the records.
"""

from bot.lab.xapi.consistency_storage import find_storage_contradictions
from bot.lab.xapi.database import LINKS, Database
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.values import EPOCH, NULL_REF, Value

# A client may write any text into it; XAPI checks nothing. Devices are given to guests by a hand from outside.
_UNCHECKED = {
    ("task", "subtask_of"),
    ("session", "parent"),
    ("VM", "attached_PCIs"),
    ("VM", "VGPUs"),
    ("VM", "VUSBs"),
    # What a snapshot was made of may be deleted before it, the image of a sleeping guest before the guest, and XAPI
    # makes PBDs for hosts that it does not know.
    ("VM", "snapshot_of"),
    ("VM", "suspend_VDI"),
    ("VDI", "snapshot_of"),
    ("PBD", "host"),
}


def find_contradictions(database: Database) -> list[str]:
    """Returns a sentence for each contradiction in the records of a pool."""
    return [
        *_check_guests(database),
        *find_storage_contradictions(database),
        *_check_tasks(database),
        *_check_references(database),
        *_check_links(database),
        *_check_memory(database),
    ]


def _check_guests(database: Database) -> list[str]:
    found = []
    for ref, record in database.items("VM"):
        name = f"VM {record['name_label']!r} ({ref})"
        # A checkpoint sends a guest to sleep in the domain it has.
        has_domain = record["domid"] >= 0 and "checkpoint" in record["current_operations"].values()
        is_up = record["power_state"] in {"Running", "Paused"} or (record["power_state"] == "Suspended" and has_domain)
        if is_up != (record["resident_on"] != NULL_REF):
            found.append(f"{name} is {record['power_state']} and resident on {record['resident_on']}.")
        if is_up != (record["domid"] >= 0):
            found.append(f"{name} is {record['power_state']} with domain {record['domid']}.")
        if record["power_state"] == "Halted" and database.has("VDI", record["suspend_VDI"]):
            found.append(f"{name} is Halted and has a suspend image.")
        limits = [record[f"memory_{limit}"] for limit in ("static_min", "dynamic_min", "dynamic_max", "static_max")]
        if limits != sorted(limits):
            found.append(f"{name} has memory limits out of order.")
        is_idle = record["power_state"] == "Halted" and not record["current_operations"]
        if is_idle and any(database.get("VBD", vbd, "currently_attached") for vbd in record["VBDs"]):
            found.append(f"{name} is Halted with an attached disk.")
    return found


def _check_tasks(database: Database) -> list[str]:
    found = []
    for ref, record in database.items("task"):
        is_over = record["status"] in {"success", "failure", "cancelled"}
        if is_over != (record["finished"] != EPOCH):
            found.append(f"Task {ref} is {record['status']} and finished {record['finished']}.")
        if record["status"] == "success" and record["error_info"]:
            found.append(f"Task {ref} succeeded with an error.")
    for class_name in ("VM", "host", "SR", "VDI", "VBD", "VIF"):
        for ref, record in database.items(class_name):
            found += [
                f"{class_name} {ref} is held by task {task}, which is over."
                for task, operation in record["current_operations"].items()
                if not (class_name == "host" and operation in {"shutdown", "reboot"})  # kept until it is down
                and database.has("task", task)
                and database.get("task", task, "status") != "pending"
            ]
    return found


def _check_references(database: Database) -> list[str]:
    found = []
    for class_name, kind in CLASSES.items():
        watched = [field for field in kind.fields.values() if _names_class(field.type)]
        for ref, record in database.items(class_name):
            for field in watched:
                if (class_name, field.name) in _UNCHECKED:
                    continue
                for other_class, other in _list_references(field.type, record[field.name]):
                    if other != NULL_REF and not database.has(other_class, other):
                        found.append(f"{class_name} {ref}: {field.name} is a dangling {other_class} {other}.")
    return found


def _names_class(kind: FieldType) -> bool:
    # Roles are the same everywhere and in no database.
    return (kind.kind == "ref" and kind.name != "role") or any(_names_class(part) for part in kind.of)


def _list_references(kind: FieldType, value: Value) -> list[tuple[str, str]]:
    if kind.kind == "ref":
        return [(kind.name, value)]
    if kind.kind == "set":
        return [pair for item in value for pair in _list_references(kind.of[0], item)]
    if kind.kind == "map":
        return [pair for item in value.values() for pair in _list_references(kind.of[1], item)]
    return []


def _check_links(database: Database) -> list[str]:
    found = []
    for (class_name, name), (other_class, list_name) in LINKS.items():
        listed = {(other, item) for other, record in database.items(other_class) for item in record[list_name]}
        pointed = {
            (record[name], ref) for ref, record in database.items(class_name) if database.has(other_class, record[name])
        }
        for other, ref in listed ^ pointed:
            found.append(f"{other_class} {other} and {class_name} {ref} disagree about {list_name}.")
    return found


def _check_memory(database: Database) -> list[str]:
    found = []
    for ref, record in database.items("host"):
        used = record["memory_overhead"]
        for vm in record["resident_VMs"]:
            guest = database.record("VM", vm)
            used += guest["memory_target"] + guest["memory_overhead"]
        total = database.get("host_metrics", record["metrics"], "memory_total")
        if used > total:
            found.append(f"Host {record['name_label']!r} ({ref}) uses {used} of {total} bytes.")
    return found
