"""Does what `controls` can ask: arms faults, cuts power, moves the coordinator, changes the world from outside."""

from typing import Any

from bot.lab.xapi import breakage, breaking, controls, meddling, nfs_switches, strangers, upheaval
from bot.lab.xapi.clock import Clock, Gate
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.nfs import Outside
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import host_power, toolstack
from bot.lab.xapi.rules.tempers import set_temper
from bot.lab.xapi.schema.model import CLASSES


class Hands:
    """The hands that break a datacentre.

    Args:
        pools: All pools.
        clock: Simulated time.
        gate: Where work can be held.
        faults: What is armed.
        outside: The NFS servers.
    """

    def __init__(self, *, pools: list[Pool], clock: Clock, gate: Gate, faults: Faults, outside: Outside) -> None:
        self._pools = pools
        self._clock = clock
        self._gate = gate
        self._faults = faults
        self._outside = outside

    async def do(self, control: controls.AnyControl) -> dict[str, Any]:
        """Does one request.

        Raises:
            ValueError: It names something that is not there.
        """
        match control:
            case controls.Arm(fault=fault):
                self._check_fault(fault.host)
                return {"ok": True, "name": self._faults.arm(fault)}
            case controls.ArmStream(fault=stream_fault):
                self._check_fault(stream_fault.host)
                return {"ok": True, "name": self._faults.arm_stream(stream_fault)}
            case controls.Release(name=name):
                self._faults.release(name)
            case controls.ClearFaults():
                self._faults.release_all()
                self._gate.release()
            case controls.ExpireSessions():
                for pool in self._pools:
                    pool.sessions.close_all()
            case _:
                await self._switch(control)
        return {"ok": True}

    async def _change_time(self, control: controls.AnyControl) -> None:
        match control:
            case controls.SetSpeed(speed=speed):
                self._clock.set_speed(speed)
            case controls.StopClock():
                self._clock.stop()
            case controls.RunClock():
                self._clock.run()
            case controls.Advance(seconds=seconds):
                await self._clock.advance(seconds)
            case controls.HoldTasks():
                self._gate.hold()
            case controls.PauseTasks(at=at):
                self._gate.pause(at)
            case controls.ReleaseTasks():
                self._gate.release()
            case _:
                await self._meddle(control)

    async def _meddle(self, control: controls.AnyControl) -> None:
        match control:
            case meddling.CrashGuest(guest=guest):
                strangers.end_guest(*self._find("VM", guest), how="crash")
            case meddling.StopGuest(guest=guest, how=how):
                strangers.end_guest(*self._find("VM", guest), how=how)
            case meddling.MoveGuest(guest=guest, host=host):
                pool, vm = self._find("VM", guest)
                await strangers.move_guest(pool, vm, self._find_member(pool, host))
            case meddling.OccupyGuest(guest=guest, operation=operation, seconds=seconds):
                strangers.occupy_guest(*self._find("VM", guest), operation, seconds)
            case meddling.OccupyStorage(sr=sr, operation=operation, seconds=seconds):
                strangers.occupy_storage(*self._find("SR", sr), operation, seconds)
            case meddling.OccupyHost(host=host, operation=operation, seconds=seconds):
                pool, machine = self._find_host(host)
                strangers.occupy_host(pool, machine.ref, operation, seconds)
            case meddling.BlockOperation(guest=guest, operation=operation, reason=reason):
                strangers.block_operation(*self._find("VM", guest), operation, reason)
            case meddling.UnblockOperation(guest=guest, operation=operation):
                strangers.block_operation(*self._find("VM", guest), operation, None)
            case meddling.Set():
                self._set_field(control)
            case _:
                self._burden(control)

    def _burden(self, control: controls.AnyControl) -> None:
        match control:
            case meddling.TemperGuest(guest=guest, temper=temper):
                set_temper(*self._find("VM", guest), None if temper == "obeys" else temper)
            case meddling.WriteData(guest=guest, gib=gib):
                strangers.write_data(*self._find("VM", guest), gib)
            case meddling.FillStorage(sr=sr, free_gib=free_gib):
                strangers.fill_storage(*self._find("SR", sr), free_gib)
            case meddling.SkewClock(host=host, seconds=seconds):
                self._find_host(host)[1].clock_ahead_s = seconds
            case meddling.StrainControlDomain(host=host, load=load, free_mib=free_mib):
                machine = self._find_host(host)[1]
                machine.control_load = load
                machine.control_free = free_mib << 20 if free_mib is not None else None
            case meddling.UnplugStorage(sr=sr, host=host) | meddling.PlugStorage(sr=sr, host=host):
                pool, storage = self._find("SR", sr)
                attached = isinstance(control, meddling.PlugStorage)
                strangers.plug_storage(pool, storage, self._find_member(pool, host), attached=attached)
            case meddling.SwitchNfs():
                nfs_switches.turn(self._pools, self._outside, control)
            case _:
                self._break_host(control)

    def _break_host(self, control: controls.AnyControl) -> None:
        match control:
            case breaking.LosePaths(host=host, sr=sr):
                pool, machine = self._find_host(host)
                breakage.lose_paths(pool, machine, self._find_of(pool, sr) if sr else None, control)
            case breaking.PullCable():
                breakage.pull_cable(*self._find_host(control.host), control)
            case breaking.EndCertificate():
                breakage.end_certificate(*self._find_host(control.host), control)
            case breaking.ShrinkControlDomain():
                breakage.shrink_control_domain(*self._find_host(control.host), control)
            case breaking.SwitchLicensing(host=host, daemon=daemon):
                self._find_host(host)[1].licensing = daemon == "running"
            case breaking.LoseCertificateFile(host=host, file=file):
                self._find_host(host)[1].lost_file = file

    async def _switch(self, control: controls.AnyControl) -> None:
        match control:
            case controls.MoveCoordinator():
                self._move_coordinator(control)
            case (
                controls.KillHost()
                | controls.StartHost()
                | controls.CutNetwork()
                | controls.RestoreNetwork()
                | controls.RestartToolstack()
            ):
                await _touch(control, *self._find_host(control.host))
            case _:
                await self._change_time(control)

    def _move_coordinator(self, control: controls.MoveCoordinator) -> None:
        pool, machine = self._find_host(control.host)
        names = {"", pool.name, pool.database.get("pool", pool.ref, "uuid")}
        if control.pool not in names:
            raise ValueError(f"Host {control.host!r} is not in pool {control.pool!r}.")
        if not machine.is_alive:
            raise ValueError(f"Host {control.host!r} is off: it cannot become the coordinator before it is started.")
        toolstack.take_over(pool, machine, told=list(pool.machines.values()))

    def _check_fault(self, host: str) -> None:
        if host:
            self._find_host(host)

    def _find_host(self, name: str) -> tuple[Pool, Machine]:
        for pool in self._pools:
            for machine in pool.machines.values():
                if machine.name == name:
                    return pool, machine
        raise ValueError(f"There is no host {name!r}.")

    def _find_member(self, pool: Pool, name: str) -> str:
        owner, machine = self._find_host(name)
        if owner is not pool:
            raise ValueError(f"Host {name!r} is in another pool.")
        return machine.ref

    def _find_of(self, pool: Pool, text: str) -> str:
        owner, storage = self._find("SR", text)
        if owner is not pool:
            raise ValueError(f"Storage {text!r} is in another pool.")
        return storage

    def _find(self, class_name: str, text: str) -> tuple[Pool, str]:
        """Returns the object of that UUID, or the only one of that name."""
        named = []
        for pool in self._pools:
            for ref, record in pool.database.items(class_name):
                if record["uuid"] == text:
                    return pool, ref
                if record["name_label"] == text and not record.get("is_a_template"):
                    named.append((pool, ref))
        if len(named) != 1:
            raise ValueError(f"{'No' if not named else 'More than one'} {class_name} is called {text!r}.")
        return named[0]

    def _set_field(self, control: meddling.Set) -> None:
        if control.class_name not in CLASSES:
            raise ValueError(f"There is no class {control.class_name!r}.")
        for pool in self._pools:
            for ref, record in pool.database.items(control.class_name):
                if record["uuid"] == control.uuid:
                    upheaval.set_field(pool, control.class_name, ref, control.field, control.value)
                    return
        raise ValueError(f"No {control.class_name} has the uuid {control.uuid!r}.")


async def _touch(control: controls.AnyControl, pool: Pool, machine: Machine) -> None:
    """Switches a machine, its network or its toolstack."""
    match control:
        case controls.KillHost() if machine.is_alive:
            await host_power.cut_power(pool, machine)
        case controls.StartHost() if not machine.is_alive:
            await host_power.give_power(pool, machine)
        case controls.CutNetwork() if machine.is_reachable:
            await host_power.cut_network(pool, machine)
        case controls.RestoreNetwork() if machine.is_cut:
            await host_power.restore_network(pool, machine)
        case controls.RestartToolstack() if machine.is_alive:
            toolstack.restart_toolstack(pool, machine)
        case _:
            is_off = "off" if not machine.is_alive else "on"
            raise ValueError(f"That makes no sense: {machine.name!r} is {is_off}{', cut off' * machine.is_cut}.")
