"""`/xen about`: which bot answers here."""

from __future__ import annotations

from importlib.metadata import version

import msgspec

from bot.commands import Command, Context, Query
from bot.domain.inventory import FeedState
from bot.domain.message import Facts, Message, Verdict
from bot.domain.policy import Role
from bot.domain.texts import say
from bot.domain.words import counted


class Arguments(msgspec.Struct, frozen=True):
    """Nothing to say."""


async def answer(_arguments: Arguments, context: Context) -> Message:
    """The version, and how many pools it watches."""
    pools = context.fleet.pools()
    headline = say("xenbot {version}", version=version("xenbot"))
    live = sum(view.state is FeedState.LIVE for view in pools)
    watched = say("Watches {pools}; {live} live.", pools=counted(len(pools), "pool", "pools"), live=live)
    promise = say("Every change is confirmed, checked again before it starts, and written to the audit trail.")
    return Message(headline, (Verdict(headline), Facts((watched, promise))))


COMMAND = Command(
    word="about",
    usage="about",
    help="Shows the version and what the bot watches.",
    example="about",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
