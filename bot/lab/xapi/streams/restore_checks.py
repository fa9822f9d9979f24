"""What an import that keeps identities must not run into: guests that live, newer ones, twins of their addresses."""

from bot.lab.xapi.archive.ova_reader import Description
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_copies import delete_guest
from bot.lab.xapi.values import Value


def check_version(description: Description, own: tuple[int, int]) -> None:
    """Refuses an archive of a newer toolstack than the host's own.

    Raises:
        ApiError: `IMPORT_INCOMPATIBLE_VERSION`.
    """
    if description.version > own:
        raise ApiError("IMPORT_INCOMPATIBLE_VERSION")


def make_room(pool: Pool, description: Description, *, is_forced: bool) -> None:
    """Checks what a restore would collide with, then removes the records of the guests that it replaces.

    Args:
        pool: Where the guests come to.
        description: The archive.
        is_forced: Whether a guest may be replaced that is not older.

    Raises:
        ApiError: `VM_BAD_POWER_STATE`, `VM_TO_IMPORT_IS_NOT_NEWER_VERSION` or `DUPLICATE_MAC_SEED`.
    """
    guests = list(description.records("VM").values())
    replaced = [vm for vm, record in pool.database.items("VM") if record["uuid"] in {one["uuid"] for one in guests}]
    for record in guests:
        _check_replaced(pool, record, is_forced=is_forced)
    for record in guests:
        _check_seed(pool, record)
    for vm in replaced:
        delete_guest(pool, vm)


def _check_replaced(pool: Pool, record: dict[str, Value], *, is_forced: bool) -> None:
    for vm, existing in pool.database.items("VM"):
        if existing["uuid"] != record["uuid"]:
            continue
        if existing["power_state"] != "Halted":
            raise ApiError("VM_BAD_POWER_STATE", vm, "Halted", existing["power_state"])
        if existing["version"] >= record["version"] and not is_forced:
            raise ApiError("VM_TO_IMPORT_IS_NOT_NEWER_VERSION", vm, str(existing["version"]), str(record["version"]))


def _check_seed(pool: Pool, record: dict[str, Value]) -> None:
    seed = record["other_config"].get("mac_seed")
    for _, existing in pool.database.items("VM"):
        if seed and existing["other_config"].get("mac_seed") == seed and existing["uuid"] != record["uuid"]:
            raise ApiError("DUPLICATE_MAC_SEED", seed)
