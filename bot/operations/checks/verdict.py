"""XAPI's own verdicts beside ours: where both say no, one confirms the other; where they disagree, that is said.

XAPI stops at its first objection, so what it names later than ours it has passed over, and what comes after its first
one it has not judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from bot.domain.disk_moves import DiskMoveFacts, SendFacts
from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.plan import Check, Grade, Plan
from bot.domain.texts import Code, Phrase, say
from bot.operations.checks.grading import blocked, fine, unknown
from bot.operations.checks.guest import OWN_BLOCK
from bot.operations.xapi_words import explain

_TITLE = "XAPI's own verdict"


class _Question(msgspec.Struct, frozen=True):
    """One question to XAPI: which of our checks says the same as a code, in XAPI's order of checking.

    `apart` are checks that XAPI does not really make when asked this: its silence on them says nothing. `fix` is what
    to do where XAPI alone objects.
    """

    key: str
    same: tuple[tuple[str, str], ...]
    apart: frozenset[str] = frozenset()
    fix: str = "Mend what XAPI names, or choose another host."

    def keys(self, code: str) -> tuple[str, ...]:
        """Our checks that say the same as `code`; a key covers its "key:…" details too."""
        return tuple(key for known, key in self.same if known == code)

    def passed(self, key: str, code: str) -> bool:
        """Whether XAPI has judged what our check `key` judges and found nothing wrong, given its first objection."""
        first = next((place for place, (known, _) in enumerate(self.same) if known == code), None)
        last = max((place for place, (_, ours) in enumerate(self.same) if ours == key), default=None)
        if last is None or key in self.apart or (code and first is None):
            return False
        return first is None or last < first


_MOVABLE = _Question(
    "xapi-move",
    (
        ("OPERATION_BLOCKED", "blocked"),
        ("VM_BAD_POWER_STATE", "power"),
        ("OTHER_OPERATION_IN_PROGRESS", "busy"),
        ("VM_IS_IMMOBILE", "immobile"),
        ("VM_IS_IMMOBILE", "nested"),
        ("VM_NON_SUSPENDABLE", "tools"),
        ("VM_LACKS_FEATURE", "tools"),
        ("VM_LACKS_FEATURE_SUSPEND", "tools"),
        ("VM_MISSING_PV_DRIVERS", "tools"),
        ("VM_OLD_PV_DRIVERS", "tools"),
        ("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "resets"),
        ("VM_HAS_PCI_ATTACHED", "pci"),
        ("VM_HAS_VGPU", "vgpu"),
        ("VM_HAS_VUSBS", "usb"),
    ),
)
# The same list stands before a storage migration, but XAPI admits guests there that do not run.
_STORAGE = _Question("xapi-move", _MOVABLE.same, frozenset({"power"}), "Mend what XAPI names, then ask again.")
_CAN_RUN = _Question(
    "xapi",
    (
        ("VM_HOST_INCOMPATIBLE_VERSION", "version"),
        ("VM_HOST_INCOMPATIBLE_VERSION_MIGRATE", "version"),
        ("NOT_SUPPORTED_DURING_UPGRADE", "version"),
        ("MEMORY_CONSTRAINT_VIOLATION", "limits"),
        ("MEMORY_CONSTRAINT_VIOLATION_ORDER", "limits"),
        ("HOST_NOT_LIVE", "live"),
        ("HOST_OFFLINE", "live"),
        ("CANNOT_CONTACT_HOST", "live"),
        ("HOST_DISABLED", "enabled"),
        ("VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION", "hardware"),
        ("VM_INCOMPATIBLE_WITH_THIS_HOST", "cpu-vendor"),
        ("VM_INCOMPATIBLE_WITH_THIS_HOST", "cpu-features"),
        ("VM_REQUIRES_SR", "storage"),
        ("VM_REQUIRES_SR", "iso"),
        ("VM_REQUIRES_NETWORK", "network"),
        ("HOST_CANNOT_ATTACH_NETWORK", "network"),
        ("VM_REQUIRES_IOMMU", "pci"),
        ("NETWORK_SRIOV_INSUFFICIENT_CAPACITY", "pci"),
        ("VM_REQUIRES_GPU", "vgpu"),
        ("VM_REQUIRES_VGPU", "vgpu"),
        ("OPERATION_NOT_ALLOWED", "usb"),
        ("VM_HVM_REQUIRED", "hvm"),
        ("HOST_NOT_ENOUGH_FREE_MEMORY", "memory"),
        ("HOST_NOT_ENOUGH_PCPUS", "pcpus"),
        ("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN", "ha"),
        ("OTHER_OPERATION_IN_PROGRESS", "target-busy"),
        ("LICENCE_RESTRICTION", "licence"),
    ),
    # It knows nothing of our probe, counts devices of a guest that runs as given, plans its own evacuations, and looks
    # at the licence only once the work has begun.
    frozenset({"live", "licence", "pci", "vgpu", "usb", "ha", "target-busy"}),
)
# What is asked about storage elsewhere, or not at all, in a move together with disks.
_ELSEWHERE = frozenset({"VM_REQUIRES_SR", "NOT_SUPPORTED_DURING_UPGRADE", "LICENCE_RESTRICTION"})
# Asked whether it would do this very move, XAPI begins with the first list, then looks at the disks' SRs, at whether
# the guest could run there (storage left out), and last at each disk. It never computes whether there is room.
_CAN_SEND = _Question(
    "xapi",
    (
        ("LICENCE_RESTRICTION", "licence"),
        ("HOST_CANNOT_ATTACH_NETWORK", "transfer"),
        ("PIF_HAS_NO_NETWORK_CONFIGURATION", "transfer"),
        ("INTERFACE_HAS_NO_IP", "transfer"),
        ("NOT_SUPPORTED_DURING_UPGRADE", "version"),
        ("SR_DOES_NOT_SUPPORT_MIGRATION", "target-type"),
        ("SR_DOES_NOT_SUPPORT_MIGRATION", "disk"),
        *((code, key) for code, key in _CAN_RUN.same if code not in _ELSEWHERE),
        ("SR_NOT_ATTACHED", "target-seen"),
        ("VDI_CBT_ENABLED", "disk"),
        ("VDI_IS_ENCRYPTED", "disk"),
        ("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", "disk"),
        ("VDI_INCOMPATIBLE_TYPE", "disk"),
    ),
    # Of a disk it looks at some things only, and of the SR it goes to at nothing but what its driver can do.
    (_CAN_RUN.apart - {"licence"}) | {"disk", "target-seen"},
    "Mend what XAPI names, or choose another host or SR.",
)


def with_verdict(facts: MigrationFacts, checks: list[Check]) -> list[Check]:
    """`checks` with what XAPI says of them. The guest's own pool is asked; of a foreign host it knows nothing."""
    if facts.target.pool != facts.vm.pool:
        return checks
    movable = _without_own_block(facts)
    if facts.xapi is None or movable is None:
        fact = say("XAPI could not be asked whether {vm} can run on {host}", vm=facts.vm.name, host=facts.target.name)
        return [*checks, unknown("xapi", _TITLE, fact, say("Ask again in a moment."))]
    checks = _compared(_CAN_RUN, facts.xapi, _compared(_MOVABLE, movable, checks))
    if facts.xapi.code:
        return checks
    if movable.code:
        fact = say("XAPI would let {vm} run on {host}", vm=facts.vm.name, host=facts.target.name)
    else:
        fact = say("XAPI has no objection to {host}", host=facts.target.name)
    return [*checks, fine("xapi", _TITLE, fact)]


def foreseen(plan: Plan, code: str) -> Phrase:
    """Which check of a move looks for what XAPI's failure `code` tells, and what it had found; or that none does."""
    keys = {*_MOVABLE.keys(code), *_CAN_RUN.keys(code)}
    if not keys:
        return say("No check before a move looks for this.")
    passed = (check for check in plan.checks if check.grade is Grade.OK and check.key.partition(":")[0] in keys)
    found = next(passed, None)
    if found is None:
        return say("A check before the move looks for this; it had found nothing in the way.")
    return say("The check “{title}” looks for this; it had found: {fact}.", title=found.title, fact=found.fact)


def with_storage_verdict(facts: DiskMoveFacts, checks: list[Check]) -> list[Check]:
    """`checks` with what XAPI says of moving the guest's storage."""
    movable = _without_own_block(facts, "migrate_send") or facts.movable
    checks = _compared(_STORAGE, movable, checks)
    if movable.code:
        return checks
    return [*checks, fine("xapi", _TITLE, say("XAPI has no objection to moving the disks of {vm}", vm=facts.vm.name))]


def with_sending_verdict(facts: SendFacts, checks: list[Check]) -> list[Check]:
    """`checks` with what XAPI says of moving the guest together with its disks; of a foreign host it knows nothing."""
    move = facts.move
    if move.target.pool != move.vm.pool:
        return checks
    movable = _without_own_block(move, "migrate_send")
    if movable is None or (move.xapi is None and not any(_stops(check) for check in checks)):
        fact = say("XAPI could not be asked whether {vm} can go to {host}", vm=move.vm.name, host=move.target.name)
        return [*checks, unknown("xapi", _TITLE, fact, say("Ask again in a moment."))]
    checks = _compared(_STORAGE, movable, checks)
    # Asked about the move itself it begins with the same list, so what stops there was told already.
    if move.xapi is None or movable.code or movable is not move.movable:
        return checks
    checks = _compared(_CAN_SEND, move.xapi, checks)
    if move.xapi.code:
        return checks
    fact = say("XAPI has no objection to this move to {host}", host=move.target.name)
    return [*checks, fine("xapi", _TITLE, fact)]


def _without_own_block(facts: MigrationFacts | DiskMoveFacts, operation: str = "pool_migrate") -> XapiVerdict | None:
    """The first verdict; a block that we set ourselves does not count, and hides what comes after it."""
    reason = facts.vm.blocked_operations.get(operation, "")
    if facts.movable is not None and facts.movable.code == "OPERATION_BLOCKED" and reason.startswith(OWN_BLOCK):
        return XapiVerdict("")
    return facts.movable


def _compared(question: _Question, verdict: XapiVerdict, checks: list[Check]) -> list[Check]:
    keys = question.keys(verdict.code)
    agreed = next((place for place, check in enumerate(checks) if _stops(check) and _key(check) in keys), None)
    told: list[Check] = []
    for place, check in enumerate(checks):
        key = _key(check)
        if place == agreed:
            fact = say("{fact}. XAPI says the same ({code})", fact=check.fact, code=Code(verdict.code))
            told.append(msgspec.structs.replace(check, fact=fact))
        elif _stops(check) and key not in keys and question.passed(key, verdict.code):
            fact = say("{fact}. XAPI disagrees: it was asked and does not object to this", fact=check.fact)
            told.append(msgspec.structs.replace(check, fact=fact))
        else:
            told.append(check)
    return told if agreed is not None or not verdict.code else [*told, _alone(question, verdict, keys)]


def _alone(question: _Question, verdict: XapiVerdict, keys: tuple[str, ...]) -> Check:
    """What only XAPI objects to. It decides in the end, so it stops the plan whatever we think."""
    why = explain(verdict.code, verdict.params)
    fix = say(question.fix)
    if keys:
        fact = say(
            "XAPI refuses: {why} ({code}). Our own check of this found nothing", why=why, code=Code(verdict.code)
        )
    elif verdict.params:
        fact = say("XAPI refuses: {why} ({code})", why=why, code=Code(verdict.code))
    else:
        fact = say("XAPI refuses: {why}", why=why)
    return blocked(question.key, _TITLE, fact, fix)


def _stops(check: Check) -> bool:
    return check.grade is Grade.BLOCKED


def _key(check: Check) -> str:
    return check.key.partition(":")[0]


def objection(verdict: XapiVerdict | None, said: Collection[str]) -> Iterator[Check]:
    """XAPI's own verdict on a call; no check where ours say the same as its code, which is one of `said`."""
    key, title = "xapi", _TITLE
    if verdict is None:
        yield unknown(key, title, say("XAPI could not be asked"), say("Ask again in a moment."))
    elif not verdict.code:
        yield fine(key, title, say("XAPI has no objection"))
    elif verdict.code not in said:
        why = explain(verdict.code, verdict.params)
        fact = say("XAPI refuses: {why} ({code})", why=why, code=Code(verdict.code))
        yield blocked(key, title, fact, say("Mend what XAPI names."))
