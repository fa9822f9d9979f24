"""`/xen help`: one screen of a telephone by topic, and more of a topic, a command, or whatever a word is about."""

from __future__ import annotations

import re

import msgspec
import pytest
from ports import Room, phrases

from bot.commands import Registry, Topic, slots
from bot.domain.message import Choices, Message
from bot.domain.policy import Role
from bot.domain.texts import plain
from bot.errors import NotUnderstood


async def test_help_names_every_command_of_the_person_by_its_topic_and_no_other() -> None:
    everything = frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN})
    for roles in (frozenset({Role.VIEWER}), frozenset({Role.VIEWER, Role.OPERATOR}), everything):
        room = Room()
        room.person = msgspec.structs.replace(room.person, roles=roles)
        text = await room.read("help")
        named = {word for line in text.splitlines() for word in line.partition(": ")[2].split(", ")}
        mine = {command.word for command in room.registry.commands if command.role in roles}
        assert mine <= named
        assert not named & (room.registry.words - mine)
        assert ("left out here" in text) is (roles != everything)


async def test_each_topic_lists_its_commands_by_a_button() -> None:
    room = Room()
    answer = await room.type("help")
    assert isinstance(answer, Message)
    buttons = [one for part in answer.parts if isinstance(part, Choices) for one in part.buttons]
    listed = set()
    for one in buttons:
        text = await room.read(one.target)
        topic = Topic(one.target.removeprefix("help "))
        here = [command for command in room.registry.commands if command.topic is topic]
        assert all(f"/xen {command.usage} · " in text for command in here)
        listed |= {command.word for command in here}
    assert listed == room.registry.words


async def test_help_all_lists_every_command_in_one_line() -> None:
    room = Room()
    text = await room.read("help all")
    for command in room.registry.commands:
        assert f"/xen {command.usage} · " in text


async def test_help_explains_one_command_and_names_those_beside_it() -> None:
    text = await Room().read("help migrate")
    assert "/xen migrate <vm> [to <host>]" in text
    assert "Example: /xen migrate centos54 to xenserver3" in text
    assert "Needs the role operator." in text
    near = text.partition("See also: ")[2].split(", ")
    assert {"eject", "move-disks", "reboot"} <= set(near)
    assert "migrate" not in near
    assert "Example: /xen schedule list" in await Room().read("help Schedule  list")


async def test_help_of_a_word_lists_the_commands_that_are_about_it_and_a_slip_of_the_pen_is_told() -> None:
    text = await Room().read("help snapshot")
    assert "Commands about snapshot" in text
    assert "/xen backup <vm>" in text
    assert "/xen whoami" not in text
    for slip in ("migrat", "(", "<!channel>"):
        with pytest.raises(NotUnderstood):
            await Room().read(f"help {slip}")


_PLACES = re.compile(r"<[^>]*>")
_ONE_WORD = re.compile(r"\[([a-z-]+)(?: [^\]]*)?\]")


def test_the_usage_of_every_command_names_all_words_that_it_takes_and_no_others() -> None:
    for command in Registry.discover().commands:
        taken = {slot.keyword for slot in slots(command.arguments) if slot.keyword}
        named = set(re.findall(r"[\w-]+", _PLACES.sub("", command.usage.removeprefix(command.word))))
        assert not taken - named, f"/xen {command.word} takes {taken - named}, and its help does not say so"
        # A word among several, as in [done|not-done], may be a value; one that stands alone must be taken as a word.
        alone = {word for word in _ONE_WORD.findall(command.usage) if f"[{word}|" not in command.usage}
        assert alone <= taken | {"pool", "guest"}, f"/xen {command.word} does not take {alone - taken}"


async def test_what_is_asked_about_is_text() -> None:
    answer = await Room().type("help network")
    assert isinstance(answer, Message)
    assert any(plain(one) == "Commands about network" and "network" not in one.template for one in phrases(answer))
