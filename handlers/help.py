"""`/xen help [command]`: what there is, and how one command is written. `/xen` alone answers the same."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query
from bot.domain.message import Facts, Message, Small, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, say


class Arguments(msgspec.Struct, frozen=True):
    """The command to explain; all of them when left out."""

    command: str = ""


async def answer(arguments: Arguments, context: Context) -> Message:
    """Every command in one line, or one command in full."""
    if arguments.command:
        word = arguments.command.removeprefix("/xen").strip().casefold()
        return _about(context.registry.find(word))
    headline = say("xenbot: what you can ask")
    lines = tuple(
        say("{usage} · {help}", usage=Code(f"/xen {command.usage}"), help=say(_first_sentence(command.help)))
        for command in context.registry.commands
    )
    more = say(
        "{command} explains one command. Names may be quoted; UUIDs work too.", command=Code("/xen help migrate")
    )
    return Message(headline, (Verdict(headline), Facts(lines), Small(more)))


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def _about(command: Command) -> Message:
    headline = say("{usage}", usage=Code(f"/xen {command.usage}"))
    lines = (
        say(command.help),
        say("Example: {example}", example=Code(f"/xen {command.example}")),
        say("Needs the role {role}.", role=command.role.value),
    )
    return Message(say("How to write {word}", word=Code(f"/xen {command.word}")), (Verdict(headline), Facts(lines)))


COMMAND = Command(
    word="help",
    usage="help [command]",
    help="Lists the commands, or explains one.",
    example="help migrate",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
