"""The bot's web server and its metrics, over a socket."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import ConfigError
from bot.metrics import Metrics, Outcome
from bot.web import Health, Web, WebSettings

ANYWHERE = WebSettings("127.0.0.1:0")


@asynccontextmanager
async def serving(*, health: list[Health], metrics: Metrics | None = None) -> AsyncIterator[str]:
    web = Web(ANYWHERE, health=lambda: health[-1], metrics=metrics or Metrics())
    try:
        yield await web.start()
    finally:
        await web.stop()
        await web.stop()


async def ask(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_health_and_readiness_are_told_apart_and_say_why() -> None:
    health = [Health(alive=True, ready=False, findings=("Slack is not connected.",))]
    async with serving(health=health) as base:
        alive, _, text = await ask(f"{base}/healthz")
        ready, kind, _ = await ask(f"{base}/readyz")
        assert (alive, ready, kind) == (200, 503, "application/json")
        assert text == '{"ok":true,"findings":["Slack is not connected."]}'
        health.append(Health(alive=False, ready=False))
        assert (await ask(f"{base}/healthz"))[0] == 503
        health.append(Health(alive=True, ready=True))
        assert await ask(f"{base}/readyz") == (200, "application/json", '{"ok":true,"findings":[]}')


async def test_a_port_in_use_is_a_finding() -> None:
    with occupied() as port:
        web = Web(WebSettings(f"127.0.0.1:{port}"), health=lambda: Health(alive=True, ready=True), metrics=Metrics())
        with pytest.raises(ConfigError, match=rf"web\.listen: 127\.0\.0\.1:{port} cannot be used"):
            await web.start()


@contextmanager
def occupied() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


async def test_metrics_show_what_was_counted_and_what_is_true_now() -> None:
    metrics = Metrics(["RUNNING", "QUEUED"])
    ages: dict[str, float | None] = {"experiment": None, "xenserver4": 1.5}
    metrics.watch_feeds(lambda: ages)
    metrics.watch_slack(lambda: True, lambda: 3.0)
    metrics.count_command("migrate", Outcome.ANSWERED)
    metrics.count_command("migrate", Outcome.ANSWERED)
    metrics.observe_ack(0.02)
    metrics.observe_lag(0.002)
    metrics.set_jobs({"RUNNING": 2})
    metrics.set_outbox_depth(4)
    async with serving(health=[Health(alive=True, ready=True)], metrics=metrics) as base:
        before = values((await ask(f"{base}/metrics"))[2])
        ages["experiment"] = 0.5
        del ages["xenserver4"]
        metrics.set_jobs({"QUEUED": 1})
        after = values((await ask(f"{base}/metrics"))[2])
    assert before["xenbot_commands_total", "answered", "migrate"] == 2
    assert before["xenbot_command_ack_seconds_bucket", "0.025"] == 1
    assert before["xenbot_event_loop_lag_seconds_bucket", "0.001"] == 0
    assert before["xenbot_event_loop_lag_seconds_bucket", "0.0025"] == 1
    assert before["xenbot_jobs", "RUNNING"] == 2
    assert before["xenbot_jobs", "QUEUED"] == 0
    assert before["xenbot_outbox_depth",] == 4
    assert str(before["xenbot_feed_age_seconds", "experiment"]) == "nan"
    assert before["xenbot_feed_age_seconds", "xenserver4"] == 1.5
    assert before["xenbot_slack_connected",] == 1
    assert before["xenbot_slack_last_inbound_age_seconds",] == 3
    assert after["xenbot_feed_age_seconds", "experiment"] == 0.5
    assert ("xenbot_feed_age_seconds", "xenserver4") not in after, "what is no pool any more"
    assert (after["xenbot_jobs", "RUNNING"], after["xenbot_jobs", "QUEUED"]) == (0, 1)


def values(text: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text)
    return {
        (one.name, *(one.labels[name] for name in sorted(one.labels))): one.value
        for family in families
        for one in family.samples
    }


def test_two_bots_in_one_process_share_no_number() -> None:
    first, second = Metrics(), Metrics()
    first.set_outbox_depth(3)
    assert values(second.render().decode())["xenbot_outbox_depth",] == 0
