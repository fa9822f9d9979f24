import math

from hypothesis import given
from hypothesis import strategies as st

from bot.xen import memory

vcpus = st.integers(1, 64)
mib = st.integers(1, 1 << 20)
multipliers = st.floats(0.1, 8.0)


def test_the_overhead_of_a_small_hvm_guest_is_the_sum_of_its_parts() -> None:
    # 1 + 1 + shadow (256·2 + 2·2048 pages = 18 MiB) + 38·2 pages.
    assert memory.overhead_mib(domain_type="hvm", static_max_mib=2048, vcpus=2) == 1 + 1 + 18 + 1


@given(static=mib, cpus=vcpus, multiplier=multipliers)
def test_overhead_is_ordered_by_kind_of_guest(static: int, cpus: int, multiplier: float) -> None:
    pv, hvm, inside = (
        memory.overhead_mib(domain_type=kind, static_max_mib=static, vcpus=cpus, shadow_multiplier=multiplier)
        for kind in ("pv", "hvm", "pv_in_pvh")
    )
    assert pv + 1 == hvm
    assert inside == hvm + 23 + static // 90


@given(static=mib, cpus=vcpus)
def test_overhead_never_falls_when_a_guest_grows(static: int, cpus: int) -> None:
    small = memory.overhead_mib(domain_type="hvm", static_max_mib=static, vcpus=cpus)
    assert small >= 1 + 1 + 1 + 1
    assert memory.overhead_mib(domain_type="hvm", static_max_mib=static + 1, vcpus=cpus) >= small
    assert memory.overhead_mib(domain_type="hvm", static_max_mib=static, vcpus=cpus + 1) >= small


@given(low=st.integers(1, 1 << 40), more=st.integers(0, 1 << 40), cpus=vcpus)
def test_a_guest_needs_whole_mebibytes_and_at_least_its_dynamic_minimum(low: int, more: int, cpus: int) -> None:
    needed = memory.needed(domain_type="hvm", dynamic_min=low, static_max=low + more, vcpus=cpus)
    assert needed % memory.MIB == 0
    assert needed > low
    held = memory.needed(domain_type="pv_in_pvh", dynamic_min=low, static_max=low + more, vcpus=cpus)
    assert held >= math.ceil((low + more) / memory.MIB) * memory.MIB


@given(
    total=st.integers(0, 1 << 50),
    overhead=st.integers(0, 1 << 40),
    guests=st.lists(st.integers(0, 1 << 45), max_size=20),
)
def test_free_memory_is_what_is_left_and_never_negative(total: int, overhead: int, guests: list[int]) -> None:
    free = memory.free(total=total, overhead=overhead, guests=guests)
    assert free == max(0, total - overhead - sum(guests))
