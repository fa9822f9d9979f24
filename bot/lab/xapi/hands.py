"""Does what `controls` can ask: arms faults, cuts power, moves the coordinator, changes the world from outside."""

from collections.abc import Callable
from typing import Any

from bot.lab.xapi import controls, upheaval
from bot.lab.xapi.clock import Clock, Gate
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.server import HostServer


class Hands:
    """The hands that break a datacentre.

    Args:
        pools: All pools.
        servers: The sockets of each host, by its name.
        clock: Simulated time.
        gate: Where work can be held.
        faults: What is armed.
        ports: Returns the HTTPS and the HTTP port that a host comes back on.
    """

    def __init__(
        self,
        *,
        pools: list[Pool],
        servers: dict[str, HostServer],
        clock: Clock,
        gate: Gate,
        faults: Faults,
        ports: Callable[[], tuple[int, int]],
    ) -> None:
        self._pools = pools
        self._servers = servers
        self._clock = clock
        self._gate = gate
        self._faults = faults
        self._ports = ports

    async def do(self, control: controls.AnyControl) -> dict[str, Any]:
        """Does one request.

        Raises:
            ValueError: It names something that is not there.
        """
        match control:
            case controls.Arm(fault=fault):
                return {"ok": True, "name": self._faults.arm(fault)}
            case controls.Release(name=name):
                self._faults.release(name)
            case controls.ClearFaults():
                self._faults.release_all()
                self._gate.release()
            case controls.ExpireSessions():
                for pool in self._pools:
                    pool.sessions.close_all()
            case controls.Set():
                self._set_field(control)
            case controls.KillHost() | controls.StartHost():
                await self._switch(control)
            case controls.MoveCoordinator() | controls.RestartToolstack():
                self._restart(control)
            case _:
                self._change_time(control)
        return {"ok": True}

    def _change_time(self, control: controls.AnyControl) -> None:
        match control:
            case controls.SetSpeed(speed=speed):
                self._clock.set_speed(speed)
            case controls.HoldTasks():
                self._gate.hold()
            case controls.PauseTasks(at=at):
                self._gate.pause(at)
            case controls.ReleaseTasks():
                self._gate.release()

    async def _switch(self, control: controls.KillHost | controls.StartHost) -> None:
        pool, machine = self._find_host(control.host)
        server = self._servers[control.host]
        if isinstance(control, controls.KillHost):
            upheaval.cut_power(pool, machine)
            await server.stop()
            pool.tasks.spawn(upheaval.notice_death(pool, machine))
        elif not machine.is_alive:
            await server.start(*self._ports())
            upheaval.give_power(pool, machine)
            pool.tasks.spawn(upheaval.boot_toolstack(pool, machine))

    def _restart(self, control: controls.MoveCoordinator | controls.RestartToolstack) -> None:
        pool, machine = self._find_host(control.host)
        old, restarted = pool.coordinator, {machine.name: machine}
        if isinstance(control, controls.MoveCoordinator):
            names = {"", pool.name, pool.database.get("pool", pool.ref, "uuid")}
            if control.pool not in names:
                raise ValueError(f"Host {control.host!r} is not in pool {control.pool!r}.")
            upheaval.move_coordinator(pool, machine)
            restarted[old.name] = old
        elif old is machine:
            upheaval.lose_memory(pool)
        for one in restarted.values():
            self._servers[one.name].cut_connections()
            if one.is_alive:
                pool.tasks.spawn(upheaval.boot_toolstack(pool, one))

    def _find_host(self, name: str) -> tuple[Pool, Machine]:
        for pool in self._pools:
            for machine in pool.machines.values():
                if machine.name == name:
                    return pool, machine
        raise ValueError(f"There is no host {name!r}.")

    def _set_field(self, control: controls.Set) -> None:
        if control.class_name not in CLASSES:
            raise ValueError(f"There is no class {control.class_name!r}.")
        for pool in self._pools:
            for ref, record in pool.database.items(control.class_name):
                if record["uuid"] == control.uuid:
                    upheaval.set_field(pool, control.class_name, ref, control.field, control.value)
                    return
        raise ValueError(f"No {control.class_name} has the uuid {control.uuid!r}.")
