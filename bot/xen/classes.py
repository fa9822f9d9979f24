"""The classes of XAPI that the bot follows, and the way from what comes over the wire to their records."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from bot.xen.records import (
    HostMetricsRecord,
    HostRecord,
    MessageRecord,
    NetworkRecord,
    PbdRecord,
    PifRecord,
    PoolRecord,
    Record,
    SrRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmGuestMetricsRecord,
    VmMetricsRecord,
    VmRecord,
)
from bot.xen.records_of_health import BondRecord, CertificateRecord, PifMetricsRecord

RECORDS: Final[tuple[type[Record], ...]] = (
    PoolRecord,
    HostRecord,
    HostMetricsRecord,
    VmRecord,
    VmMetricsRecord,
    VmGuestMetricsRecord,
    VbdRecord,
    VdiRecord,
    SrRecord,
    PbdRecord,
    VifRecord,
    NetworkRecord,
    PifRecord,
    PifMetricsRecord,
    BondRecord,
    CertificateRecord,
    TaskRecord,
    MessageRecord,
)
#: Events name classes in lower case.
BY_EVENT_CLASS: Final = {kind.cls.lower(): kind for kind in RECORDS}


def convert(kind: type[msgspec.Struct], wire: Any) -> Any:  # noqa: ANN401  one function for every record
    """A record from an XML-RPC struct, where integers are strings. Raises msgspec.ValidationError."""
    return msgspec.convert(wire, kind, strict=False)
