"""Carrying out the controls of ``POST /lab/slack``."""

from typing import Any

import msgspec

from bot.lab.slack.events import announce, announce_joined
from bot.lab.slack.faults import (
    ChangeChannel,
    ChangeGroup,
    ChangePerson,
    Control,
    DelayNext,
    Disconnect,
    DropSockets,
    DuplicateNext,
    Fail,
    RateLimits,
    RefuseConnections,
    StrictTickets,
)
from bot.lab.slack.hub import Hub
from bot.lab.slack.payloads import show_group, show_person
from bot.lab.slack.webapi import METHODS

Json = dict[str, Any]


async def carry_out(hub: Hub, control: Control) -> Json:
    """Carry out one control; ``ValueError`` with a sentence when it names nothing that exists."""
    hub.log.record("fault", type(control).__name__, hub.clock.now(), control=msgspec.to_builtins(control))
    match control:
        case ChangePerson():
            _change_person(hub, control)
        case ChangeGroup():
            _change_group(hub, control)
        case ChangeChannel():
            _change_channel(hub, control)
        case DropSockets():
            hub.sockets.drop_all()
        case Disconnect():
            # Socket Mode switched off: the app gets no more connections until the faults are cleared.
            if control.reason == "link_disabled":
                hub.faults.refuse_links = hub.faults.refuse_opens = True
            await hub.sockets.disconnect_all(control.reason)
        case _:
            _arm(hub, control)
    return {"ok": True}


def _arm(hub: Hub, control: Control) -> None:
    faults = hub.faults
    match control:
        case Fail():
            if control.method not in (*METHODS, "response_url"):
                raise ValueError(f"There is no method {control.method!r}.")
            faults.arm(control)
        case RefuseConnections():
            faults.refuse_links = control.on
            faults.refuse_opens = control.on and not control.link_only
        case StrictTickets():
            faults.strict_tickets = control.on
        case DuplicateNext():
            faults.duplicates = control.n
        case DelayNext():
            faults.delay_s = control.seconds
        case RateLimits():
            hub.limits.on = control.on
        case _:
            faults.clear()
            hub.limits.on = True


def _change_person(hub: Hub, control: ChangePerson) -> None:
    person = hub.directory.people.get(control.key)
    if person is None:
        raise ValueError(f"There is no person {control.key!r}: {', '.join(hub.directory.people)}.")
    changed = msgspec.structs.replace(person, deleted=control.deleted, updated=int(hub.clock.now()))
    hub.directory.replace_person(changed)
    hub.revisions.touch(each.id for each in hub.directory.people.values())
    event = {"type": "user_change", "user": show_person(hub.directory, changed), "event_ts": hub.messages.make_ts()}
    announce(hub, event, subscription="user_change")


def _change_group(hub: Hub, control: ChangeGroup) -> None:
    directory = hub.directory
    group = directory.groups.get(control.name)
    if group is None:
        raise ValueError(f"There is no user group {control.name!r}: {', '.join(directory.groups)}.")
    unknown = [key for key in control.members if key not in directory.people]
    if unknown:
        raise ValueError(f"There is no person {unknown[0]!r}: {', '.join(directory.people)}.")
    members = tuple(directory.people[key].id for key in control.members)
    added = [member for member in members if member not in group.members]
    removed = [member for member in group.members if member not in members]
    changed = msgspec.structs.replace(group, members=members, updated=int(hub.clock.now()))
    directory.replace_group(changed)
    event = {
        "type": "subteam_members_changed",
        "subteam_id": changed.id,
        "team_id": directory.team.id,
        "date_update": changed.updated,
        "date_previous_update": group.updated,
        "added_users": added,
        "added_users_count": len(added),
        "removed_users": removed,
        "removed_users_count": len(removed),
        "subteam": show_group(hub, changed),
        "event_ts": hub.messages.make_ts(),
    }
    announce(hub, event, subscription="subteam_members_changed")


def _change_channel(hub: Hub, control: ChangeChannel) -> None:
    directory = hub.directory
    known = {each.name: each for each in directory.conversations.values() if not each.is_im}
    channel = known.get(control.name)
    if channel is None:
        raise ValueError(f"There is no channel {control.name!r}: {', '.join(known)}.")
    bot = directory.bot.user_id
    was_member = bot in channel.members
    is_member = was_member if control.bot_member is None else control.bot_member
    changed = msgspec.structs.replace(
        channel,
        is_ext_shared=channel.is_ext_shared if control.ext_shared is None else control.ext_shared,
        is_archived=channel.is_archived if control.archived is None else control.archived,
        members=channel.members | {bot} if is_member else channel.members - {bot},
    )
    directory.replace_conversation(changed)
    hub.touch(changed)
    if is_member and not was_member:
        announce_joined(hub, changed, bot)
