"""What a method is given: its arguments, who calls, and the answers that many methods share."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec

from bot.lab.slack.accounts import Conversation, Person
from bot.lab.slack.arguments import Args
from bot.lab.slack.errors import ApiError
from bot.lab.slack.hub import Hub
from bot.lab.slack.ratelimits import Tier

Json = dict[str, Any]
TokenKind = Literal["none", "bot", "app", "person"]

BOT: frozenset[TokenKind] = frozenset({"bot"})
PERSON: frozenset[TokenKind] = frozenset({"person"})
ANYONE: frozenset[TokenKind] = frozenset({"bot", "person"})


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
        if found.is_private or not sees_public:
            raise ApiError("channel_not_found")
        if member:
            raise ApiError("not_in_channel")
        return found


Handler = Callable[[Call], Awaitable[Json]]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A method: who may call it, one of which scopes the app needs, and how often the app may call.

    ``distributed_tier`` is the tier for apps that are sold outside of the Marketplace, where it differs.
    """

    name: str
    handler: Handler
    tokens: frozenset[TokenKind]
    scopes: tuple[str, ...] = ()
    tier: Tier = Tier.MANY
    distributed_tier: Tier | None = None
    post_only: bool = False


def page(items: Sequence[Json | str], call: Call, *, default: int, key: str, most: int = 1000) -> Json:
    """Return one page of a list with the cursor of the next, ``""`` at the end."""
    start = 0
    cursor = call.args.text("cursor")
    if cursor:
        if not cursor.startswith("next:") or not (cursor.isascii() and cursor[5:].isdigit()):
            raise ApiError("invalid_cursor")
        start = int(cursor[5:])
    limit = max(1, min(call.args.number("limit", default) or default, most))
    rest = len(items) > start + limit
    return {
        "ok": True,
        key: items[start : start + limit],
        "response_metadata": {"next_cursor": f"next:{start + limit}" if rest else ""},
    }
