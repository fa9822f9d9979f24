"""Each rule of a join: broken in the lab, our check names it with both values, and XAPI refuses with its own code."""

from __future__ import annotations

import pytest
from join_cases import CASES, Case
from xen_lab import EXPERIMENT, following, joined, judged, loaded, pool_settings

from bot.domain.plan import SIGNS, Grade
from bot.domain.texts import plain
from bot.errors import XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.joining.rules import rules
from bot.operations.xapi_words import known_codes
from bot.xen import Pools


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
async def test_a_broken_rule_is_named_before_and_refused_by_xapi(lab: Datacentre, case: Case) -> None:
    case.breaks(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, case.host))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, amiss = await judged(pools, case.host, "experiment")
        said = [(one.check(facts), SIGNS[one.grade]) for one in amiss]
        told = [
            line
            for check, sign in said
            for line in (f"{sign} {check.title}: {plain(check.fact)}", f"Fix: {plain(check.fix or '')}")
        ]
        assert told == case.lines
        if case.code:
            with pytest.raises(XapiFailure) as refused:
                await joined(pools, facts)
            assert refused.value.code == case.code
            assert case.code in known_codes(), "a refusal that people read in our words"
        elif case.grade is not Grade.BLOCKED:
            await joined(pools, facts)


async def test_a_host_that_fits_breaks_no_rule_and_each_rule_is_broken_above(both: Pools) -> None:
    facts, amiss = await judged(both, "xenserver4", "experiment")
    assert amiss == []
    assert {one.title for one in rules(facts)} == {case.rule for case in CASES}
