"""XAPI's own verdict, folded into ours: where both say no, it confirms; where only XAPI says no, it stops the plan."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import MigrationFacts
from bot.domain.plan import Check, Grade
from bot.domain.texts import Code, say
from bot.operations.checks.grading import blocked, fine, unknown
from bot.operations.xapi_words import explain

# Which of our checks says the same as a code of VM.assert_can_boot_here; a key covers its "key:…" details too.
_SAME = {
    "HOST_NOT_LIVE": ("live",),
    "HOST_OFFLINE": ("live",),
    "CANNOT_CONTACT_HOST": ("live",),
    "HOST_DISABLED": ("enabled",),
    "VM_REQUIRES_SR": ("storage",),
    "VM_REQUIRES_NETWORK": ("network",),
    "HOST_CANNOT_ATTACH_NETWORK": ("network",),
    "HOST_NOT_ENOUGH_FREE_MEMORY": ("memory",),
    "HOST_NOT_ENOUGH_PCPUS": ("pcpus",),
    "VM_INCOMPATIBLE_WITH_THIS_HOST": ("cpu-vendor", "cpu-features"),
    "NOT_SUPPORTED_DURING_UPGRADE": ("version",),
    "VM_HOST_INCOMPATIBLE_VERSION": ("version",),
    "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE": ("version",),
    "OPERATION_BLOCKED": ("blocked",),
    "VM_BAD_POWER_STATE": ("power",),
    "VM_IS_IMMOBILE": ("immobile",),
    "VM_NON_SUSPENDABLE": ("tools",),
    "VM_LACKS_FEATURE": ("tools",),
    "VM_LACKS_FEATURE_SUSPEND": ("tools",),
    "VM_MISSING_PV_DRIVERS": ("tools",),
    "VM_OLD_PV_DRIVERS": ("tools",),
    "VM_HAS_PCI_ATTACHED": ("pci",),
    "VM_REQUIRES_IOMMU": ("pci",),
    "VM_HAS_VGPU": ("vgpu",),
    "VM_REQUIRES_GPU": ("vgpu",),
    "VM_REQUIRES_VGPU": ("vgpu",),
    "VM_HAS_VUSBS": ("usb",),
    "OPERATION_NOT_ALLOWED": ("usb",),
    "OTHER_OPERATION_IN_PROGRESS": ("busy", "target-busy"),
}


def with_verdict(facts: MigrationFacts, checks: list[Check]) -> list[Check]:
    """`checks` with what XAPI says of them. The guest's own pool is asked; of a foreign host it knows nothing."""
    title, target = "XAPI's own verdict", facts.target
    if facts.target.pool != facts.vm.pool:
        return checks
    if facts.xapi is None:
        fact = say("XAPI could not be asked whether {vm} can run on {host}", vm=facts.vm.name, host=target.name)
        return [*checks, unknown("xapi", title, fact, say("Ask again in a moment."))]
    code = facts.xapi.code
    if not code:
        return [*checks, fine("xapi", title, say("XAPI has no objection to {host}", host=target.name))]
    agreed = next((index for index, check in enumerate(checks) if _says_the_same(check, code)), None)
    if agreed is None:
        fact = say("XAPI refuses: {why} ({code})", why=explain(code, facts.xapi.params), code=Code(code))
        if code not in _SAME and not facts.xapi.params:
            fact = say("XAPI refuses: {why}", why=explain(code, facts.xapi.params))
        fix = say("Mend what XAPI names, or choose another host.")
        return [*checks, blocked("xapi", title, fact, fix)]
    known = checks[agreed]
    fact = say("{fact}. XAPI says the same ({code})", fact=known.fact, code=Code(code))
    return [*checks[:agreed], msgspec.structs.replace(known, fact=fact), *checks[agreed + 1 :]]


def _says_the_same(check: Check, code: str) -> bool:
    if check.grade is not Grade.BLOCKED:
        return False
    return check.key.partition(":")[0] in _SAME.get(code, ())
