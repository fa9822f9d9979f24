"""Everything that knows XAPI: sessions, the live feed, direct reads and tasks, behind the ports of `bot.operations`."""

from bot.xen.check import Finding
from bot.xen.own import own_uuids
from bot.xen.pools import Pools
from bot.xen.settings import HostSettings, PoolSettings, findings

__all__ = ["Finding", "HostSettings", "PoolSettings", "Pools", "findings", "own_uuids"]
