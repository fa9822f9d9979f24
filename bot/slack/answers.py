"""Private answers: to the person who asked, by the first way that works."""

from __future__ import annotations

from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.cards import Rendered, render_refusal
from bot.slack.client import sdk_log
from bot.slack.faults import CALL_ERRORS, code_of
from bot.slack.payloads import Place

log = structlog.get_logger(__name__)


class Answers:
    """Says something to one person: response_url first, then an ephemeral message, then a direct message.

    A response_url works for 30 minutes and five answers, without membership of the channel; an ephemeral message needs
    both in it.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def tell(self, place: Place, rendered: Rendered) -> None:
        """Delivers, or logs that no way was open; never raises."""
        if rendered.files:
            rendered = await self._filed(place, rendered)
        if await self._respond(place, rendered) or await self._whisper(place, rendered):
            return
        log.error("answer_undelivered", user=place.user, channel=place.channel)

    async def _filed(self, place: Place, rendered: Rendered) -> Rendered:
        """Posts what has files for everybody in the channel to see, the files in its thread; what to say privately."""
        try:
            # A user id as channel opens the direct message by itself.
            posted = await self._client.chat_postMessage(
                channel=place.channel or place.user,
                text=rendered.text,
                blocks=rendered.blocks,
                unfurl_links=False,
                unfurl_media=False,
            )
            for file in rendered.files:
                await self._client.files_upload_v2(
                    channel=str(posted["channel"]), thread_ts=str(posted["ts"]), content=file.text, filename=file.name
                )
        except CALL_ERRORS as error:
            log.warning("file_not_delivered", channel=place.channel, error=code_of(error))
            return render_refusal(
                f"The file did not get into Slack ({code_of(error)}).",
                "On the bot's machine `xenbot audit export` gives it.",
            )
        return render_refusal("The file is in the thread of the message here.")

    async def _whisper(self, place: Place, rendered: Rendered) -> bool:
        content: dict[str, Any] = {"text": rendered.text, "blocks": rendered.blocks}
        channel, user = place.channel, place.user
        # Among two everything is private, and a lasting message is better than one that is gone with the next reload.
        if channel and not channel.startswith("D"):
            thread = place.thread_ts or None
            try:
                await self._client.chat_postEphemeral(channel=channel, user=user, thread_ts=thread, **content)
            except CALL_ERRORS as error:
                log.info("ephemeral_refused", channel=channel, error=code_of(error))
            else:
                return True
        thread = (place.thread_ts or None) if channel.startswith("D") else None
        try:
            # A user id as channel opens the direct message by itself.
            await self._client.chat_postMessage(
                channel=user, thread_ts=thread, unfurl_links=False, unfurl_media=False, **content
            )
        except CALL_ERRORS as error:
            log.warning("direct_message_refused", user=user, error=code_of(error))
            return False
        return True

    async def _respond(self, place: Place, rendered: Rendered) -> bool:
        if not place.response_url:
            return False
        hook = AsyncWebhookClient(
            place.response_url,
            session=self._client.session,
            proxy=self._client.proxy,
            retry_handlers=[],
            logger=sdk_log,
        )
        # Without replace_original Slack's default on a click is to overwrite the card that holds the button.
        body: dict[str, Any] = {
            "text": rendered.text,
            "blocks": rendered.blocks,
            "response_type": "ephemeral",
            "replace_original": False,
        }
        if place.thread_ts:
            body["thread_ts"] = place.thread_ts
        try:
            answer = await hook.send_dict(body)
        except CALL_ERRORS as error:
            log.info("response_url_failed", error=code_of(error))
            return False
        if answer.status_code != 200:
            log.info("response_url_refused", status=answer.status_code)
        return answer.status_code == 200
