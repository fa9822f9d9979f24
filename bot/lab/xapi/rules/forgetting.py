"""Taking a host out of the records of its pool, with everything that was only there."""

from bot.lab.xapi.database import Database
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.values import NULL_REF


def forget_host(database: Database, host: str) -> None:
    """Removes a host, its control domain, interfaces and connections, and storage that nobody else sees."""
    seen = [database.get("PBD", pbd, "SR") for pbd in database.get("host", host, "PBDs")]
    control = database.get("host", host, "control_domain")
    metrics = database.get("host", host, "metrics")
    bonds = [bond for pif in database.get("host", host, "PIFs") for bond in database.get("PIF", pif, "bond_master_of")]
    for bond in bonds:
        database.delete("Bond", bond)
    for class_name, kind in CLASSES.items():
        if kind.fields.get("host") and kind.fields["host"].type == FieldType("ref", "host"):
            for ref in [one for one, record in database.items(class_name) if record["host"] == host]:
                database.delete(class_name, ref)
    for storage in seen:
        if database.has("SR", storage) and not database.get("SR", storage, "PBDs"):
            for vdi in list(database.get("SR", storage, "VDIs")):
                database.delete("VDI", vdi)
            database.delete("SR", storage)
    if database.has("VM", control):
        database.delete("VM", control)
    database.delete("host", host)
    if database.has("host_metrics", metrics):
        database.delete("host_metrics", metrics)
    _clear_references(database)


def _clear_references(database: Database) -> None:
    """Empties references to what is gone."""
    for class_name, kind in CLASSES.items():
        fields = [field for field in kind.fields.values() if field.type.kind == "ref" and field.type.name in CLASSES]
        for ref, record in list(database.items(class_name)):
            dangling = [
                field.name
                for field in fields
                if record[field.name] != NULL_REF and not database.has(field.type.name, record[field.name])
            ]
            # What a client wrote as a task's parent was never checked.
            if dangling and dangling != ["subtask_of"]:
                database.set(class_name, ref, **dict.fromkeys(dangling, NULL_REF))
