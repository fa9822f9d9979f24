"""HTTP deliveries, when Socket Mode is off: signed posts to the app's request URLs.

Events are JSON, commands a flat form, interactions and options loads a form with one field ``payload``. A signature
is checked against the receiver's own clock, so its timestamp is real time whatever clock the workplace keeps.
"""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from bot.lab.slack.clock import Clock, wait_until
from bot.lab.slack.courier import ACK_WINDOW_S, RETRY_PAUSES_S, NoAnswer
from bot.lab.slack.faults import Faults
from bot.lab.slack.inspector import Inspector, Passed

Json = dict[str, Any]

_USER_AGENT: Final = "Slackbot 1.0 (+https://api.slack.com/robots)"
_FORM: Final = "application/x-www-form-urlencoded"
# Slack follows two redirects; this many in a row are an error.
_REDIRECTS: Final = 3
_OLD_S: Final = 360


class RequestUrls(msgspec.Struct, frozen=True, kw_only=True):
    """Where the app listens, by what is delivered."""

    events: str
    commands: str
    interactivity: str
    options: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the app's server said, or why it said nothing: then ``status`` is 0 and ``problem`` Slack's retry reason."""

    status: int = 0
    content_type: str = ""
    body: str = ""
    is_no_retry: bool = False
    problem: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the answer has a status that counts as success."""
        return 200 <= self.status < 300


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return ``X-Slack-Signature`` for the exact bytes that are sent."""
    base = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class HttpRoute:
    """Posts to the request URLs of the app."""

    def __init__(self, *, urls: RequestUrls, secret: str, clock: Clock, faults: Faults, log: Inspector) -> None:
        self.urls = urls
        self._secret = secret
        self._clock = clock
        self._faults = faults
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._sending: set[asyncio.Future[Reply]] = set()
        self._is_closed = False

    async def ask(self, kind: str, payload: Json, *, accepts_response: bool) -> Json | NoAnswer:
        """Deliver an interaction once and read what its answer says; a body that no one asked for is ignored."""
        if kind == "slash_commands":
            url, form = self.urls.commands, payload
        else:
            url = self.urls.options if payload["type"] == "block_suggestion" else self.urls.interactivity
            form = {"payload": json.dumps(payload)}
        reply = await self._send_in_time(url, kind, urlencode(form).encode(), _FORM, payload, {})
        if reply.problem == "http_timeout":
            return NoAnswer("timeout", by_http=True)
        if not reply.is_good:
            return NoAnswer("refused" if reply.status else "unreachable", by_http=True)
        answer = _read_answer(reply)
        if answer and not accepts_response:
            self._log.record("warning", "body of the answer ignored: use response_url", self._clock.now(), body=answer)
            return {}
        return answer

    async def deliver_event(self, event: Json) -> None:
        """Post an event and repeat it at once, after a minute and after five, unless the answer forbids it."""
        body = json.dumps(event).encode()
        headers: dict[str, str] = {}
        for attempt, pause_s in enumerate((0.0, *RETRY_PAUSES_S)):
            await self._clock.sleep_until(self._clock.now() + pause_s)
            reply = await self._send_in_time(self.urls.events, "events_api", body, "application/json", event, headers)
            if reply.is_good or reply.is_no_retry or self._is_closed:
                return
            reason = reply.problem or "http_error"
            headers = {"X-Slack-Retry-Num": str(attempt + 1), "X-Slack-Retry-Reason": reason}
        self._log.record("warning", "event lost: never accepted", self._clock.now())

    async def verify_url(self) -> str:
        """Send ``url_verification`` to the address for events; return what is wrong, "" when it answers right."""
        challenge = hashlib.sha256(str(time.time_ns()).encode()).hexdigest()
        request = {"token": "unused", "challenge": challenge, "type": "url_verification"}
        reply = await self._send_in_time(
            self.urls.events, "url_verification", json.dumps(request).encode(), "application/json", request, {}
        )
        if not reply.is_good:
            return reply.problem or f"it answered {reply.status}"
        answer = _read_answer(reply)
        return "" if challenge in (answer.get("challenge"), answer.get("text")) else "it did not return the challenge"

    async def check_ssl(self) -> int:
        """Send the unsigned ``ssl_check`` to the address for commands and return the status, 0 for none."""
        request = {"ssl_check": "1", "token": "unused"}
        body = urlencode(request).encode()
        return (await self._send_in_time(self.urls.commands, "ssl_check", body, _FORM, request, None)).status

    async def close(self) -> None:
        """Give up what is being posted and close the connections."""
        self._is_closed = True
        for sending in list(self._sending):
            sending.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send_in_time(
        self, url: str, kind: str, body: bytes, content_type: str, shown: Json, headers: dict[str, str] | None
    ) -> Reply:
        """Post within three seconds; without ``headers`` the post is not signed."""
        started, deadline = time.perf_counter(), self._clock.now() + ACK_WINDOW_S
        sending = asyncio.ensure_future(self._send(url, kind, body, content_type, headers))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        try:
            in_time = await wait_until(self._clock, sending, deadline)
        finally:
            sending.cancel()
        if sending.cancelled():
            reply = Reply(problem="connection_failed")
        else:
            reply = sending.result() if in_time else Reply(problem="http_timeout")
        self._log.record(
            "delivery",
            f"{kind}: {reply.status or reply.problem}",
            self._clock.now(),
            Passed(
                "ok" if reply.is_good else reply.problem or str(reply.status),
                len(body) + len(reply.body),
                round((time.perf_counter() - started) * 1000, 1),
            ),
            status=reply.status,
            url=url,
            headers=headers or {},
            request=shown,
            answer=reply.body,
        )
        return reply

    async def _send(self, url: str, kind: str, body: bytes, content_type: str, headers: dict[str, str] | None) -> Reply:
        suffered = {fault.kind: fault for fault in self._faults.misdeliver(kind)}
        if "late" in suffered:
            await self._clock.sleep_until(self._clock.now() + suffered["late"].seconds)
        if "lost" in suffered:
            await asyncio.Event().wait()
        sent = {"User-Agent": _USER_AGENT, "Content-Type": content_type, "Accept": "application/json,*/*"}
        if headers is not None:
            timestamp = int(time.time()) - (_OLD_S if "old_signature" in suffered else 0)
            secret = "0" * 32 if "wrong_signature" in suffered else self._secret
            signature = sign(secret, timestamp, body)
            sent |= {**headers, "X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature}
        reply = await self._post(url, body, sent)
        if "duplicate" in suffered:
            await self._post(url, body, sent)
        return reply

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        if self._is_closed:
            return Reply(problem="connection_failed")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.post(url, data=body, headers=headers, max_redirects=_REDIRECTS) as answer:
                return Reply(
                    status=answer.status,
                    content_type=answer.content_type,
                    body=(await answer.read()).decode(errors="replace"),
                    is_no_retry=answer.headers.get("X-Slack-No-Retry") == "1",
                )
        except aiohttp.TooManyRedirects:
            return Reply(problem="too_many_redirects")
        except aiohttp.ClientSSLError:
            return Reply(problem="ssl_error")
        except aiohttp.ClientConnectionError:
            return Reply(problem="connection_failed")
        except aiohttp.ClientError:
            return Reply(problem="unknown_error")


def _read_answer(reply: Reply) -> Json:
    """Return the body as an object: JSON as it is, any other text as ``text``."""
    if not reply.body:
        return {}
    if reply.content_type == "application/json":
        try:
            answer = json.loads(reply.body)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
    return {"text": reply.body}
