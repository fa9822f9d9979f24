"""A Slack workspace on loopback, spoken to by the shipped bot and by people through the page or scripts.

State and wire are separate files; nothing here is shared with the bot that it tests.
"""

from bot.lab.slack.accounts import Person
from bot.lab.slack.clock import Clock
from bot.lab.slack.hub import Shortcut
from bot.lab.slack.workplace import Workplace

__all__ = ["Clock", "Person", "Shortcut", "Workplace"]
