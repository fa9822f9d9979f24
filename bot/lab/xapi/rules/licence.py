"""What the edition of a pool allows."""

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
