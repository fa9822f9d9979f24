"""Carrying out the controls of ``POST /lab/slack``."""

from typing import Any

import msgspec

from bot.lab.slack.delivery import check_ssl, switch_to_http, switch_to_sockets
from bot.lab.slack.events import announce
from bot.lab.slack.faults import Fail, Misdeliver
from bot.lab.slack.groups import set_members
from bot.lab.slack.hub import Hub
from bot.lab.slack.membership import join, leave
from bot.lab.slack.objects import show_person
from bot.lab.slack.vocabulary import (
    AdvanceClock,
    ChangeChannel,
    ChangeGroup,
    ChangePerson,
    CheckSsl,
    ClearFaults,
    Control,
    DeliverByHttp,
    DeliverBySocket,
    Disconnect,
    DropSockets,
    ExpireTickets,
    HoldClock,
    RateLimits,
    RefuseConnections,
    Release,
    StrictTickets,
)
from bot.lab.slack.webapi import METHODS
from bot.lab.slack.webapi.call import PERSON

Json = dict[str, Any]

STRUCK_ADDRESSES = ("*", "response_url", "upload_url")
APP_METHODS = tuple(sorted(name for name, method in METHODS.items() if method.tokens != PERSON))


async def carry_out(hub: Hub, control: Control) -> Json:
    """Carry out one control and return what there is to know, ``name`` of an armed fault for one.

    Raises:
        ValueError: With a sentence, when it names nothing that exists.
    """
    told: Json = {}
    match control:
        case Fail() | Misdeliver() | Release() | ClearFaults() | RateLimits():
            told = _change_faults(hub, control)
        case HoldClock() | AdvanceClock():
            told = await _change_time(hub, control)
        case DeliverByHttp() | DeliverBySocket() | CheckSsl():
            told = await _change_delivery(hub, control)
        case ChangePerson():
            _change_person(hub, control)
        case ChangeGroup():
            _change_group(hub, control)
        case ChangeChannel():
            _change_channel(hub, control)
        case _:
            await _change_connections(hub, control)
    hub.log.record("fault", type(control).__name__, hub.clock.now(), control=msgspec.to_builtins(control))
    return {"ok": True, **told}


def _change_faults(hub: Hub, control: Fail | Misdeliver | Release | ClearFaults | RateLimits) -> Json:
    match control:
        case Fail(method=method) if method not in (*APP_METHODS, *STRUCK_ADDRESSES):
            raise ValueError(f"There is no method {method!r} that the app can call.")
        case Fail() | Misdeliver():
            return {"name": hub.faults.arm(control)}
        case Release(name=name):
            hub.faults.release(name)
        case ClearFaults():
            hub.faults.clear()
            hub.limits.on = True
        case RateLimits(on=on):
            hub.limits.on = on
    return {}


async def _change_time(hub: Hub, control: HoldClock | AdvanceClock) -> Json:
    match control:
        case HoldClock(on=True):
            hub.clock.hold()
        case HoldClock():
            hub.clock.release()
        case AdvanceClock(seconds=seconds):
            await hub.clock.advance(seconds)
    return {"now": hub.clock.now()}


async def _change_delivery(hub: Hub, control: DeliverByHttp | DeliverBySocket | CheckSsl) -> Json:
    match control:
        case DeliverByHttp():
            await switch_to_http(hub, control)
        case DeliverBySocket():
            await switch_to_sockets(hub)
        case CheckSsl():
            return {"status": await check_ssl(hub)}
    return {}


async def _change_connections(
    hub: Hub, control: DropSockets | Disconnect | RefuseConnections | StrictTickets | ExpireTickets
) -> None:
    faults = hub.faults
    match control:
        case DropSockets():
            hub.sockets.drop_all()
        case Disconnect(reason=reason):
            # Socket Mode switched off: the app gets no more connections until the faults are cleared.
            if reason == "link_disabled":
                faults.refuse_links = faults.refuse_opens = True
            await hub.sockets.disconnect_all(reason)
        case RefuseConnections(on=on, link_only=link_only):
            faults.refuse_links = on
            faults.refuse_opens = on and not link_only
        case StrictTickets(on=on):
            faults.strict_tickets = on
        case ExpireTickets():
            hub.sockets.expire_tickets()


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
    set_members(hub, group, tuple(directory.people[key].id for key in control.members))


def _change_channel(hub: Hub, control: ChangeChannel) -> None:
    directory = hub.directory
    known = {each.name: each for each in directory.conversations.values() if not each.is_direct}
    channel = known.get(control.name)
    if channel is None:
        raise ValueError(f"There is no channel {control.name!r}: {', '.join(known)}.")
    asked = {
        "is_ext_shared": control.ext_shared,
        "is_pending_ext_shared": control.pending_ext_shared,
        "is_archived": control.archived,
        "posting": control.posting,
    }
    changed = msgspec.structs.replace(channel, **{field: value for field, value in asked.items() if value is not None})
    directory.replace_conversation(changed)
    hub.touch(changed)
    if control.bot_member is not None:
        (join if control.bot_member else leave)(hub, changed, directory.bot.user_id)
