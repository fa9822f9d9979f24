"""Consoles: a guest has one while it has a domain, and it is reached through the guest's host."""

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import new_uuid


def show_console(database: Database, vm: str, *, uuid: str = "") -> None:
    """Makes the console of a guest, or leads the one it has to the host that it runs on now."""
    record = database.record("VM", vm)
    address = database.get("host", record["resident_on"], "address")
    for console in record["consoles"]:
        number = database.get("console", console, "uuid")
        database.set("console", console, location=f"https://{address}/console?uuid={number}")
    if not record["consoles"]:
        number = uuid or new_uuid()
        location = f"https://{address}/console?uuid={number}"
        database.create("console", uuid=number, protocol="rfb", location=location, VM=vm)


def hide_console(database: Database, vm: str) -> None:
    """Removes the consoles of a guest that has no domain any more."""
    for console in list(database.get("VM", vm, "consoles")):
        database.delete("console", console)
