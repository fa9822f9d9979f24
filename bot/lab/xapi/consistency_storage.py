"""What can never be true of storage and snapshots; like `consistency`, it shares nothing with the rules."""

from collections import Counter

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import NULL_REF, Value

_LONGEST_CHAIN = 31  # thirty hidden disks below a leaf
_SLACK = 8 * 1024**2  # headers and tables of a disk that is full


def find_storage_contradictions(database: Database) -> list[str]:
    """Returns a sentence for each contradiction in the records of disks, repositories, devices and snapshots."""
    return [
        *_check_owners(database),
        *_check_sums(database),
        *_check_chains(database),
        *_check_devices(database),
        *_check_snapshots(database),
    ]


def _check_owners(database: Database) -> list[str]:
    found = []
    owners: dict[str, list[str]] = {}
    for ref, record in database.items("SR"):
        for vdi in record["VDIs"]:
            owners.setdefault(vdi, []).append(ref)
        plugged = [pbd for pbd in record["PBDs"] if database.get("PBD", pbd, "currently_attached")]
        if not record["shared"] and len(plugged) > 1:
            found.append(f"SR {ref} is not shared and plugged into {len(plugged)} hosts.")
    for ref, record in database.items("VDI"):
        if owners.get(ref) != [record["SR"]]:
            found.append(f"VDI {ref} is in {owners.get(ref, [])}, its record says {record['SR']}.")
        if not 0 <= record["physical_utilisation"] <= record["virtual_size"] + _SLACK:
            found.append(f"VDI {ref} of {record['virtual_size']} bytes takes {record['physical_utilisation']}.")
    return found


def _check_sums(database: Database) -> list[str]:
    found = []
    allocated: Counter[str] = Counter()
    for _, record in database.items("VDI"):
        if record["managed"]:
            allocated[record["SR"]] += record["virtual_size"]
    for ref, record in database.items("SR"):
        name = f"SR {record['name_label']!r} ({ref})"
        if record["virtual_allocation"] != allocated[ref]:
            found.append(f"{name} has allocated {record['virtual_allocation']}, its disks are {allocated[ref]} bytes.")
        if record["physical_utilisation"] < 0:
            found.append(f"{name} uses {record['physical_utilisation']} bytes.")
        if 0 < record["physical_size"] < record["physical_utilisation"]:
            found.append(f"{name} uses {record['physical_utilisation']} of {record['physical_size']} bytes.")
    return found


def _check_chains(database: Database) -> list[str]:
    found = []
    by_uuid = {record["uuid"]: (ref, record) for ref, record in database.items("VDI")}
    for ref, record in database.items("VDI"):
        if not record["managed"] and record["VBDs"]:
            found.append(f"Hidden VDI {ref} has VBDs.")
        depth, current = 1, record
        while (below := current["sm_config"].get("vhd-parent")) is not None and depth <= _LONGEST_CHAIN:
            if below not in by_uuid:
                found.append(f"VDI {ref} stands on {below}, which is not there.")
                break
            parent, depth = by_uuid[below][1], depth + 1
            if parent["managed"] or parent["SR"] != record["SR"]:
                found.append(f"VDI {ref} stands on VDI {below}, which is no hidden disk of its repository.")
            current = parent
        if depth > _LONGEST_CHAIN:
            found.append(f"VDI {ref} stands on more than thirty others.")
    return found


def _check_devices(database: Database) -> list[str]:
    found = []
    writers: Counter[str] = Counter()
    for ref, record in database.items("VBD"):
        if record["empty"] != (record["VDI"] == NULL_REF):
            found.append(f"VBD {ref} is {'' if record['empty'] else 'not '}empty and has VDI {record['VDI']}.")
        if record["currently_attached"] and record["mode"] == "RW" and not record["empty"]:
            writers[record["VDI"]] += 1
        if record["currently_attached"] and database.get("VM", record["VM"], "snapshot_of") != NULL_REF:
            found.append(f"VBD {ref} of a snapshot is attached.")
    for vdi, count in writers.items():
        if count > 1 and not database.get("VDI", vdi, "sharable"):
            found.append(f"VDI {vdi} is written to by {count} guests.")
    return found


def _check_snapshots(database: Database) -> list[str]:
    found = []
    for ref, record in database.items("VM"):
        name = f"VM {record['name_label']!r} ({ref})"
        is_quiet = not record["current_operations"]
        if record["power_state"] == "Suspended" and is_quiet and record["suspend_VDI"] == NULL_REF:
            found.append(f"{name} is Suspended and has no image.")
        if record["snapshot_of"] == NULL_REF:
            continue
        if record["power_state"] not in {"Halted", "Suspended"}:
            found.append(f"Snapshot {name} is {record['power_state']}.")
        found += [f"Snapshot {name} has disk {vdi}, which is no snapshot." for vdi in _list_own(database, record)]
    return found


def _list_own(database: Database, record: dict[str, Value]) -> list[str]:
    """Returns the disks of a guest, media left out, that are no snapshots."""
    return [
        database.get("VBD", vbd, "VDI")
        for vbd in record["VBDs"]
        if database.get("VBD", vbd, "type") == "Disk"
        and database.has("VDI", database.get("VBD", vbd, "VDI"))
        and not database.get("VDI", database.get("VBD", vbd, "VDI"), "is_a_snapshot")
    ]
