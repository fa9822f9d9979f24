"""People, teams, conversations and user groups as values: frozen, and replaced on change."""

from typing import Literal

import msgspec

from bot.lab.slack.identity import derive_id

ConversationKind = Literal["public_channel", "private_channel", "im", "mpim"]
Posting = Literal["everyone", "restricted", "read_only", "threads_only", "no_threads"]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A human account, or the bot user of another app; ``token`` is the token of that account's client."""

    key: str
    id: str
    token: str
    team_id: str
    name: str
    real_name: str
    role_hint: str
    color: str
    is_admin: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_external: bool = False
    is_bot: bool = False
    deleted: bool = False
    updated: int = 0

    @property
    def email(self) -> str:
        """The address of the account."""
        return f"{self.key}@example.com"

    @property
    def bot_id(self) -> str:
        """What the messages of another app's bot user carry beside its user id."""
        return derive_id("B", self.key)


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """The app under test: it has a user id for mentions and a bot id on its messages."""

    app_id: str
    bot_id: str
    user_id: str
    team_id: str
    name: str


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace."""

    id: str
    name: str
    domain: str


class Enterprise(msgspec.Struct, frozen=True, kw_only=True):
    """The Grid organisation a workspace may belong to."""

    id: str
    name: str


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A channel or a direct conversation; ``with_person`` is the bot's partner in an ``im``."""

    id: str
    name: str
    members: frozenset[str]
    kind: ConversationKind = "public_channel"
    topic: str = ""
    purpose: str = ""
    creator: str = ""
    created: int = 0
    is_archived: bool = False
    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False
    posting: Posting = "everyone"
    is_open: bool = True
    with_person: str | None = None

    @property
    def is_im(self) -> bool:
        """Whether this is the direct conversation of one person with the bot."""
        return self.kind == "im"

    @property
    def is_direct(self) -> bool:
        """Whether this is a conversation of people and no channel."""
        return self.kind in ("im", "mpim")

    @property
    def is_private(self) -> bool:
        """Whether only its members know that it exists."""
        return self.kind != "public_channel"


class UserGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A user group, mentioned by its handle."""

    id: str
    handle: str
    name: str
    members: tuple[str, ...]
    updated: int = 0
    is_disabled: bool = False
