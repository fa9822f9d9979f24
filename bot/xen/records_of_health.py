"""XAPI records that only the health of a pool is judged by; as those of `records`."""

from __future__ import annotations

from typing import ClassVar

from bot.xen.faults import NULL_REF
from bot.xen.records import Record


class PifMetricsRecord(Record, frozen=True, gc=False):
    """`PIF_metrics`: whether the network card sees a cable with somebody at its end; None where it is not told."""

    cls: ClassVar[str] = "PIF_metrics"
    carrier: bool | None = None


class BondRecord(Record, frozen=True, gc=False):
    """A `Bond`: `master` is the PIF that stands for it, `links_up` how many of its `slaves` carry."""

    cls: ClassVar[str] = "Bond"
    master: str = NULL_REF
    slaves: tuple[str, ...] = ()
    links_up: int = 0


class CertificateRecord(Record, frozen=True, gc=False):
    """A `Certificate`: `type` is `host` for what clients see, `host_internal` for other hosts, `ca` for authorities.

    A newer server has `pinned` as well, for the very certificate of another server. What it was told to trust has no
    `name` but a `purpose`, or none where it is good for everything.
    """

    cls: ClassVar[str] = "Certificate"
    type: str = ""
    host: str = NULL_REF
    name: str = ""
    not_after: str = ""
    fingerprint: str = ""
    purpose: tuple[str, ...] = ()
