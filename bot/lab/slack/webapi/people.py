"""``users.*`` and ``usergroups.*``: who people are, as an app may ask."""

from typing import Any

from bot.lab.slack.errors import ApiError
from bot.lab.slack.payloads import show_bot_user, show_group, show_person
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method, page

Json = dict[str, Any]


async def show_user(call: Call) -> Json:
    """Describe a person or the bot."""
    directory = call.hub.directory
    user_id = call.args.need("user")
    if user_id == directory.bot.user_id:
        return {"ok": True, "user": show_bot_user(directory)}
    person = directory.person(user_id)
    if person is None:
        raise ApiError("user_not_found")
    return {"ok": True, "user": show_person(directory, person)}


async def list_users(call: Call) -> Json:
    """List people of the workspace, deactivated ones included, and the bot."""
    directory = call.hub.directory
    members = [show_person(directory, one) for one in directory.people.values() if not one.is_external]
    answer = page([*members, show_bot_user(directory)], call, default=200, key="members")
    return {**answer, "cache_ts": int(call.hub.clock.now())}


async def list_groups(call: Call) -> Json:
    """List user groups."""
    with_users = call.args.flag("include_users")
    groups = [
        {**show_group(call.hub, group), **({"users": list(group.members)} if with_users else {})}
        for group in call.hub.directory.groups.values()
    ]
    return {"ok": True, "usergroups": groups}


async def list_group_users(call: Call) -> Json:
    """List the members of a user group; deactivated people are no members."""
    group_id = call.args.need("usergroup")
    directory = call.hub.directory
    for group in directory.groups.values():
        if group.id == group_id:
            people = (directory.person(member) for member in group.members)
            return {"ok": True, "users": [each.id for each in people if each is not None and not each.deleted]}
    raise ApiError("no_such_subteam")


METHODS = (
    Method(name="users.info", handler=show_user, tokens=ANYONE, scopes=("users:read",), tier=Tier.FOUR),
    Method(name="users.list", handler=list_users, tokens=ANYONE, scopes=("users:read",), tier=Tier.TWO),
    Method(name="usergroups.list", handler=list_groups, tokens=ANYONE, scopes=("usergroups:read",), tier=Tier.TWO),
    Method(
        name="usergroups.users.list",
        handler=list_group_users,
        tokens=ANYONE,
        scopes=("usergroups:read",),
        tier=Tier.TWO,
    ),
)
