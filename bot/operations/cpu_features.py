"""CPU feature sets as XAPI writes them: hexadecimal words of 32 bits joined by "-", in Xen's order of CPUID leaves.

A guest may move to a host whose set contains every bit the guest was booted with; a shorter set ends in zeros.
"""

from __future__ import annotations

import re

_SET = re.compile(r"[0-9a-fA-F]{1,8}(-[0-9a-fA-F]{1,8})*")
# Word and bit in Xen's public order (leaf 1 edx and ecx, 0x80000001 edx and ecx, 0xd.1 eax, 7.0 ebx and ecx, ...): the
# ones a person meets in data sheets. Bits without a name here are counted.
_NAMES = {
    (1, 0): "sse3",
    (1, 1): "pclmulqdq",
    (1, 9): "ssse3",
    (1, 12): "fma",
    (1, 19): "sse4.1",
    (1, 20): "sse4.2",
    (1, 22): "movbe",
    (1, 23): "popcnt",
    (1, 25): "aes",
    (1, 26): "xsave",
    (1, 28): "avx",
    (1, 29): "f16c",
    (1, 30): "rdrand",
    (3, 5): "lzcnt",
    (3, 6): "sse4a",
    (3, 8): "prefetchw",
    (3, 11): "xop",
    (3, 16): "fma4",
    (5, 3): "bmi1",
    (5, 4): "hle",
    (5, 5): "avx2",
    (5, 7): "smep",
    (5, 8): "bmi2",
    (5, 10): "invpcid",
    (5, 11): "rtm",
    (5, 14): "mpx",
    (5, 16): "avx512f",
    (5, 17): "avx512dq",
    (5, 18): "rdseed",
    (5, 19): "adx",
    (5, 20): "smap",
    (5, 23): "clflushopt",
    (5, 24): "clwb",
    (5, 28): "avx512cd",
    (5, 29): "sha",
    (5, 30): "avx512bw",
    (5, 31): "avx512vl",
    (6, 2): "umip",
    (6, 8): "gfni",
    (6, 9): "vaes",
    (6, 11): "avx512_vnni",
    (9, 26): "ibrs",
    (9, 27): "stibp",
    (9, 31): "ssbd",
}


def parse(text: str) -> tuple[int, ...] | None:
    """The words of a set; None for an empty or unreadable one."""
    if not _SET.fullmatch(text):
        return None
    return tuple(int(word, 16) for word in text.split("-"))


def missing(needed: tuple[int, ...], offered: tuple[int, ...]) -> tuple[list[str], int]:
    """What `offered` lacks of `needed`: the usual names of the features that have one, and how many bits in all."""
    names: list[str] = []
    count = 0
    for index, word in enumerate(needed):
        lacking = word & ~(offered[index] if index < len(offered) else 0)
        for bit in range(32):
            if lacking >> bit & 1:
                count += 1
                if (index, bit) in _NAMES:
                    names.append(_NAMES[index, bit])
    return names, count
