"""Taking the CD out of a guest's drive: `/xen eject <vm>`. A CD from a local library ties a guest to its host.

XAPI counts what is in a drive as storage that the other host must reach too. The call takes effect while the guest
runs; a medium that is back in the library is lost to nobody.
"""

from __future__ import annotations

from bot.domain.calls import Call, Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import Disk, Vm
from bot.domain.plan import Check, LockKey, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, many, say
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks.grading import already, fine
from bot.operations.checks.guest import foreign_work
from bot.operations.checks.target import supported
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess_power

NAME = "eject"
# A step names the medium too: another one put into the same drive meanwhile is not what was agreed to.
_KIND = "VBD.eject:"


async def plan(vm: Vm, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for emptying the drives of `vm`. Raises what Facts.power raises."""
    return decide(await facts.power(vm.uuid, ()), approval)


def decide(facts: PowerFacts, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    vm = facts.vm
    risk = assess_power(facts, Risk.LOW, None, approval)
    inserted = [disk for disk in vm.disks if disk.cd and disk.vdi]
    locks = [LockKey("VM", vm.uuid, vm.name)]
    if facts.host is not None:
        locks.append(LockKey("host", facts.host.uuid, facts.host.name))
    what = many([_medium(disk) for disk in inserted]) if inserted else say("the CD")
    return Plan(
        operation=NAME,
        pool=vm.pool,
        title=say("Eject {cds} from {vm}", cds=what, vm=vm.name),
        refusal=say("nothing can be ejected from {vm}", vm=vm.name),
        targets=(Target("VM", vm.uuid, vm.name),),
        placements=(placement(vm),),
        checks=(supported(facts.pool, facts.hosts), _drive(vm, inserted), foreign_work(facts)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=tuple(_step(vm, disk) for disk in inserted),
        locks=tuple(locks),
        after=(say("The guest keeps running; what it reads from the CD is gone."),),
        names={facts.pool.uuid: facts.pool.name, vm.uuid: vm.name} | {one.uuid: one.name for one in facts.hosts},
        approvers=risk.approvers,
    )


def _medium(disk: Disk) -> Phrase:
    return say("“{iso}”", iso=disk.vdi_name)


def _step(vm: Vm, disk: Disk) -> Step:
    title = say("Eject {cd} from {vm}", cd=_medium(disk), vm=vm.name)
    return Step(f"{_KIND}{disk.vdi}", title, Call("VBD.eject", (Ref("VBD", disk.vbd),)))


def _drive(vm: Vm, inserted: list[Disk]) -> Check:
    key, title = "drive", "CD in the drive"
    if inserted:
        cds = many([_medium(disk) for disk in inserted])
        return fine(key, title, say("{cds} is in the drive of {vm}", cds=cds, vm=vm.name))
    fact = say("no drive of {vm} holds a CD", vm=vm.name)
    return already(key, title, fact)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    return decide(await facts.power(earlier.targets[0].uuid, ()), approval)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether the medium is out of the drive."""
    vm = of.targets[0]
    now = await facts.power(vm.uuid, ())
    drive = next((disk for disk in now.vm.disks if Ref("VBD", disk.vbd) in step.call.args), None)
    if drive is None or not drive.vdi:
        return Look(Seen.DONE, say("The CD drive of {vm} is empty", vm=vm.name), (say("Looked at: no CD inside"),))
    seen = say("Looked at: {cd} inside", cd=_medium(drive))
    if step.kind != f"{_KIND}{drive.vdi}":
        return Look(Seen.DONE, say("The CD of {vm} is out, another one is in", vm=vm.name), (seen,))
    return Look(Seen.NOT_DONE, say("The CD is still in the drive of {vm}", vm=vm.name), (seen,))


def _running(of: Plan) -> Phrase:
    return say("Ejecting the CD of {vm}", vm=of.targets[0].name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("What is out of its drive by then stays out."),
    settle_s=5.0,
)
