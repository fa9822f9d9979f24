"""Values that JSON has no type for, and how the simulated XAPI names, dates and measures things.

Records hold `str`, `int`, `float`, `bool`, `list`, `dict`, `Date`; the wire modules encode by these types.
"""

import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

# What a field holds or a client sends: typed at run time, by the data model.
Value = Any

NULL_REF: Final = "OpaqueRef:NULL"
MIB: Final = 1024**2
GIB: Final = 1024**3
_WRITTEN: Final = "%Y%m%dT%H:%M:%SZ"
_NAMESPACE: Final = uuid.UUID("6f1c9a52-6a55-4a1f-9d0e-2b8f9c1d7e30")


class Date(str):
    """A date as XAPI writes it: `20260821T02:00:23Z`, compact and always UTC."""

    __slots__ = ()


class SmallInt(int):
    """An integer that XML-RPC sends as `<i4>`: only `valid_ref_counts` has them."""

    __slots__ = ()


EPOCH: Final = Date("19700101T00:00:00Z")  # what XAPI means by "never"


def past(days: int = 0) -> Date:
    """Returns this second some days ago: for records that a world begins with, which is before its clock runs."""
    return Date((datetime.now(UTC) - timedelta(days=days)).strftime(_WRITTEN))


def shifted(date: Date, seconds: float) -> Date:
    """Returns the date so many seconds later."""
    moment = datetime.strptime(date, _WRITTEN).replace(tzinfo=UTC) + timedelta(seconds=seconds)
    return Date(moment.strftime(_WRITTEN))


def new_ref() -> str:
    """Returns a fresh opaque reference."""
    return f"OpaqueRef:{uuid.uuid4()}"


def new_uuid() -> str:
    """Returns a fresh UUID."""
    return str(uuid.uuid4())


def stable_uuid(*names: str) -> str:
    """Returns the UUID that these names always have, so that a world is the same at every start."""
    return str(uuid.uuid5(_NAMESPACE, "\x00".join(names)))


def is_address(text: str) -> bool:
    """Tells whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
