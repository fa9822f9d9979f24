"""XAPI's arithmetic of memory (bytes unless said otherwise), so that a plan can name the figures XAPI will compare."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

MIB: Final = 1 << 20

#: Shadow and bookkeeping memory that Xen needs per virtual CPU: 256 and 38 pages of 4 KiB, counted as 256 to the MiB.
_SHADOW_PAGES_PER_VCPU: Final = 256
_EXTRA_PAGES_PER_VCPU: Final = 38
_PAGES_PER_MIB: Final = 256


def overhead_mib(*, domain_type: str, static_max_mib: int, vcpus: int, shadow_multiplier: float = 1.0) -> int:
    """What Xen needs on top of a guest's own memory, in MiB, as XAPI computes it before a start or migration."""
    per_vcpu = math.ceil(_EXTRA_PAGES_PER_VCPU * vcpus / _PAGES_PER_MIB)
    if domain_type == "pv":
        return 1 + _shadow_mib(static_max_mib, vcpus, shadow_multiplier) + per_vcpu
    hvm = 1 + 1 + _shadow_mib(static_max_mib, vcpus, shadow_multiplier) + per_vcpu
    if domain_type == "pv_in_pvh":
        return hvm + 23 + static_max_mib // 90
    return hvm


def needed(
    *,
    domain_type: str,
    dynamic_min: int,
    static_max: int,
    vcpus: int,
    shadow_multiplier: float = 1.0,
) -> int:
    """What a host must have free to take this guest, in bytes: it may be ballooned down to its dynamic minimum."""
    own = static_max if domain_type == "pv_in_pvh" else dynamic_min
    extra = overhead_mib(
        domain_type=domain_type,
        static_max_mib=math.ceil(static_max / MIB),
        vcpus=vcpus,
        shadow_multiplier=shadow_multiplier,
    )
    return math.ceil(own / MIB) * MIB + extra * MIB


def free(*, total: int, overhead: int, guests: Iterable[int]) -> int:
    """What `host.compute_free_memory` answers: never below 0, and not `host_metrics.memory_free`.

    `guests` holds dynamic minimum plus recorded overhead of every VM that is, or is scheduled to be, on the host, the
    control domain included.
    """
    return max(0, total - overhead - sum(guests))


def _shadow_mib(static_max_mib: int, vcpus: int, multiplier: float) -> int:
    pages = _SHADOW_PAGES_PER_VCPU * vcpus + 2 * static_max_mib
    return max(1, math.trunc(multiplier * math.ceil(pages / _PAGES_PER_MIB)))
