"""A started workplace, on real time or on a clock of the test's, and a way to connect a Bolt app to it."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_clients import ALL_EVENTS, ALL_SCOPES, Connect, serve
from slack_listener import Listener

from bot.lab.slack import Clock, Shortcut, Workplace


@pytest.fixture
def clock() -> Clock:
    return Clock(held_at=1_700_000_000.0)


@pytest.fixture
async def workplace() -> AsyncIterator[Workplace]:
    started = Workplace(port=0)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def open_workplace() -> AsyncIterator[Workplace]:
    """A workplace whose app may do everything, hears of everything and has shortcuts."""
    started = Workplace(
        port=0,
        scopes=ALL_SCOPES,
        events=ALL_EVENTS,
        shortcuts=(Shortcut("new_job", "New job"), Shortcut("link_job", "Link to a job", on_message=True)),
    )
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def still_workplace(clock: Clock) -> AsyncIterator[Workplace]:
    """A workplace whose time only the test moves."""
    started = Workplace(port=0, clock=clock)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def listener(still_workplace: Workplace) -> AsyncIterator[Listener]:
    """A bare server that the workplace with the held clock delivers to."""
    heard = Listener()
    async with serve(heard.application) as url:
        await still_workplace.do({"do": "deliver_by_http", "request_url": url})
        yield heard


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connect Bolt apps by Socket Mode and close them at the end."""
    handlers: list[AsyncSocketModeHandler] = []

    async def start(workplace: Workplace, app: AsyncApp) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(app, workplace.app_token, ping_interval=1)
        handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it unannotated
        return handler

    yield start
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it unannotated
