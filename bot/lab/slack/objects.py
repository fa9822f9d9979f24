"""How people, conversations, files and teams look on the wire, as Slack's JSON objects."""

from typing import Any
from urllib.parse import quote

from bot.lab.slack.accounts import Conversation, Person, UserGroup
from bot.lab.slack.directory import Directory
from bot.lab.slack.files import SlackFile
from bot.lab.slack.hub import Hub

Json = dict[str, Any]


def show_bot_profile(directory: Directory) -> Json:
    """Return ``bot_profile`` as it stands in the bot's messages."""
    bot = directory.bot
    return {
        "id": bot.bot_id,
        "app_id": bot.app_id,
        "user_id": bot.user_id,
        "name": bot.name,
        "icons": {},
        "deleted": False,
        "updated": 0,
        "team_id": bot.team_id,
    }


def show_file(hub: Hub, file: SlackFile) -> Json:
    """Return a file object; its addresses need a token."""
    address = f"{hub.base_url}/files-pri/{file.team}-{file.id}"
    kinds = {"public_channel": "channels", "private_channel": "groups", "mpim": "groups", "im": "ims"}
    places: dict[str, list[str]] = {"channels": [], "groups": [], "ims": []}
    shares: dict[str, dict[str, list[Json]]] = {}
    for channel, ts in file.shares:
        conversation = hub.directory.conversation(channel)
        places[kinds[conversation.kind]].append(channel)
        kind = "private" if conversation.is_private else "public"
        shares.setdefault(kind, {}).setdefault(channel, []).append({"ts": ts, "reply_count": 0})
    shown: Json = {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": file.mimetype,
        "filetype": file.filetype,
        "pretty_type": file.filetype.upper(),
        "user": file.user,
        "user_team": file.team,
        "editable": False,
        "size": file.size,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": bool(places["channels"]),
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": f"{address}/{quote(file.name)}",
        "url_private_download": f"{address}/download/{quote(file.name)}",
        "permalink": f"{hub.base_url}/files/{file.user}/{file.id}/{quote(file.name)}",
        "file_access": "visible",
        "shares": shares,
        **places,
    }
    return shown | ({"alt_txt": file.alt_text} if file.alt_text else {})


def show_person(directory: Directory, person: Person) -> Json:
    """Return a user object as ``users.info`` does."""
    shown: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "deleted": person.deleted,
        "color": person.color,
        "real_name": person.real_name,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {
            "real_name": person.real_name,
            "real_name_normalized": person.real_name,
            "display_name": person.name,
            "display_name_normalized": person.name,
            "team": person.team_id,
        },
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": person.updated,
    }
    if person.is_bot:
        shown["profile"]["bot_id"] = person.bot_id
    if directory.enterprise is not None and not person.is_external:
        shown["enterprise_user"] = {
            "id": person.id,
            "enterprise_id": directory.enterprise.id,
            "enterprise_name": directory.enterprise.name,
            "is_admin": False,
            "is_owner": False,
            "teams": [person.team_id],
        }
    if person.deleted:
        return shown
    return shown | {
        "is_admin": person.is_admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_stranger": directory.is_stranger(person),
    }


def show_bot_user(directory: Directory) -> Json:
    """Return the bot's own user object."""
    bot = directory.bot
    return {
        "id": bot.user_id,
        "team_id": bot.team_id,
        "name": bot.name,
        "deleted": False,
        "real_name": bot.name,
        "profile": {
            "real_name": bot.name,
            "display_name": "",
            "bot_id": bot.bot_id,
            "api_app_id": bot.app_id,
            "team": bot.team_id,
        },
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": True,
        "is_app_user": False,
        "updated": 0,
    }


def show_conversation(hub: Hub, conversation: Conversation, member_id: str) -> Json:
    """Return a conversation as ``conversations.info`` does, seen by one member."""
    team_id = hub.directory.team.id
    kind = conversation.kind
    shown: Json = {
        "id": conversation.id,
        "created": conversation.created,
        "is_archived": conversation.is_archived,
        "is_channel": kind == "public_channel",
        "is_group": kind == "private_channel",
        "is_im": conversation.is_im,
        "is_mpim": kind == "mpim",
        "is_private": conversation.is_private,
        "is_org_shared": False,
        "is_shared": conversation.is_ext_shared,
        "is_ext_shared": conversation.is_ext_shared,
        "is_pending_ext_shared": conversation.is_pending_ext_shared,
        "context_team_id": team_id,
    }
    if conversation.is_im:
        partner = hub.directory.person(conversation.with_person or "")
        is_gone = partner is not None and partner.deleted
        return shown | {"user": conversation.with_person, "is_open": conversation.is_open, "is_user_deleted": is_gone}
    outside = {person.team_id for person in hub.directory.people.values() if person.id in conversation.members}
    return shown | {
        "name": conversation.name,
        "name_normalized": conversation.name,
        "is_general": False,
        "is_member": member_id in conversation.members,
        "shared_team_ids": sorted(outside | {team_id}) if conversation.is_ext_shared else [team_id],
        "topic": {"value": conversation.topic, "creator": "", "last_set": 0},
        "purpose": {"value": conversation.purpose, "creator": "", "last_set": 0},
        "creator": conversation.creator,
    }


def name_in_payload(conversation: Conversation) -> str:
    """Return a conversation's name as commands and interactions carry it: only public channels have their own."""
    names = {"im": "directmessage", "mpim": conversation.name, "private_channel": "privategroup"}
    return names.get(conversation.kind, conversation.name)


def show_group(hub: Hub, group: UserGroup) -> Json:
    """Return a user group as ``usergroups.list`` does."""
    return {
        "id": group.id,
        "team_id": hub.directory.team.id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "handle": group.handle,
        "description": "",
        "is_external": False,
        "date_create": 0,
        "date_update": group.updated,
        "date_delete": group.updated if group.is_disabled else 0,
        "user_count": len(group.members),
    }


def show_enterprise(hub: Hub, team_id: str) -> Json | None:
    """Return the organisation of a team, None outside of Enterprise Grid."""
    enterprise = hub.directory.enterprise
    if enterprise is None or team_id != hub.directory.team.id:
        return None
    return {"id": enterprise.id, "name": enterprise.name}


def show_enterprise_of_team(hub: Hub, team_id: str) -> Json:
    """Return the fields with which a team names its organisation, none outside of Enterprise Grid."""
    enterprise = show_enterprise(hub, team_id)
    return {} if enterprise is None else {"enterprise_id": enterprise["id"], "enterprise_name": enterprise["name"]}
