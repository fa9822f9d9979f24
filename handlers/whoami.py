"""`/xen whoami`: which roles the bot sees for the person who asks."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query
from bot.domain.message import Facts, Message, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, Who, many, say


class Arguments(msgspec.Struct, frozen=True):
    """Nothing to say."""


async def answer(_arguments: Arguments, context: Context) -> Message:
    """The person's ids and roles."""
    person = context.person
    roles = [role.value for role in Role if role in person.roles]
    headline = say("You are {who}", who=Who(person.id))
    having = say("Your roles: {roles}.", roles=many(roles)) if roles else say("You have no role.")
    ids = say("User {user} of team {team}.", user=Code(person.id), team=Code(person.team))
    return Message(having, (Verdict(headline), Facts((having, ids))))


COMMAND = Command(
    word="whoami",
    usage="whoami",
    help="Shows your roles as the bot sees them.",
    example="whoami",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
