"""What the storage drivers of a host must be told, and which of them there are."""

from collections.abc import Mapping
from typing import Final

from bot.lab.xapi.errors import ApiError, driver_failure

# What a driver must be told, and its error when it is not.
DRIVERS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    "nfs": (("server", 102), ("serverpath", 101)),
    "ext": (("device", 90),),
    "lvm": (("device", 90),),
    "lvmoiscsi": (("target", 95), ("targetIQN", 96), ("SCSIid", 107)),
    "lvmohba": (("SCSIid", 107),),
    "iso": (("location", 220),),
    "smb": (("server", 102),),
    "udev": (("location", 94),),
}
_TEXTS: Final[Mapping[int, str]] = {220: "'Location' parameter must be specified in Device Configuration"}


def check_kind(kind: str) -> str:
    """Returns the name of a driver as servers write it.

    Raises:
        ApiError: `SR_UNKNOWN_DRIVER`.
    """
    if kind.lower() not in DRIVERS:
        raise ApiError("SR_UNKNOWN_DRIVER", kind.lower())
    return kind.lower()


def check_configuration(kind: str, device_config: dict[str, str]) -> None:
    """Refuses what a driver cannot work with.

    Raises:
        ApiError: The failure of the driver.
    """
    for key, code in DRIVERS[kind]:
        if not device_config.get(key):
            raise driver_failure(code, _TEXTS.get(code, f"The request is missing the {key} parameter"))
