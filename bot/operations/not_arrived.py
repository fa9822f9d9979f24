"""What is true of a guest that is not where a job should have brought it, beyond what XAPI says of it."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.guest_facts import Whereabouts
from bot.domain.inventory import Vm
from bot.domain.plan import Plan, Target
from bot.domain.texts import Moment, Phrase, say
from bot.operations.base import Look, Seen

# Hosts tell the time of a boot in whole seconds.
_SAME_BOOT_S = 1.0


def booted(vms: Iterable[Vm]) -> dict[str, float]:
    """When each guest was booted, by UUID, for `Plan.booted`."""
    return {vm.uuid: vm.started_at for vm in vms if vm.started_at is not None}


def not_arrived(of: Plan, vm: Target, now: Whereabouts, seen: Phrase) -> Look:
    """Where a running guest is instead: its host may be silent though XAPI says it is live, or it was rebooted since.

    `seen` is what the look has seen of the guest itself.
    """
    host = of.names.get(now.host or "", now.host or "")
    before, planned = of.booted.get(vm.uuid), next((place.host for place in of.placements if place.vm == vm.uuid), None)
    if now.silent_since is not None:
        headline = say("nobody knows whether {vm} runs: {host} is silent", vm=vm.name, host=host)
        line = "{host} has not answered our own probe since {when}; XAPI still says that {vm} runs there"
        return Look(Seen.NOT_DONE, headline, (say(line, host=host, when=Moment(now.silent_since), vm=vm.name),))
    if before is not None and now.started_at is not None and now.started_at > before + _SAME_BOOT_S:
        headline = say(
            "{vm} was rebooted at {when} and runs on {host}", vm=vm.name, when=Moment(now.started_at), host=host
        )
        since = say("when this was planned it had been up since {when}", when=Moment(before))
        return Look(Seen.NOT_DONE, headline, (seen, since))
    line = "{vm} still runs on {host}" if now.host == planned else "{vm} runs on {host}"
    return Look(Seen.NOT_DONE, say(line, vm=vm.name, host=host), (seen,))
