"""``users.*``: who people are, as an app may ask."""

from typing import Any

from bot.lab.slack.accounts import Person
from bot.lab.slack.errors import ApiError
from bot.lab.slack.objects import show_bot_user, show_person
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method, page

Json = dict[str, Any]

_READ = ("users:read",)


async def show_user(call: Call) -> Json:
    """Describe a person or the bot."""
    directory = call.hub.directory
    user_id = call.args.need("user")
    if user_id == directory.bot.user_id:
        return {"ok": True, "user": show_bot_user(directory)}
    person = directory.person(user_id)
    if person is None:
        raise ApiError("user_not_found")
    return {"ok": True, "user": _show(call, person)}


async def list_users(call: Call) -> Json:
    """List people of the workspace, deactivated ones included, and the bot."""
    directory = call.hub.directory
    members = [_show(call, one) for one in directory.people.values() if not one.is_external]
    answer = page([*members, show_bot_user(directory)], call, default=200, key="members")
    return {**answer, "cache_ts": int(call.hub.clock.now())}


async def find_by_email(call: Call) -> Json:
    """Describe the person with an address."""
    wanted = call.args.need("email").lower()
    directory = call.hub.directory
    found = next((one for one in directory.people.values() if one.email == wanted and not one.is_external), None)
    if found is None or found.deleted or found.is_bot:
        raise ApiError("users_not_found")
    return {"ok": True, "user": _show(call, found)}


async def show_profile(call: Call) -> Json:
    """Return the profile of a person, one's own when nobody is named."""
    person = call.hub.directory.person(call.args.text("user") or call.caller_id)
    if person is None:
        raise ApiError("user_not_found")
    return {"ok": True, "profile": _show(call, person)["profile"]}


async def show_presence(call: Call) -> Json:
    """Say whether a person is there; the bot and active people always are."""
    wanted = call.args.text("user") or call.caller_id
    person = call.hub.directory.person(wanted)
    if person is None and wanted != call.hub.directory.bot.user_id:
        raise ApiError("user_not_found")
    is_away = person is not None and person.deleted
    return {"ok": True, "presence": "away" if is_away else "active"}


def _show(call: Call, person: Person) -> Json:
    """Return a user object, with the address for those who may read it."""
    shown = show_person(call.hub.directory, person)
    if call.kind == "person" or "users:read.email" in call.hub.installation.scopes:
        shown["profile"]["email"] = person.email
    if call.args.flag("include_locale"):
        shown["locale"] = "en-US"
    return shown


METHODS = (
    Method(name="users.info", handler=show_user, tokens=ANYONE, scopes=_READ, tier=Tier.FOUR),
    Method(name="users.list", handler=list_users, tokens=ANYONE, scopes=_READ, tier=Tier.TWO),
    Method(
        name="users.lookupByEmail",
        handler=find_by_email,
        tokens=ANYONE,
        scopes=("users:read.email",),
        tier=Tier.THREE,
    ),
    Method(
        name="users.profile.get", handler=show_profile, tokens=ANYONE, scopes=("users.profile:read",), tier=Tier.FOUR
    ),
    Method(name="users.getPresence", handler=show_presence, tokens=ANYONE, scopes=_READ, tier=Tier.THREE),
)
