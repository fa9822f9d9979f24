"""The simulated datacentre: pools made from a world, served on loopback addresses, with hands to break it.

The lab's launcher and the tests hold a `Datacentre`; everything else of this package is behind it.
"""

import asyncio
import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.lab.xapi import controls, truth, upheaval
from bot.lab.xapi.archive.content import Contents
from bot.lab.xapi.assembly import make_pool
from bot.lab.xapi.certificates import load_certificate
from bot.lab.xapi.clock import Clock, Gate, Signal
from bot.lab.xapi.desk import Desk
from bot.lab.xapi.errors import LoopbackMissing
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.hands import Hands
from bot.lab.xapi.journal import Journal
from bot.lab.xapi.loading import load_world
from bot.lab.xapi.nfs import make_outside
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.population import populate
from bot.lab.xapi.population_host import add_certificates
from bot.lab.xapi.ports import can_bind, find_free_port
from bot.lab.xapi.rules.toolstack import keep_looking_for_coordinator
from bot.lab.xapi.server import HostServer
from bot.lab.xapi.sessions import SUPERUSER
from bot.lab.xapi.streams.handlers import NAMES as HANDLERS
from bot.lab.xapi.tasks import report_failure
from bot.lab.xapi.world import STORED_MIB

_PORT_TRIES: Final = 50


@dataclass(frozen=True)
class HostAddress:
    """Where a simulated host answers.

    Attributes:
        fingerprint: `sha256:` and the hexadecimal digest of its certificate.
    """

    address: str
    https: str
    http: str
    fingerprint: str


class Datacentre:
    """All pools of a world.

    Args:
        world: `article`, `large:HOSTSxVMS` or the path of a TOML file.
        port: HTTPS port of every host, plain HTTP on the next; 0 picks a pair that is free on all addresses.
        speed: Simulated seconds per real second.
        manual_clock: Whether simulated time stands still until `{"do": "advance", "seconds": …}`.
        password: Of `root`, and of one account per role, named as the role.
        certificates: Where certificates are kept between starts, and foreign data of disks while it runs; None makes
            new ones.
        debug_consistency: Whether to look for contradictions after each call; they collect in `findings`.

    Attributes:
        hosts: Where each host answers, by its name; filled by `start`.
        desk: What answers for the hosts.
        journal: The last calls and struck faults, looking included.
        login_delay_s: Simulated seconds before a refused login is answered.

    Raises:
        ValueError: There is no such world; the sentence says why.
    """

    user: Final = SUPERUSER

    def __init__(
        self,
        *,
        world: str = "article",
        port: int = 8443,
        speed: float = 1.0,
        manual_clock: bool = False,
        password: str,
        certificates: Path | None = None,
        debug_consistency: bool = False,
    ) -> None:
        self.password = password
        self.hosts: dict[str, HostAddress] = {}
        self._noted = 0
        self._changed = Signal()
        self.journal = Journal()
        self._port = port
        self._certificates = certificates
        self._clock = Clock(speed, running=not manual_clock)
        self.faults = Faults(self._clock, self._note_change, self.journal.record_strike)
        self._gate = Gate()
        self._contents = Contents(certificates)
        self._servers: dict[str, HostServer] = {}
        self._ports = (port, port + 1)
        self._following: list[asyncio.Task[None]] = []
        self._attended: list[Pool] = []
        described = load_world(world)
        self._outside = make_outside(described)
        for uuid, (_, fields) in self._outside.disks.items():
            self._contents.plant(uuid, fields["virtual_size"], STORED_MIB)
        self._pools: list[Pool] = [
            make_pool(
                populated,
                clock=self._clock,
                gate=self._gate,
                faults=self.faults,
                contents=self._contents,
                outside=self._outside,
                password=password,
            )
            for populated in populate(described)
        ]
        for pool in self._pools:
            pool.peers, pool.adopt = self._pools, self._attend
        self.desk = Desk(
            pools=self._pools,
            faults=self.faults,
            journal=self.journal,
            changed=self._note_change,
            debug_consistency=debug_consistency,
        )
        self._hands = Hands(
            pools=self._pools,
            clock=self._clock,
            gate=self._gate,
            faults=self.faults,
            outside=self._outside,
        )

    @property
    def findings(self) -> list[str]:
        """Returns contradictions that were seen."""
        return self.desk.findings

    @property
    def login_delay_s(self) -> float:
        """Returns how long a refused login takes."""
        return self._pools[0].login_delay_s

    @login_delay_s.setter
    def login_delay_s(self, seconds: float) -> None:
        for pool in self._pools:
            pool.login_delay_s = seconds

    async def start(self) -> None:
        """Serves every host on its own address 127.0.1.N.

        Raises:
            LoopbackMissing: This machine has no such addresses.
            OSError: The port is taken.
        """
        machines = [machine for pool in self._pools for machine in pool.machines.values()]
        if missing := [machine.address for machine in machines if not can_bind(machine.address)]:
            raise LoopbackMissing(missing)
        fingerprints = {}
        for machine in machines:
            certificate = load_certificate(machine.name, machine.address, self._certificates)
            self._servers[machine.name] = HostServer(machine, self.desk, certificate.context)
            machine.door = self._servers[machine.name]
            machine.certificate = certificate.pem
            fingerprints[machine.name] = certificate.fingerprint
            database = self.desk.find_pool(machine).database
            add_certificates(database, machine.ref, certificate.fingerprint, certificate.valid)
        self._ports = await self._bind()
        https_port, http_port = self._ports
        for machine in machines:
            machine.https_port = https_port
            self.hosts[machine.name] = HostAddress(
                address=machine.address,
                https=f"https://{machine.address}:{https_port}",
                http=f"http://{machine.address}:{http_port}",
                fingerprint=fingerprints[machine.name],
            )
        for pool in self._pools:
            self._attend(pool)

    def _attend(self, pool: Pool) -> None:
        """Begins what a pool does by itself."""
        self._attended.append(pool)
        following = [
            asyncio.create_task(self._follow(pool)),
            asyncio.create_task(upheaval.keep_collecting(pool)),
            *(asyncio.create_task(keep_looking_for_coordinator(pool, one)) for one in pool.machines.values()),
        ]
        for work in following:
            work.add_done_callback(report_failure)
        self._following += following

    async def _bind(self) -> tuple[int, int]:
        for left in reversed(range(_PORT_TRIES if self._port == 0 else 1)):
            port = self._port or find_free_port()
            try:
                for server in self._servers.values():
                    await server.listen(port, port + 1)
            except OSError:
                for server in self._servers.values():
                    await server.close()
                if left == 0:
                    raise
            else:
                return port, port + 1
        raise OSError(errno.EADDRINUSE, "no free pair of ports")

    async def stop(self) -> None:
        """Ends all work and closes every port."""
        self.faults.release_all()
        self._gate.release()
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        self._following = []
        for pool in self._pools:
            pool.sessions.close_all()
            await pool.tasks.stop()
        for server in self._servers.values():
            await server.close()
        self._contents.close()

    def list_methods(self) -> list[str]:
        """Returns what faults can be armed on: the calls, and the handlers for streams."""
        return [*self.desk.list_methods(), *HANDLERS]

    def state(self) -> dict[str, Any]:
        """Returns the truth, fit for JSON: records as they are, the last changing calls, faults, time."""
        return {
            **truth.describe_pools(self._pools),
            "nfs_servers": [server.describe() for server in self._outside.nfs_servers.values()],
            "calls": self.journal.last_changes(),
            "faults": self.faults.describe(),
            "speed": self._clock.speed,
            "clock": {"running": self._clock.is_running, "elapsed": round(self._clock.elapsed, 3)},
        }

    def serving(self) -> frozenset[str]:
        """Returns the names of the pools whose coordinator answers; a pool without one is known by its host's."""
        answering = [pool for pool in self._pools if pool.coordinator.is_serving]
        return frozenset(
            pool.database.get("pool", pool.ref, "name_label") or pool.coordinator.name for pool in answering
        )

    def revision(self) -> int:
        """Returns a number that grows with every change."""
        # Pools that are no more count on: without them the number would fall.
        return self._noted + sum(pool.database.generation + pool.database.notices for pool in self._attended)

    async def changed(self, since: int) -> int:
        """Waits until the revision is above `since`; returns it."""
        while self.revision() <= since:
            await self._changed.wait()
        return self.revision()

    async def _follow(self, pool: Pool) -> None:
        while True:
            await pool.database.changed.wait()
            self._changed.fire()

    def _note_change(self) -> None:
        self._noted += 1
        self._changed.fire()

    async def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Does what a test or a curious person asks.

        Args:
            request: One of `bot.lab.xapi.controls`, for example `{"do": "kill_host", "host": "xenserver3"}`.

        Returns:
            `{"ok": true}`, with the fault's name after `arm`.

        Raises:
            ValueError: The request is not understood or names something that is not there; one sentence.
        """
        answer = await self._hands.do(controls.read_control(request))
        self._note_change()
        return answer
