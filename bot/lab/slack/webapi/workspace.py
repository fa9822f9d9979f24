"""The rest an app asks of a workspace: who am I, which bot, which team, a socket."""

from typing import Any

from bot.lab.slack.errors import ApiError
from bot.lab.slack.objects import show_bot_profile, show_enterprise
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method

Json = dict[str, Any]


async def test_api(call: Call) -> Json:
    """Answer with the arguments; needs no token."""
    if "error" in call.args:
        raise ApiError(call.args.text("error"), args=call.args.values)
    return {"ok": True, "args": call.args.values}


async def test_auth(call: Call) -> Json:
    """Say whose token this is."""
    directory = call.hub.directory
    person = call.person
    team = directory.team if person is None else directory.teams[person.team_id]
    answer: Json = {
        "ok": True,
        "url": f"{call.hub.base_url}/",
        "team": team.name,
        "team_id": team.id,
        "user": directory.bot.name if person is None else person.name,
        "user_id": call.caller_id,
        "is_enterprise_install": call.hub.installation.is_org_wide,
    }
    enterprise = show_enterprise(call.hub, team.id)
    if enterprise is not None:
        answer["enterprise_id"] = enterprise["id"]
    return answer if person is not None else {**answer, "bot_id": directory.bot.bot_id}


async def show_bot(call: Call) -> Json:
    """Describe the bot."""
    if call.args.text("bot", call.hub.directory.bot.bot_id) != call.hub.directory.bot.bot_id:
        raise ApiError("bot_not_found")
    return {"ok": True, "bot": show_bot_profile(call.hub.directory)}


async def show_team(call: Call) -> Json:
    """Describe the workspace."""
    team = call.hub.directory.team
    return {"ok": True, "team": {"id": team.id, "name": team.name, "domain": team.domain, "icon": {}}}


async def open_connection(call: Call) -> Json:
    """Return a socket address with a fresh ticket."""
    address = call.hub.base_url.replace("http://", "ws://", 1)
    ticket = call.hub.sockets.issue_ticket()
    return {"ok": True, "url": f"{address}/link/?ticket={ticket}&app_id={call.hub.directory.bot.app_id}"}


METHODS = (
    Method(name="api.test", handler=test_api, tokens=frozenset({"none", "bot", "app", "person"})),
    Method(name="auth.test", handler=test_auth, tokens=ANYONE),
    Method(name="bots.info", handler=show_bot, tokens=ANYONE, scopes=("users:read",), tier=Tier.THREE),
    Method(name="team.info", handler=show_team, tokens=ANYONE, scopes=("team:read",), tier=Tier.THREE),
    Method(
        name="apps.connections.open",
        handler=open_connection,
        tokens=frozenset({"app"}),
        tier=Tier.THREE,
        post_only=True,
    ),
)
