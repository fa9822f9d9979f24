"""What a restore is judged by: the guest that comes, and the pool that shall take it."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Host, Network, Pool, PowerState, Sr


class Coming(msgspec.Struct, frozen=True):
    """The guest that shall come, as its archive tells of it and under the name it shall have: all of it untrusted.

    `uuid` is what it had where it was backed up. Memory in bytes; `macs` in lower case.
    """

    uuid: str
    name: str
    macs: tuple[str, ...]
    memory_dynamic_min: int
    memory_static_max: int
    vcpus: int
    domain_type: str


class Holder(msgspec.Struct, frozen=True):
    """A guest that lives: its UUID, its name, the name of its pool, and whether it runs."""

    uuid: str
    name: str
    pool: str
    running: bool


class Nic(msgspec.Struct, frozen=True):
    """A network card of a restored guest: its place, the network (UUID), and the MAC address in lower case.

    Of a card that is wished for, `mac` "" leaves the address to XAPI, which then may be any but `instead_of`.
    """

    device: str
    network: str
    mac: str = ""
    instead_of: str = ""

    def fits(self, found: Nic) -> bool:
        """Whether the card that was found is as this one wishes."""
        if (self.device, self.network) != (found.device, found.network):
            return False
        return found.mac == self.mac if self.mac else found.mac != self.instead_of


class Readiness(msgspec.Struct, frozen=True):
    """How a restored guest is to be before it may start: its name, its network cards, the host it prefers (UUID or "").

    What would wake it, or count it as another guest, is never left on it; see `Restored.wakeful`.
    """

    name: str
    nics: tuple[Nic, ...]
    host: str = ""


class Restored(msgspec.Struct, frozen=True):
    """A restored guest as just read. `disks` are UUIDs by the place in the guest, `sizes` in bytes likewise.

    `wakeful` names each thing on it that would start it by itself, or by which it would be taken for another guest:
    the mark of a template, automatic power-on, a priority in high availability, keys, blocks and tags of the bot; also
    what belongs to the host that it was on: devices passed through, a place for its memory when it is suspended.
    `starts_itself` tells that it is switched on with its host, `kept_off` that neither that nor high availability would
    start it, `remembered` what was taken away for that, as "auto_poweron" and "ha", and "tags" by which schedules found
    it. `compared` is the note of a comparison: the id of the backup, and how many blocks. `tags` are in order.
    """

    uuid: str
    name: str
    power_state: PowerState
    host: str
    affinity: str
    nics: tuple[Nic, ...]
    disks: dict[str, str]
    sizes: dict[str, int]
    wakeful: tuple[str, ...]
    operations: tuple[str, ...]
    tools: bool = False
    starts_itself: bool = False
    kept_off: bool = False
    remembered: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    compared: str = ""
    template: bool = False


class Came(msgspec.Struct, frozen=True):
    """A guest that an import has made: its disks (UUIDs), and when it was started last by the record it came with.

    That is in Unix seconds of its pool's clock, None for never.
    """

    disks: tuple[str, ...]
    started_at: float | None = None


class Before(msgspec.Struct, frozen=True):
    """What there was in a pool before an import, so that what it makes is known: UUIDs.

    `name` is what the archive calls its guest, `guests` those that were called so, `networks` all there were. `came`
    are the guests (UUIDs) that the pool says were made by it, as far as it has said so.
    """

    name: str
    guests: tuple[str, ...]
    networks: tuple[str, ...]
    came: dict[str, Came] = {}


class RestoreFacts(msgspec.Struct, frozen=True):
    """Everything that restoring a guest to one pool is judged by, read directly at one moment.

    `host` is where it shall run, None where XAPI may choose; `sr` takes all disks, None where none was named and the
    pool has no default. `xapi` is the version of each host's toolstack by UUID of the host, `needed` the bytes of
    memory that the guest takes from its host. `names` are the living guests of its name or its UUID, `macs` those, of
    any pool, that have one of its MAC addresses. `promised` are the bytes that all disks on the SR may grow to, -1
    where unknown. `read_at` in Unix seconds.
    """

    pool: Pool
    hosts: tuple[Host, ...]
    host: Host | None
    sr: Sr | None
    networks: tuple[Network, ...]
    xapi: dict[str, tuple[int, int]]
    needed: int
    names: tuple[Holder, ...]
    macs: dict[str, tuple[Holder, ...]]
    read_at: float
    promised: int = -1
