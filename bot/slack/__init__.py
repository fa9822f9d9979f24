"""Everything that knows Slack: the gateway in, the cards, the delivery out, and the people.

Nothing below this package knows that Slack exists; nothing here decides what may run.
"""

from bot.slack.cards import Rendered, render
from bot.slack.check import check
from bot.slack.client import close_client, open_client
from bot.slack.delivery import Delivery
from bot.slack.dialogues import Dialogues
from bot.slack.gateway import Gateway, GatewayStatus
from bot.slack.homes import Homes
from bot.slack.lanes import Outbox
from bot.slack.links import Links
from bot.slack.manifest import PATH as REQUEST_PATH
from bot.slack.manifest import manifest, manifest_text
from bot.slack.people import People
from bot.slack.settings import RoleSettings, SlackSettings

__all__ = [
    "REQUEST_PATH",
    "Delivery",
    "Dialogues",
    "Gateway",
    "GatewayStatus",
    "Homes",
    "Links",
    "Outbox",
    "People",
    "Rendered",
    "RoleSettings",
    "SlackSettings",
    "check",
    "close_client",
    "manifest",
    "manifest_text",
    "open_client",
    "render",
]
