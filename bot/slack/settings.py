"""What the configuration says about Slack: sections `[slack]` and `[roles]`."""

from __future__ import annotations

from typing import Literal

import msgspec

from bot.domain.policy import Role


class SlackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[slack]`.

    `team` is the workspace's id (T…), `channels` the ids of the channels in which commands that change something are
    taken; the first one gets the cards of jobs asked for elsewhere. `alerts_channel` is "" for the first channel.
    With `mode` "socket" the bot keeps a connection to Slack; with "http" Slack posts to an address of the bot.
    """

    team: str
    channels: tuple[str, ...]
    api_url: str = "https://slack.com/api/"
    alerts_channel: str = ""
    mode: Literal["socket", "http"] = "socket"


class RoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[roles]`: for each role the ids of users (U…, W…) and of user groups (S…) that hold it."""

    viewer: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    approver: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()

    def named(self) -> dict[Role, tuple[str, ...]]:
        """The ids as configured, by role."""
        return {
            Role.VIEWER: self.viewer,
            Role.OPERATOR: self.operator,
            Role.APPROVER: self.approver,
            Role.ADMIN: self.admin,
        }


def is_group(identity: str) -> bool:
    """Whether an id names a user group: Slack begins those with S, people's with U or W."""
    return identity.startswith("S")
