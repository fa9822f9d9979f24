"""The bot's own small web server: is it alive, is it ready, what does it count.

For the service manager, a load balancer and Prometheus. No name of a guest or a person is shown. Where Slack's requests
come by HTTP they arrive here too, at an address of their own; nothing else can change anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from bot.errors import ConfigError
from bot.metrics import CONTENT_TYPE, Metrics

_STOP_S: Final = 1.0


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[web]`. `listen` is the address and port of `/healthz`, `/readyz` and `/metrics`; port 0 picks a free one."""

    listen: str = "127.0.0.1:8081"

    def address(self) -> tuple[str, int]:
        """Returns host and port. Raises ValueError, with a sentence, when `listen` is not `host:port`."""
        host, colon, port = self.listen.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or (":" in host and not bracketed):
            raise ValueError("expected host:port, for example 127.0.0.1:8081 or [::1]:8081")
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise ValueError("the port must be a number from 0 to 65535")
        return (host[1:-1] if bracketed else host), int(port)


class Health(msgspec.Struct, frozen=True):
    """How the bot is; `findings` says in one sentence each what is not so.

    `alive`: the process works and its sockets are not deaf. `ready`: Slack is connected, the store can be written and
    at least one pool is fed.
    """

    alive: bool
    ready: bool
    findings: tuple[str, ...] = ()


class _Verdict(msgspec.Struct, frozen=True):
    ok: bool
    findings: tuple[str, ...]


class Web:
    """The web server. It listens from `start` to `stop`.

    Args:
        settings: Where to listen.
        health: Asked at each request; must answer from memory, at once.
        metrics: What `/metrics` shows.
        posts: What else is taken, by path: handlers of POST requests.
    """

    def __init__(
        self,
        settings: WebSettings,
        *,
        health: Callable[[], Health],
        metrics: Metrics,
        posts: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] | None = None,
    ) -> None:
        self._settings = settings
        self._health = health
        self._metrics = metrics
        app = web.Application()
        app.router.add_get("/healthz", self._answer(lambda health: health.alive))
        app.router.add_get("/readyz", self._answer(lambda health: health.ready))
        app.router.add_get("/metrics", self._show_metrics)
        for path, handler in (posts or {}).items():
            app.router.add_post(path, handler)
        # No access log: a probe every few seconds would bury everything else.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)

    async def start(self) -> str:
        """Starts to listen; returns the base address, with the port that was picked where the setting says 0.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        await self._runner.setup()
        try:
            host, port = self._settings.address()
            await web.TCPSite(self._runner, host, port).start()
        except (OSError, ValueError) as error:
            await self._runner.cleanup()
            raise ConfigError([f"web.listen: {self._settings.listen} cannot be used: {error}"]) from error
        bound = int(self._runner.addresses[0][1])
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Stops listening; requests being answered get a second to end. Harmless to call twice."""
        await self._runner.cleanup()

    def _answer(self, judge: Callable[[Health], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_request: web.Request) -> web.Response:
            health = self._health()
            verdict = _Verdict(judge(health), health.findings)
            return web.Response(
                body=msgspec.json.encode(verdict),
                status=200 if verdict.ok else 503,
                content_type="application/json",
                headers={"Cache-Control": "no-store"},
            )

        return answer

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        )
