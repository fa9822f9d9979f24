"""Who and where in the simulated workplace: its accounts, channels and groups, and what is asked about them.

Ids come from ``identity`` and never change.
"""

import msgspec

from bot.lab.slack.accounts import Bot, Conversation, Enterprise, Person, Team, UserGroup
from bot.lab.slack.errors import ApiError
from bot.lab.slack.identity import derive_id, make_person_token

_TEAM = Team(id=derive_id("T", "team"), name="Workplace", domain="workplace")
_ENTERPRISE = Enterprise(id=derive_id("E", "enterprise"), name="Workplace Group")
_OTHER_TEAM = Team(id=derive_id("T", "other"), name="Partner", domain="partner")

# key, real name, role hint, colour
_ACCOUNTS: tuple[tuple[str, str, str, str], ...] = (
    ("operator", "Olga Operator", "operator", "2f6f4f"),
    ("operator2", "Otto Operator", "operator", "3b7fb0"),
    ("approver", "Ada Approver", "approver", "8a4f9e"),
    ("approver2", "Arne Approver", "approver", "b0563b"),
    ("admin", "Amir Admin", "admin", "9e2f4f"),
    ("viewer", "Vera Viewer", "viewer", "5f6f7f"),
    ("guest", "Gus Guest", "single-channel guest", "8f8f3f"),
    ("outsider", "Omar Outsider", "another team", "4f4f4f"),
    ("guest2", "Gerda Guest", "multi-channel guest", "6f8f3f"),
    ("former", "Frida Former", "deactivated", "3f3f3f"),
    ("robot", "deploybot", "another app's bot user", "3f5f8f"),
)
_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("xen-operators", "Xen operators", ("operator", "operator2")),
    ("xen-approvers", "Xen approvers", ("approver", "approver2")),
    ("xen-admins", "Xen admins", ("admin",)),
    ("xen-viewers", "Xen viewers", ("viewer",)),
)


class Directory:
    """The accounts, channels and groups, and the questions asked about them."""

    def __init__(self, *, created_at: int, bot_name: str = "xenbot", grid: bool = False) -> None:
        self.team = _TEAM
        self.enterprise = _ENTERPRISE if grid else None
        self.teams = {team.id: team for team in (_TEAM, _OTHER_TEAM)}
        self.bot = Bot(
            app_id=derive_id("A", "app"),
            bot_id=derive_id("B", "bot"),
            user_id=derive_id("U", "bot"),
            team_id=_TEAM.id,
            name=bot_name,
        )
        self.people = {
            key: Person(
                key=key,
                id=derive_id("U", key),
                token=make_person_token(),
                team_id=_OTHER_TEAM.id if key == "outsider" else _TEAM.id,
                name=key,
                real_name=real_name,
                role_hint=hint,
                color=color,
                is_admin=key == "admin",
                is_restricted=key in ("guest", "guest2"),
                is_ultra_restricted=key == "guest",
                is_external=key == "outsider",
                is_bot=key == "robot",
                deleted=key == "former",
                updated=created_at,
            )
            for key, real_name, hint, color in _ACCOUNTS
        }
        everyone = frozenset(person.id for person in self.people.values() if not person.deleted)
        insiders = everyone - {self.people["guest"].id, self.people["outsider"].id}
        # The outsider is a member of #ops although the channel is not flagged as shared: only so can a test show
        # that the bot looks at the person, and not only at the channel. The `channel` control sets the flag.
        self.conversations = {
            conversation.id: conversation
            for conversation in (
                Conversation(
                    id=derive_id("C", "ops"),
                    name="ops",
                    members=everyone | {self.bot.user_id},
                    topic="Pools, jobs and approvals",
                    creator=self.people["admin"].id,
                    created=created_at,
                ),
                Conversation(
                    id=derive_id("C", "random"),
                    name="random",
                    members=insiders,
                    topic="Everything else",
                    creator=self.people["admin"].id,
                    created=created_at,
                ),
            )
        }
        self.groups = {
            handle: UserGroup(
                id=derive_id("S", handle),
                handle=handle,
                name=name,
                members=tuple(self.people[key].id for key in keys),
                updated=created_at,
            )
            for handle, name, keys in _GROUPS
        }

    def person(self, person_id: str) -> Person | None:
        """Return the person with this id."""
        return next((person for person in self.people.values() if person.id == person_id), None)

    def team_of(self, member_id: str) -> str:
        """Return the team of a person or of the bot."""
        person = self.person(member_id)
        return self.team.id if person is None else person.team_id

    def person_of_token(self, token: str) -> Person | None:
        """Return the person whose client uses this token."""
        return next((person for person in self.people.values() if person.token == token), None)

    def conversation(self, conversation_id: str) -> Conversation:
        """Return a conversation; ``channel_not_found`` when there is none with this id."""
        found = self.conversations.get(conversation_id)
        if found is None:
            raise ApiError("channel_not_found")
        return found

    def open_direct(self, person_id: str, *, created_at: int) -> tuple[Conversation, bool]:
        """Return the person's conversation with the bot and whether it was open before."""
        conversation_id = derive_id("D", person_id)
        found = self._reopen(conversation_id)
        if found is not None:
            return found
        opened = Conversation(
            id=conversation_id,
            name="directmessage",
            members=frozenset({person_id, self.bot.user_id}),
            kind="im",
            created=created_at,
            with_person=person_id,
        )
        self.conversations[conversation_id] = opened
        return opened, False

    def open_group(self, member_ids: frozenset[str], *, created_at: int) -> tuple[Conversation, bool]:
        """Return the direct conversation of several people with the bot and whether it was open before."""
        conversation_id = derive_id("G", ",".join(sorted(member_ids)))
        found = self._reopen(conversation_id)
        if found is not None:
            return found
        names = sorted(person.name for person in self.people.values() if person.id in member_ids)
        opened = Conversation(
            id=conversation_id,
            name=f"mpdm-{'--'.join(names)}-1",
            members=member_ids,
            kind="mpim",
            created=created_at,
        )
        self.conversations[conversation_id] = opened
        return opened, False

    def _reopen(self, conversation_id: str) -> tuple[Conversation, bool] | None:
        found = self.conversations.get(conversation_id)
        if found is None:
            return None
        opened = self.conversations[conversation_id] = msgspec.structs.replace(found, is_open=True)
        return opened, found.is_open

    def channel_named(self, name: str) -> Conversation | None:
        """Return the channel with this name, which a ``#`` may precede."""
        named = name.removeprefix("#")
        return next((each for each in self.conversations.values() if each.name == named and not each.is_direct), None)

    def replace_conversation(self, conversation: Conversation) -> None:
        """Store a changed conversation."""
        self.conversations[conversation.id] = conversation

    def replace_person(self, person: Person) -> None:
        """Store a changed person."""
        self.people[person.key] = person

    def replace_group(self, group: UserGroup) -> None:
        """Store a changed user group."""
        self.groups[group.handle] = group

    def is_stranger(self, person: Person) -> bool:
        """Whether the person is of another team and shares no conversation with the bot.

        Slack's ``is_stranger`` says no more than this: false does not make anybody a member of the workspace.
        """
        shared = any({person.id, self.bot.user_id} <= each.members for each in self.conversations.values())
        return person.is_external and not shared

    def conversations_of(self, member_id: str) -> list[Conversation]:
        """Return the conversations a person or the bot is in."""
        return [each for each in self.conversations.values() if member_id in each.members]
