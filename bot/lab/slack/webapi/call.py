"""What a method is given: its arguments in one shape, whatever encoding they came in, and who calls."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec

from bot.lab.slack.directory import Conversation, Person
from bot.lab.slack.errors import ApiError, miss_argument
from bot.lab.slack.hub import Hub
from bot.lab.slack.ratelimits import Tier

Json = dict[str, Any]
TokenKind = Literal["none", "bot", "app", "person"]

BOT: frozenset[TokenKind] = frozenset({"bot"})
PERSON: frozenset[TokenKind] = frozenset({"person"})
ANYONE: frozenset[TokenKind] = frozenset({"bot", "person"})


class Args:
    """Arguments of a call; booleans may be ``1``, ``0``, ``true`` or ``false``, JSON values may be strings."""

    def __init__(self, values: Json) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def need(self, name: str) -> str:
        """Return a string that must be there."""
        value = self.text(name)
        if not value:
            raise miss_argument(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.values.get(name)
        return default if value is None else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """Return a whole number; ``invalid_arguments`` when it is none."""
        value = self.values.get(name)
        if value in (None, ""):
            return default
        try:
            return int(str(value))
        except ValueError:
            raise ApiError("invalid_arguments") from None

    def json(self, name: str, error: str = "invalid_arguments") -> Any:  # noqa: ANN401  JSON has no narrower type
        """Return a JSON value, decoded when a form brought it as a string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise ApiError(error) from None

    def object(self, name: str) -> Json:
        """Return a JSON object, empty when it is missing."""
        value = self.json(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ApiError("invalid_arguments")
        return value

    def names(self, name: str) -> list[str]:
        """Return a list of strings; a comma-joined string counts as one."""
        value = self.values.get(name)
        parts = value if isinstance(value, list) else str(value or "").split(",")
        return [str(part).strip() for part in parts if str(part).strip()]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a method; ``person`` is set when a person's client calls."""

    hub: Hub
    method: str
    args: Args
    kind: TokenKind
    person: Person | None = None

    @property
    def caller_id(self) -> str:
        """The user id of whoever calls."""
        return self.hub.directory.bot.user_id if self.person is None else self.person.id

    def actor(self) -> Person:
        """Return the person who calls a method that only people's clients have."""
        if self.person is None:
            raise ApiError("not_allowed_token_type")
        return self.person

    def need_scope(self, *any_of: str) -> None:
        """Refuse the app with ``missing_scope`` unless it has one of these scopes; people need none."""
        granted = self.hub.installation.scopes
        if self.kind == "bot" and any_of and not set(any_of) & set(granted):
            raise ApiError("missing_scope", needed=any_of[0], provided=",".join(granted))

    def conversation(self, name: str = "channel", *, member: bool = False) -> Conversation:
        """Return the conversation an argument names; with ``member``, the caller must be in it.

        Public channels are known to every full member of the workspace; a guest, another team's person and the
        partner of another direct conversation do not learn that a conversation exists.
        """
        found = self.hub.directory.conversation(self.args.need(name))
        if self.caller_id in found.members:
            return found
        sees_public = self.person is None or not (self.person.is_restricted or self.person.is_external)
        if found.is_im or not sees_public:
            raise ApiError("channel_not_found")
        if member:
            raise ApiError("not_in_channel")
        return found


Handler = Callable[[Call], Awaitable[Json]]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A method: who may call it, one of which scopes the app needs, and how often the app may call."""

    name: str
    handler: Handler
    tokens: frozenset[TokenKind]
    scopes: tuple[str, ...] = ()
    tier: Tier = Tier.MANY
    post_only: bool = False


def page(items: Sequence[Json | str], call: Call, *, default: int, key: str) -> Json:
    """Return one page of a list with the cursor of the next, ``""`` at the end."""
    start = 0
    cursor = call.args.text("cursor")
    if cursor:
        if not cursor.startswith("next:") or not cursor[5:].isdigit():
            raise ApiError("invalid_cursor")
        start = int(cursor[5:])
    limit = max(1, min(call.args.number("limit", default) or default, 1000))
    rest = len(items) > start + limit
    return {
        "ok": True,
        key: items[start : start + limit],
        "response_metadata": {"next_cursor": f"next:{start + limit}" if rest else ""},
    }
