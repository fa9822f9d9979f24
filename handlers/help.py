"""`/xen help [word]`, and `/xen` alone: what there is, on one screen of a telephone, and how a command is written."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from bot.commands import Command, Context, Query, Topic
from bot.domain.message import Button, Choices, Facts, Message, Part, Small, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, Phrase, many, say
from bot.domain.words import counted

_TITLES = {
    Topic.LOOK: "Look",
    Topic.GUESTS: "Guests",
    Topic.HOSTS: "Hosts and pools",
    Topic.STORAGE: "Storage",
    Topic.ARCHIVE: "Backup and restore",
    Topic.SCHEDULES: "Schedules",
    Topic.XENBOT: "Jobs and xenbot",
}
_ALL = "all"


class Arguments(msgspec.Struct, frozen=True):
    """A command to explain, a topic, or any word that commands are about; the topics when left out."""

    command: str = ""


async def answer(arguments: Arguments, context: Context) -> Message:
    """The commands of this person by topic, those that a word is about, or one command in full."""
    word = " ".join(arguments.command.removeprefix("/xen").split()).casefold()
    commands = context.registry.commands
    if not word:
        return _overview(commands, context.person.roles)
    if word == _ALL:
        return _list(say("All that xenbot understands"), commands)
    if word in context.registry.words:
        return _about(context.registry.find(word), commands)
    if word in set(Topic):
        return _list(say(_TITLES[Topic(word)]), _of(Topic(word), commands))
    whole = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    found = [one for one in commands if whole.search(one.usage) or whole.search(one.help)]
    if found:
        return _list(say("Commands about {word}", word=word), found)
    # It says which command is the nearest.
    return _about(context.registry.find(word), commands)


def _overview(commands: Iterable[Command], roles: frozenset[Role]) -> Message:
    mine = [one for one in commands if one.role in roles]
    topics = [topic for topic in Topic if _of(topic, mine)]
    lines = [
        say("{topic}: {words}", topic=say(_TITLES[topic]), words=many([Code(one.word) for one in _of(topic, mine)]))
        for topic in topics
    ]
    others = len(list(commands)) - len(mine)
    more = say(
        "{one} explains one, {all} lists every command.", one=Code("/xen help migrate"), all=Code("/xen help all")
    )
    if others:
        more = say("{more} {n} of another role are left out here.", more=more, n=counted(others, "command", "commands"))
    buttons = tuple(
        Button(
            _TITLES[topic],
            "ask",
            f"help {topic.value}",
            says=say("Explain the commands: {topic}", topic=say(_TITLES[topic])),
        )
        for topic in topics
    )
    headline = say("xenbot: what you can ask")
    example = say(
        "Write {xen}, a word and a name, as in {example}.", xen=Code("/xen"), example=Code("/xen status centos54")
    )
    return Message(headline, (Verdict(headline), Facts((*lines, example)), Choices(buttons), Small(more)))


def _list(headline: Phrase, commands: Iterable[Command]) -> Message:
    lines = tuple(
        say("{usage} · {help}", usage=Code(f"/xen {one.usage}"), help=say(_first_sentence(one.help)))
        for one in commands
    )
    more = say(
        "{command} explains one command. Names may be quoted; UUIDs work too.", command=Code("/xen help migrate")
    )
    return Message(headline, (Verdict(headline), Facts(lines), Small(more)))


def _of(topic: Topic, commands: Iterable[Command]) -> list[Command]:
    return [one for one in commands if one.topic is topic]


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def _about(command: Command, commands: Iterable[Command]) -> Message:
    headline = say("{usage}", usage=Code(f"/xen {command.usage}"))
    lines = [
        say(command.help),
        say("Example: {example}", example=Code(f"/xen {command.example}")),
        say("Needs the role {role}.", role=command.role.value),
    ]
    near = [Code(one.word) for one in _of(command.topic, commands) if one.word != command.word]
    parts: list[Part] = [Verdict(headline), Facts(tuple(lines))]
    if near:
        parts.append(Small(say("See also: {words}", words=many(near))))
    return Message(say("How to write {word}", word=Code(f"/xen {command.word}")), tuple(parts))


COMMAND = Command(
    word="help",
    usage="help [command|topic|all]",
    help="Names the commands by topic; explains one, those of a topic, or those that a word is about.",
    example="help migrate",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
