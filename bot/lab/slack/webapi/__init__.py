"""The Web API of the workplace: one file per family of methods, one table of all of them."""

from bot.lab.slack.webapi import (
    channels,
    chat,
    conversations,
    files,
    lab,
    marks,
    people,
    reactions,
    scheduled,
    script,
    unfurls,
    usergroups,
    views,
    workspace,
)
from bot.lab.slack.webapi.call import Method

METHODS: dict[str, Method] = {
    method.name: method
    for family in (
        channels,
        chat,
        conversations,
        files,
        lab,
        marks,
        people,
        reactions,
        scheduled,
        script,
        unfurls,
        usergroups,
        views,
        workspace,
    )
    for method in family.METHODS
}
"""Every method by name; anything else is ``unknown_method``."""
