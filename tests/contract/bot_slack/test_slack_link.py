import asyncio
from collections.abc import Callable

import aiohttp
from slack_hands import DEADLINE_S, FakeDesk, Hands

from bot.lab.slack import Workplace
from bot.slack import Gateway, SlackSettings


async def answered(operator: Hands) -> None:
    """Types until a command is taken: each attempt waits for Slack's own verdict, so this is no busy loop."""
    async with asyncio.timeout(DEADLINE_S):
        while not (await operator.type("status"))["ok"]:
            pass


async def test_link_is_rebuilt_when_its_ticket_has_died(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "refuse_connections", "on": True, "link_only": True})
    await workplace.do({"do": "drop_sockets"})
    operator = hands("operator")
    assert not (await operator.type("status"))["ok"]
    await workplace.do({"do": "refuse_connections", "on": False})
    await workplace.do({"do": "strict_tickets", "on": True})
    await answered(operator)
    assert gateway.status().rebuilt >= 1


async def test_link_follows_a_disconnect_frame(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "disconnect", "reason": "refresh_requested"})
    await answered(hands("operator"))


async def test_gateway_starts_without_slack_and_connects_when_it_is_back(
    workplace: Workplace, settings: SlackSettings, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "refuse_connections", "on": True})
    door = Gateway(
        settings=settings,
        bot_token=workplace.bot_token,
        app_token=workplace.app_token,
        desk=desk,
        watch_every_s=0.1,
        ping_every_s=0.5,
        connect_timeout_s=0.5,
    )
    await door.start()
    assert not door.status().connected
    await workplace.do({"do": "refuse_connections", "on": False})
    await answered(hands("operator"))
    await door.stop()


async def test_envelope_delivered_twice_is_handed_on_twice_and_harms_nothing(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "misdeliver", "kind": "duplicate"})
    assert (await hands("operator").type("status"))["ok"]
    await desk.until(lambda: len(desk.words) == 2)


async def test_stop_lets_begun_work_finish(
    workplace: Workplace, settings: SlackSettings, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    door = Gateway(settings=settings, bot_token=workplace.bot_token, app_token=workplace.app_token, desk=desk)
    await door.start()
    finish, finished = asyncio.Event(), asyncio.Event()

    async def slow(_: object) -> None:
        await finish.wait()
        finished.set()

    desk.answer = slow
    assert (await hands("operator").type("status"))["ok"]
    stopping = asyncio.create_task(door.stop())
    finish.set()
    await stopping
    assert finished.is_set()


async def test_stopped_gateway_leaves_no_session_open(
    workplace: Workplace, settings: SlackSettings, desk: FakeDesk
) -> None:
    door = Gateway(settings=settings, bot_token=workplace.bot_token, app_token=workplace.app_token, desk=desk)
    await door.start()
    session = door.client.session
    await door.stop()
    assert isinstance(session, aiohttp.ClientSession)
    assert session.closed
    assert workplace.open_sockets == 0
