"""The members of a user group change, and the app hears of it."""

import msgspec

from bot.lab.slack.accounts import UserGroup
from bot.lab.slack.events import announce
from bot.lab.slack.hub import Hub
from bot.lab.slack.objects import show_group


def set_members(hub: Hub, group: UserGroup, members: tuple[str, ...]) -> UserGroup:
    """Give a user group these members, by their ids, and return it."""
    added = [member for member in members if member not in group.members]
    removed = [member for member in group.members if member not in members]
    changed = msgspec.structs.replace(group, members=members, updated=int(hub.clock.now()))
    hub.directory.replace_group(changed)
    event = {
        "type": "subteam_members_changed",
        "subteam_id": changed.id,
        "team_id": hub.directory.team.id,
        "date_update": changed.updated,
        "date_previous_update": group.updated,
        "added_users": added,
        "added_users_count": len(added),
        "removed_users": removed,
        "removed_users_count": len(removed),
        "subteam": show_group(hub, changed),
        "event_ts": hub.messages.make_ts(),
    }
    announce(hub, event, subscription="subteam_members_changed")
    return changed
