"""A workplace on loopback and the parts of bot.slack connected to it."""

from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from dialogue_hands import Dials, FakeCounter
from slack_hands import FakeDesk, FakeOutbox, Hands
from slack_sdk.web.async_client import AsyncWebClient

from bot.lab.slack import Workplace
from bot.slack import Dialogues, Gateway, Homes, RoleSettings, SlackSettings, close_client, open_client


@pytest.fixture
async def workplace() -> AsyncIterator[Workplace]:
    place = Workplace(port=0)
    await place.start()
    yield place
    await place.stop()


@pytest.fixture
async def hands(workplace: Workplace) -> AsyncIterator[Callable[[str], Hands]]:
    async with aiohttp.ClientSession() as session:
        yield lambda role: Hands(session, workplace, role)


@pytest.fixture
def settings(workplace: Workplace) -> SlackSettings:
    return SlackSettings(api_url=workplace.api_url, team=workplace.team_id, channels=(workplace.channels["ops"],))


@pytest.fixture
def roles(workplace: Workplace) -> RoleSettings:
    return RoleSettings(
        viewer=(workplace.people["viewer"].id,),
        operator=(workplace.people["operator"].id,),
        approver=tuple(workplace.usergroups.values())[:1],
        admin=(workplace.people["admin"].id,),
    )


@pytest.fixture
async def client(workplace: Workplace, settings: SlackSettings) -> AsyncIterator[AsyncWebClient]:
    shared = open_client(settings, workplace.bot_token)
    yield shared
    await close_client(shared)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def gateway(workplace: Workplace, settings: SlackSettings, desk: FakeDesk) -> AsyncIterator[Gateway]:
    door = Gateway(
        settings=settings,
        bot_token=workplace.bot_token,
        app_token=workplace.app_token,
        desk=desk,
        watch_every_s=0.1,
        ping_every_s=0.5,
    )
    await door.start()
    yield door
    await door.stop()


@pytest.fixture
def outbox() -> FakeOutbox:
    return FakeOutbox()


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def dials() -> Dials:
    return Dials()


@pytest.fixture
def homes(client: AsyncWebClient, counter: FakeCounter, dials: Dials) -> Homes:
    return Homes(client, counter, clock=dials)


@pytest.fixture
async def door(
    workplace: Workplace,
    settings: SlackSettings,
    desk: FakeDesk,
    client: AsyncWebClient,
    counter: FakeCounter,
    homes: Homes,
) -> AsyncIterator[Gateway]:
    gateway = Gateway(
        settings=settings,
        bot_token=workplace.bot_token,
        app_token=workplace.app_token,
        desk=desk,
        dialogues=Dialogues(client, counter, counter),
        homes=homes,
        client=client,
    )
    await gateway.start()
    yield gateway
    await gateway.stop()
