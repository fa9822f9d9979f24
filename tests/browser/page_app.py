"""A small app behind the page, on the stock Socket Mode client."""

from queue import Queue
from typing import Any

from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

DEADLINE_S = 20


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def offer(*names: str) -> list[dict[str, Any]]:
    return [{"text": plain(name), "value": name} for name in names]


class App:
    """Acks everything unless it is told to be deaf, opens its view for a command, and keeps what it got.

    Attributes:
        view: What a command opens.
        response: The answer to the next submissions, such as a push or an update.
        deaf: The types of what it does not ack.
    """

    def __init__(self, client: SocketModeClient) -> None:
        self.client = client
        self.got: Queue[dict[str, Any]] = Queue()
        self.forget()
        client.socket_mode_request_listeners.append(self.take)

    def forget(self) -> None:
        self.got = Queue()
        self.errors: dict[str, str] = {}
        self.view: dict[str, Any] | None = None
        self.response: dict[str, Any] | None = None
        self.deaf: set[str] = set()

    def take(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        kind = request.payload.get("type", "slash_command")
        if kind not in self.deaf:
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id, self.answer(request.payload)))
        if kind == "slash_command" and self.view is not None:
            self.client.web_client.views_open(trigger_id=request.payload["trigger_id"], view=self.view)
        self.got.put(request.payload)

    def answer(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        if payload.get("type") == "block_suggestion":
            return {"options": offer(*(vm for vm in ("centos54", "日本語サーバー") if payload["value"] in vm))}
        if payload.get("type") == "view_submission" and self.errors:
            return {"response_action": "errors", "errors": self.errors}
        return self.response if payload.get("type") == "view_submission" else None

    def next(self, kind: str) -> dict[str, Any]:
        """Waits for the next payload of a type."""
        while True:
            payload = self.got.get(timeout=DEADLINE_S)
            if payload.get("type", "slash_command") == kind:
                return payload
