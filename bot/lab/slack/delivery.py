"""Switching between Socket Mode and request URLs; an app has one or the other, never both."""

from typing import Any, Final
from urllib.parse import urlsplit

from bot.lab.slack.httpdelivery import HttpRoute, RequestUrls
from bot.lab.slack.hub import Hub
from bot.lab.slack.vocabulary import DeliverByHttp

Json = dict[str, Any]

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


async def switch_to_http(hub: Hub, control: DeliverByHttp) -> None:
    """Post to request URLs from now on; open sockets are told to go.

    Raises:
        ValueError: An address is not of this machine, or the app did not answer ``url_verification``.
    """
    main = control.request_url
    urls = RequestUrls(
        events=main,
        commands=control.commands_url or main,
        interactivity=control.interactivity_url or main,
        options=control.options_url or control.interactivity_url or main,
    )
    for url in (urls.events, urls.commands, urls.interactivity, urls.options):
        _check_url(url)
    route = HttpRoute(
        urls=urls, secret=hub.installation.signing_secret, clock=hub.clock, faults=hub.faults, log=hub.log
    )
    problem = await route.verify_url()
    if problem:
        await route.close()
        raise ValueError(f"The address {main!r} was not verified: {problem}.")
    await hub.courier.switch(route)
    hub.sockets.is_on = False
    await hub.sockets.disconnect_all("link_disabled")


async def switch_to_sockets(hub: Hub) -> None:
    """Deliver by Socket Mode from now on."""
    if hub.courier.route is not hub.envelopes:
        await hub.courier.switch(hub.envelopes)
    hub.sockets.is_on = True


async def check_ssl(hub: Hub) -> int:
    """Send ``ssl_check`` and return the status of the answer.

    Raises:
        ValueError: The app is not reached by HTTP.
    """
    if not isinstance(hub.courier.route, HttpRoute):
        raise ValueError("There is no request URL while Socket Mode is on.")  # noqa: TRY004  the state is wrong, no type
    return await hub.courier.route.check_ssl()


def describe_delivery(hub: Hub) -> Json:
    """Return how the app is reached now."""
    route = hub.courier.route
    if isinstance(route, HttpRoute):
        urls = route.urls
        return {
            "by": "http",
            "request_url": urls.events,
            "commands_url": urls.commands,
            "interactivity_url": urls.interactivity,
            "options_url": urls.options,
        }
    return {"by": "socket", "open_sockets": hub.sockets.open_count}


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_ours = parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK
    except ValueError:
        is_ours = False
    if not is_ours:
        raise ValueError(f"The request URL {url!r} is not an http address of this machine.")
