"""A simulated datacentre that speaks XAPI over real sockets.

It imports nothing of the bot: what it knows, it knows from the protocol.
"""

from bot.lab.xapi.datacentre import Datacentre, HostAddress
from bot.lab.xapi.errors import LoopbackMissing

__all__ = ["Datacentre", "HostAddress", "LoopbackMissing"]
