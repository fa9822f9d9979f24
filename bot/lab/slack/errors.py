"""What goes wrong in the simulated workplace: raised by state and methods, turned into answers at the wire."""

from typing import Any


class ApiError(Exception):
    """A Web API answer with ``ok: false``.

    Slack sends such answers with HTTP status 200; ``extra`` joins the body (``needed``, ``response_metadata`` …).
    """

    def __init__(self, code: str, **extra: object) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        return {"ok": False, "error": self.code, **self.extra}


class InvalidContentError(ApiError):
    """Blocks or a view outside the limits, one message per fault, each with its JSON pointer."""

    def __init__(self, code: str, messages: list[str]) -> None:
        shown = [f"[ERROR] {message}" for message in messages]
        super().__init__(code, errors=messages, response_metadata={"messages": shown})
        self.messages = messages


class RateLimitedError(ApiError):
    """HTTP 429 with a ``Retry-After`` header, in whole seconds as Slack sends it."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("ratelimited")
        self.retry_after_s = retry_after_s


def miss_argument(name: str) -> ApiError:
    """Return the error for an argument that the method needs and did not get."""
    return ApiError(
        "invalid_arguments",
        response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
    )
