"""The Web API of the workplace: one file per family of methods, one table of all of them."""

from bot.lab.slack.webapi import chat, conversations, lab, people, script, views, workspace
from bot.lab.slack.webapi.call import Method

METHODS: dict[str, Method] = {
    method.name: method
    for family in (chat, conversations, people, views, workspace, script, lab)
    for method in family.METHODS
}
"""Every method by name; anything else is ``unknown_method``."""
