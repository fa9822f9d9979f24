"""``usergroups.*``: groups of people that a handle mentions."""

from typing import Any

import msgspec

from bot.lab.slack.accounts import UserGroup
from bot.lab.slack.errors import ApiError
from bot.lab.slack.groups import set_members
from bot.lab.slack.identity import make_id
from bot.lab.slack.objects import show_group
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method

Json = dict[str, Any]


async def list_groups(call: Call) -> Json:
    """List user groups; disabled ones when asked for."""
    with_users, with_disabled = call.args.flag("include_users"), call.args.flag("include_disabled")
    groups = [
        {**show_group(call.hub, group), **({"users": list(group.members)} if with_users else {})}
        for group in call.hub.directory.groups.values()
        if with_disabled or not group.is_disabled
    ]
    return {"ok": True, "usergroups": groups}


async def list_members(call: Call) -> Json:
    """List the members of a user group; deactivated people are no members."""
    group = _find(call)
    if group.is_disabled and not call.args.flag("include_disabled"):
        raise ApiError("no_such_subteam")
    people = (call.hub.directory.person(member) for member in group.members)
    return {"ok": True, "users": [each.id for each in people if each is not None and not each.deleted]}


async def update_members(call: Call) -> Json:
    """Set the members of a user group; it cannot be left empty."""
    group, users = _find(call), call.args.names("users")
    if not users:
        raise ApiError("no_users_provided")
    people = [call.hub.directory.person(user) for user in users]
    if any(person is None or person.deleted or person.is_external for person in people):
        raise ApiError("invalid_users")
    return _answer(call, set_members(call.hub, group, tuple(users)))


async def create(call: Call) -> Json:
    """Create a user group without members."""
    name = call.args.need("name")
    handle = call.args.text("handle") or name.lower().replace(" ", "-")
    if handle in call.hub.directory.groups:
        raise ApiError("handle_already_exists")
    group = UserGroup(id=make_id("S"), handle=handle, name=name, members=(), updated=int(call.hub.clock.now()))
    return _answer(call, _keep(call, group))


async def update(call: Call) -> Json:
    """Change the name of a user group."""
    group = _find(call)
    return _answer(call, _keep(call, msgspec.structs.replace(group, name=call.args.text("name", group.name))))


async def enable(call: Call) -> Json:
    """Enable a user group again."""
    return _answer(call, _keep(call, msgspec.structs.replace(_find(call), is_disabled=False)))


async def disable(call: Call) -> Json:
    """Disable a user group: it keeps its members and mentions nobody."""
    return _answer(call, _keep(call, msgspec.structs.replace(_find(call), is_disabled=True)))


def _find(call: Call) -> UserGroup:
    wanted = call.args.need("usergroup")
    found = next((group for group in call.hub.directory.groups.values() if group.id == wanted), None)
    if found is None:
        raise ApiError("no_such_subteam")
    return found


def _keep(call: Call, group: UserGroup) -> UserGroup:
    changed = msgspec.structs.replace(group, updated=int(call.hub.clock.now()))
    call.hub.directory.replace_group(changed)
    return changed


def _answer(call: Call, group: UserGroup) -> Json:
    return {"ok": True, "usergroup": {**show_group(call.hub, group), "users": list(group.members)}}


_READ, _WRITE = ("usergroups:read",), ("usergroups:write",)
METHODS = tuple(
    Method(name=f"usergroups.{name}", handler=handler, tokens=ANYONE, scopes=scopes, tier=Tier.TWO)
    for name, handler, scopes in (
        ("list", list_groups, _READ),
        ("users.list", list_members, _READ),
        ("users.update", update_members, _WRITE),
        ("create", create, _WRITE),
        ("update", update, _WRITE),
        ("enable", enable, _WRITE),
        ("disable", disable, _WRITE),
    )
)
