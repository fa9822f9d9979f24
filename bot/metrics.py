"""What the bot counts and measures, in a registry of its own; `bot.web` shows it as `/metrics`.

Parts that do something count it as they do it; ages and depths are asked for when someone scrapes, so they are never
older than the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

# Slack shows an error to the person when an acknowledgement takes longer than 3 s; ours should take under 0.1 s.
_ACK_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
# What other work leaves of a moment on the event loop: an ack waits at least as long.
_LAG_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)


class Outcome(StrEnum):
    """How a command ended for the person who typed it."""

    ANSWERED = "answered"
    REFUSED = "refused"
    MISUNDERSTOOD = "misunderstood"
    FAILED = "failed"


class Metrics:
    """All metrics of one bot. Nothing is global: two bots in one process do not share a number.

    Args:
        states: Every state a job can be in, so that a state nobody is in shows as 0.
    """

    def __init__(self, states: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._commands = Counter(
            "xenbot_commands", "Slash commands by word and outcome.", ["word", "outcome"], registry=self.registry
        )
        self._ack = Histogram(
            "xenbot_command_ack_seconds",
            "Seconds from the arrival of a command until it was acknowledged.",
            buckets=_ACK_BUCKETS_S,
            registry=self.registry,
        )
        self._lag = Histogram(
            "xenbot_event_loop_lag_seconds",
            "Seconds by which the event loop was late for a timer.",
            buckets=_LAG_BUCKETS_S,
            registry=self.registry,
        )
        self._jobs = Gauge("xenbot_jobs", "Jobs in the store by state.", ["state"], registry=self.registry)
        self._outbox = Gauge(
            "xenbot_outbox_depth", "Messages waiting to be delivered to Slack.", registry=self.registry
        )
        self._connected = Gauge(
            "xenbot_slack_connected", "1 while the connection to Slack is up.", registry=self.registry
        )
        self._inbound_age = Gauge(
            "xenbot_slack_last_inbound_age_seconds",
            "Seconds since anything last came from Slack; NaN until something has.",
            registry=self.registry,
        )
        self._inbound_age.set(math.nan)
        self._states = tuple(states)
        self.set_jobs({})

    def count_command(self, word: str, outcome: Outcome) -> None:
        """Counts one command. `word` is the command's own word or "unknown", never what a person typed."""
        self._commands.labels(word, outcome.value).inc()

    def observe_ack(self, seconds: float) -> None:
        """Notes how long one acknowledgement took."""
        self._ack.observe(seconds)

    def observe_lag(self, seconds: float) -> None:
        """Notes how late the event loop was for a timer."""
        self._lag.observe(seconds)

    def set_jobs(self, counts: Mapping[str, int]) -> None:
        """Replaces the number of jobs in each state; a state that is not named has none."""
        for state in {*self._states, *counts}:
            self._jobs.labels(state).set(counts.get(state, 0))
        self._states = tuple({*self._states, *counts})

    def set_outbox_depth(self, waiting: int) -> None:
        """Replaces the number of messages that wait for delivery."""
        self._outbox.set(waiting)

    def watch_feeds(self, ages_s: Callable[[], Mapping[str, float | None]]) -> None:
        """Asks at each scrape for the ages of the feeds of all pools that there are then, by name.

        None means a feed has not loaded.
        """
        self.registry.register(_FeedAges(ages_s))

    def watch_slack(self, connected: Callable[[], bool], last_inbound_age_s: Callable[[], float | None]) -> None:
        """Asks both at each scrape; an age of None means nothing has come yet."""
        self._connected.set_function(connected)
        self._inbound_age.set_function(_or_nan(last_inbound_age_s))

    def render(self) -> bytes:
        """Returns everything in the Prometheus text format, to be sent as `CONTENT_TYPE`."""
        return generate_latest(self.registry)


class _FeedAges(Collector):
    def __init__(self, ages_s: Callable[[], Mapping[str, float | None]]) -> None:
        self._ages_s = ages_s

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "xenbot_feed_age_seconds",
            "Seconds since the pool's event feed last answered; NaN until it has loaded.",
            labels=["pool"],
        )
        for pool, age in self._ages_s().items():
            family.add_metric([pool], math.nan if age is None else age)
        yield family


def _or_nan(age_s: Callable[[], float | None]) -> Callable[[], float]:
    def read() -> float:
        age = age_s()
        return math.nan if age is None else age

    return read
