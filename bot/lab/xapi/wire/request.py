"""A request as both wires read it."""

from dataclasses import dataclass

from bot.lab.xapi.values import Value


class BadRequestError(Exception):
    """The body cannot be read; a real server answers HTTP 500 with a page."""


@dataclass(frozen=True)
class Request:
    """A method call.

    Attributes:
        envelope: What the answer must repeat: for JSON-RPC its version and id.
    """

    method: str
    params: list[Value]
    envelope: dict[str, Value] | None
