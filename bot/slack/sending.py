"""One parcel on its way: posted, edited, looked for, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.parcel import Parcel
from bot.slack.cards import Rendered, render, render_bare
from bot.slack.faults import CALL_ERRORS, Fault, code_of, judge

log = structlog.get_logger(__name__)

EVENT_TYPE = "xenbot"
_PAGE = 200
_PAGES = 5


class Sender:
    """Knows the calls. Everything it raises is one of `faults.CALL_ERRORS`."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def edit(self, parcel: Parcel, rendered: Rendered) -> None:
        """Replaces text and blocks; a chat.update with text alone would drop the blocks."""
        target = {"channel": parcel.channel, "ts": parcel.message_ts}
        await self._shaped(self._client.chat_update, parcel, rendered, target)

    async def post(self, parcel: Parcel, rendered: Rendered, *, threaded: bool = True) -> str:
        """Posts and gives the new message's ts. The metadata is what finds it again when the answer is lost."""
        payload: dict[str, Any] = {"parcel": parcel.id, "nonce": parcel.nonce}
        if parcel.job is not None:
            payload["job"] = parcel.job
        target: dict[str, Any] = {
            "channel": parcel.channel,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if threaded and parcel.kind == "reply" and parcel.thread_ts:
            target["thread_ts"] = parcel.thread_ts
        answer = await self._shaped(self._client.chat_postMessage, parcel, rendered, target)
        return str(answer.get("ts") or "")

    async def whisper(self, parcel: Parcel, rendered: Rendered) -> None:
        """Ephemerally in the channel; as a direct message where that is refused, since it needs both to be in there."""
        target: dict[str, Any] = {"channel": parcel.channel, "user": parcel.user}
        if parcel.channel:
            try:
                await self._shaped(self._client.chat_postEphemeral, parcel, rendered, target)
            except CALL_ERRORS as error:
                if judge(error) in {Fault.LIMITED, Fault.LOST, Fault.ACCOUNT}:
                    raise
                log.info("ephemeral_refused", parcel=parcel.id, error=code_of(error))
            else:
                return
        direct: dict[str, Any] = {"channel": parcel.user, "unfurl_links": False, "unfurl_media": False}
        await self._shaped(self._client.chat_postMessage, parcel, rendered, direct)

    async def find(self, parcel: Parcel) -> str | None:
        """The ts of a post whose answer was lost, by its nonce; None when it is not there.

        Without the history scope nobody can look; then it counts as absent, since a result told twice is better than
        one never told.
        """
        cursor = ""
        try:
            for _ in range(_PAGES):
                answer = await self._page(parcel, cursor)
                for message in answer.get("messages") or ():
                    if _nonce_of(message) == parcel.nonce:
                        return str(message["ts"])
                cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    return None
        except CALL_ERRORS as error:
            if judge(error) in {Fault.LOST, Fault.LIMITED}:
                raise
            log.warning("history_unreadable", channel=parcel.channel, error=code_of(error))
        return None

    async def _page(self, parcel: Parcel, cursor: str) -> Any:  # noqa: ANN401  SlackResponse is a mapping of anything
        if parcel.kind == "reply" and parcel.thread_ts:
            return await self._client.conversations_replies(
                channel=parcel.channel,
                ts=parcel.thread_ts,
                include_all_metadata=True,
                limit=_PAGE,
                cursor=cursor or None,
            )
        return await self._client.conversations_history(
            channel=parcel.channel, include_all_metadata=True, limit=_PAGE, cursor=cursor or None
        )

    async def _shaped(self, call: Any, parcel: Parcel, rendered: Rendered, target: Mapping[str, Any]) -> Any:  # noqa: ANN401  any of the SDK's methods
        # A card Slack refuses is said more plainly, never dropped: without its table first, then by its summary alone.
        plainer = [lambda: render(parcel.message, tables=False), lambda: render_bare(parcel.message)]
        while True:
            try:
                return await call(**target, text=rendered.text, blocks=rendered.blocks)
            except CALL_ERRORS as error:
                if judge(error) is not Fault.SHAPE or not plainer:
                    raise
                log.warning("card_refused", parcel=parcel.id, error=code_of(error), detail=_detail(error))
                rendered = plainer.pop(0)()


def _nonce_of(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT_TYPE:
        return None
    payload = metadata.get("event_payload")
    return payload.get("nonce") if isinstance(payload, Mapping) else None


def _detail(error: BaseException) -> list[str]:
    response = getattr(error, "response", None)
    metadata = response.get("response_metadata") if response is not None else None
    return [str(line) for line in (metadata or {}).get("messages") or ()][:5]


def fingerprint(rendered: Rendered) -> bytes:
    """Equal for messages that look the same."""
    return hashlib.sha256(msgspec.json.encode(rendered)).digest()
