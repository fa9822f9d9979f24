"""Everything the workplace holds, in one value that methods, events and interactions are given.

Built once by ``Workplace``; the parts know nothing of one another.
"""

from dataclasses import dataclass, field

from bot.lab.slack.accounts import Conversation
from bot.lab.slack.clock import Clock
from bot.lab.slack.courier import Courier
from bot.lab.slack.directory import Directory
from bot.lab.slack.envelopes import EnvelopeRoute
from bot.lab.slack.faults import Faults
from bot.lab.slack.files import FileStore
from bot.lab.slack.forms import Entered
from bot.lab.slack.inspector import Inspector
from bot.lab.slack.marks import Marks
from bot.lab.slack.messages import MessageStore
from bot.lab.slack.ratelimits import RateLimits
from bot.lab.slack.responseurl import ResponseUrls
from bot.lab.slack.revisions import Revisions
from bot.lab.slack.schedule import Schedule
from bot.lab.slack.socketmode import SocketMode
from bot.lab.slack.triggers import Triggers
from bot.lab.slack.views import ViewStore
from bot.lab.slack.wordings import Notice

DEFAULT_SCOPES = (
    "commands",
    "chat:write",
    "app_mentions:read",
    "im:history",
    "im:write",
    "users:read",
    "usergroups:read",
    "channels:read",
    "groups:read",
    "channels:history",
    "groups:history",
    "files:write",
)
DEFAULT_EVENTS = ("app_home_opened", "app_mention", "message.im", "member_joined_channel")


@dataclass(frozen=True, slots=True)
class Shortcut:
    """An entry of the app in the menu of a message, or in the menu that is everywhere."""

    callback_id: str
    name: str
    on_message: bool = False


@dataclass(frozen=True, slots=True)
class Installation:
    """What the app's manifest says: its command, what it may do, which events it gets."""

    command: str
    bot_token: str
    app_token: str
    signing_secret: str
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    events: frozenset[str] = frozenset(DEFAULT_EVENTS)
    should_escape: bool = True
    shortcuts: tuple[Shortcut, ...] = ()
    unfurl_domains: tuple[str, ...] = ()
    home_tab: bool = True
    messages_tab: bool = True
    # Sold outside of the Marketplace: such apps may read history once a minute, fifteen messages at a time.
    is_distributed: bool = False
    # Installed for a whole Grid organisation instead of one workspace.
    is_org_wide: bool = False


@dataclass(slots=True)
class Hub:
    """The parts of the workplace; ``base_url`` is known once the server is bound."""

    installation: Installation
    clock: Clock
    directory: Directory
    messages: MessageStore
    files: FileStore
    marks: Marks
    scheduled: Schedule
    views: ViewStore
    triggers: Triggers
    response_urls: ResponseUrls
    revisions: Revisions
    limits: RateLimits
    faults: Faults
    log: Inspector
    sockets: SocketMode
    envelopes: EnvelopeRoute
    courier: Courier
    base_url: str = ""
    notices: list[Notice] = field(default_factory=list)
    # What each person has chosen in a message and not yet sent: (person, channel, ts) → values.
    picks: dict[tuple[str, str, str], Entered] = field(default_factory=dict)

    def touch(self, conversation: Conversation) -> None:
        """Record a change that everyone in a conversation can see."""
        self.revisions.touch(conversation.members)

    def warn(self, text: str, **detail: object) -> None:
        """Leave a warning in the inspector: legal, but not what the sender meant."""
        self.log.record("warning", text, self.clock.now(), **detail)

    def notify(self, person: str, channel: str | None, kind: str, text: str) -> None:
        """Show a line to one person."""
        self.notices.append(Notice(person=person, channel=channel, at=self.clock.now(), kind=kind, text=text))
        del self.notices[:-500]
        self.revisions.touch([person])
