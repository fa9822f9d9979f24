import msgspec
import pytest

from bot.lab.slack import Workplace
from bot.slack import RoleSettings, SlackSettings, check


@pytest.fixture
def roles(workplace: Workplace) -> RoleSettings:
    return RoleSettings(operator=(workplace.people["operator"].id,), approver=(workplace.usergroups["xen-approvers"],))


async def test_good_workspace_has_no_findings(
    workplace: Workplace, settings: SlackSettings, roles: RoleSettings
) -> None:
    assert await check(settings, roles, workplace.bot_token, workplace.app_token) == []


async def test_all_findings_come_at_once(workplace: Workplace, settings: SlackSettings) -> None:
    await workplace.do({"do": "channel", "name": "ops", "ext_shared": True, "bot_member": False})
    roles = RoleSettings(operator=("bob",), approver=("S0NOBODY",))
    wrong = msgspec.structs.replace(settings, channels=(*settings.channels, "C0NOWHERE"))
    findings = "\n".join(await check(wrong, roles, workplace.bot_token, "xapp-wrong"))
    for part in ("shared with another company", "invite it", "C0NOWHERE", "bob", "S0NOBODY", "app token"):
        assert part in findings


async def test_who_may_break_glass_must_be_somebody(
    workplace: Workplace, settings: SlackSettings, roles: RoleSettings
) -> None:
    tokens = (workplace.bot_token, workplace.app_token)
    named = (workplace.usergroups["xen-admins"], workplace.people["admin"].id)
    assert await check(settings, roles, *tokens, break_glass=named) == []
    (finding,) = await check(settings, roles, *tokens, break_glass=(*named, "S0NOBODY"))
    assert finding.startswith("[approval] break_glass: S0NOBODY cannot be read")


async def test_missing_scope_is_named(roles: RoleSettings) -> None:
    poor = Workplace(port=0, scopes=("commands", "chat:write", "users:read", "usergroups:read", "channels:read"))
    await poor.start()
    try:
        settings = SlackSettings(api_url=poor.api_url, team=poor.team_id, channels=(poor.channels["ops"],))
        findings = await check(settings, roles, poor.bot_token, poor.app_token)
    finally:
        await poor.stop()
    assert "the app lacks the scope channels:history" in findings


async def test_wrong_workspace_and_wrong_token_are_named(
    workplace: Workplace, settings: SlackSettings, roles: RoleSettings
) -> None:
    other = msgspec.structs.replace(settings, team="T0OTHER")
    assert "belongs to workspace" in (await check(other, roles, workplace.bot_token, workplace.app_token))[0]
    assert "refuses the bot token" in (await check(settings, roles, "xoxb-wrong", workplace.app_token))[0]
