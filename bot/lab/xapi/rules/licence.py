"""What the edition of a pool allows, and how the licence daemons of hosts rank editions."""

from collections.abc import Mapping
from typing import Final, Literal

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool

Feature = Literal["Xen_motion", "Storage_motion", "VIF_locking"]

# The key of `pool.restrictions` that takes a feature away.
_KEYS: Final[Mapping[Feature, str]] = {
    "Xen_motion": "restrict_xen_motion",
    "Storage_motion": "restrict_storage_xen_motion",
    "VIF_locking": "restrict_vif_locking",
}
# How a licence daemon ranks editions, also those that no host of the lab can be given.
_RANKS: Final[Mapping[str, int]] = {"express": 10, "standard": 20, "standard-per-user": 20, "premium": 30}


def assert_ranked_alike(here: Pool, there: Pool) -> None:
    """Refuses a host whose edition ranks otherwise than the lowest of a pool that it wants to join.

    Its licence daemon is asked only where an edition has another name.

    Raises:
        ApiError: `LICENSE_HOST_POOL_MISMATCH`, `V6D_FAILURE` where the daemon does not answer.
    """
    mine = here.database.get("host", here.coordinator.ref, "edition")
    editions = [host["edition"] for _, host in there.database.items("host")]
    if all(edition == mine for edition in editions):
        return
    if not here.coordinator.licensing:
        raise ApiError("V6D_FAILURE", f"The pool uses v6d. Pool edition list = [{'; '.join(editions)}]")
    if unknown := [edition for edition in (*editions, mine) if edition not in _RANKS]:
        raise ApiError("LICENSE_HOST_POOL_MISMATCH", f'Edition "{unknown[0]}" from pool is not known to v6d.')
    lowest = min(editions, key=_RANKS.__getitem__)
    if _RANKS[mine] != _RANKS[lowest]:
        raise ApiError("LICENSE_HOST_POOL_MISMATCH", f'host edition = "{mine}"', f'pool edition = "{lowest}"')


def assert_licensed(pool: Pool, feature: Feature) -> None:
    """Refuses a feature that the edition of a pool lacks.

    Raises:
        ApiError: `LICENCE_RESTRICTION [feature]`.
    """
    if not is_licensed(pool, feature):
        raise ApiError("LICENCE_RESTRICTION", feature)


def is_licensed(pool: Pool, feature: Feature) -> bool:
    """Tells whether the edition of a pool has a feature."""
    restrictions: dict[str, str] = pool.database.get("pool", pool.ref, "restrictions")
    return restrictions.get(_KEYS[feature]) != "true"
