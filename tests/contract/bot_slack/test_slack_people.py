import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.policy import Role
from bot.errors import NotAllowed
from bot.lab.slack import Workplace
from bot.slack import People, RoleSettings


@pytest.fixture
def roles(workplace: Workplace) -> RoleSettings:
    return RoleSettings(
        viewer=(workplace.people["viewer"].id,),
        operator=(workplace.people["operator"].id, workplace.people["guest"].id),
        approver=(workplace.usergroups["xen-approvers"],),
        admin=(workplace.people["admin"].id,),
    )


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def people(client: AsyncWebClient, roles: RoleSettings, workplace: Workplace, clock: list[float]) -> People:
    return People(client, roles, workplace.team_id, clock=lambda: clock[0])


async def test_roles_come_from_ids_and_user_groups(people: People, workplace: Workplace) -> None:
    team = workplace.team_id
    operator = await people.person(team, workplace.people["operator"].id)
    approver = await people.person(team, workplace.people["approver"].id)
    assert operator.roles == {Role.VIEWER, Role.OPERATOR}
    assert approver.roles == {Role.VIEWER, Role.APPROVER}
    assert operator.name == "Olga Operator"


async def test_person_without_a_role_holds_none(people: People, workplace: Workplace) -> None:
    person = await people.person(workplace.team_id, workplace.people["operator2"].id)
    assert person.roles == frozenset()


async def test_guest_is_refused_even_with_a_role(people: People, workplace: Workplace) -> None:
    with pytest.raises(NotAllowed, match="guest"):
        await people.person(workplace.team_id, workplace.people["guest"].id)


async def test_other_team_is_refused_by_the_payload(people: People, workplace: Workplace) -> None:
    outsider = workplace.people["outsider"]
    with pytest.raises(NotAllowed, match="workspace"):
        await people.person(outsider.team_id, outsider.id)


async def test_other_team_is_refused_by_the_directory(people: People, workplace: Workplace) -> None:
    with pytest.raises(NotAllowed):
        await people.person(workplace.team_id, workplace.people["outsider"].id)


async def test_the_bot_itself_is_refused(people: People, workplace: Workplace) -> None:
    with pytest.raises(NotAllowed, match="Bots"):
        await people.person(workplace.team_id, workplace.bot_user_id)


async def test_unknown_person_is_refused(people: People, workplace: Workplace) -> None:
    with pytest.raises(NotAllowed, match="no such person"):
        await people.person(workplace.team_id, "U0NOBODY")


async def test_deactivation_counts_after_a_minute_at_the_latest(
    people: People, workplace: Workplace, clock: list[float]
) -> None:
    operator = workplace.people["operator"].id
    await people.person(workplace.team_id, operator)
    await workplace.do({"do": "person", "key": "operator", "deleted": True})
    clock[0] += 60
    with pytest.raises(NotAllowed, match="deactivated"):
        await people.person(workplace.team_id, operator)


async def test_leaving_the_group_takes_the_role_after_a_minute(
    people: People, workplace: Workplace, clock: list[float]
) -> None:
    approver = workplace.people["approver"].id
    await people.person(workplace.team_id, approver)
    await workplace.do({"do": "usergroup", "name": "xen-approvers", "members": ["approver2"]})
    clock[0] += 60
    assert (await people.person(workplace.team_id, approver)).roles == frozenset()


async def test_unreachable_directory_refuses_and_is_not_remembered(people: People, workplace: Workplace) -> None:
    operator = workplace.people["operator"].id
    await workplace.do({"do": "fail", "method": "users.info", "kind": "500"})
    with pytest.raises(NotAllowed, match="cannot look you up"):
        await people.person(workplace.team_id, operator)
    assert Role.OPERATOR in (await people.person(workplace.team_id, operator)).roles


async def test_unreadable_user_group_refuses(people: People, workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "usergroups.users.list", "kind": "500"})
    with pytest.raises(NotAllowed, match="user group"):
        await people.person(workplace.team_id, workplace.people["operator"].id)


async def test_holders_leave_out_guests_and_follow_roles(people: People, workplace: Workplace) -> None:
    ids = {key: person.id for key, person in workplace.people.items()}
    assert await people.holders(Role.APPROVER) == {ids["approver"], ids["approver2"]}
    assert await people.holders(Role.OPERATOR) == {ids["operator"], ids["admin"]}


async def test_some_holders_are_named_and_the_others_only_counted(people: People, workplace: Workplace) -> None:
    ids = {key: person.id for key, person in workplace.people.items()}
    # The guest of the workspace was given the role too, and holds none.
    assert await people.some(Role.OPERATOR, 3) == (tuple(sorted((ids["operator"], ids["admin"]))), 0)
    (one,), others = await people.some(Role.APPROVER, 1)
    assert one in {ids["approver"], ids["approver2"]}
    assert others == 1
    assert await people.some(Role.BREAK_GLASS, 3) == ((), 0)


async def test_holders_refuse_when_slack_cannot_be_asked(people: People, workplace: Workplace) -> None:
    await workplace.do({"do": "fail", "method": "users.info", "kind": "500"})
    with pytest.raises(NotAllowed):
        await people.holders(Role.OPERATOR)
