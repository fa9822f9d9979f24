"""People and their roles, asked from Slack: who someone is now decides, never a name in a payload. Fails closed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.policy import Person, Role, held
from bot.domain.texts import clean
from bot.errors import DirectorySilent, NotAllowed
from bot.slack.faults import CALL_ERRORS, code_of
from bot.slack.richtext import is_user
from bot.slack.settings import RoleSettings, is_group

CACHE_S: Final = 60.0
_CACHE_LIMIT: Final = 5000
_NAMES_S: Final = 3600.0
_T = TypeVar("_T")

_WHO = "I only take orders from people of this workspace"
# users.info reports these flags; each alone is a reason to refuse. USLACKBOT is the one bot without is_bot.
_REFUSALS: Final = (
    ("deleted", "Your account is deactivated, so I cannot take this."),
    ("is_bot", "Bots may not use me."),
    ("is_workflow_bot", "Workflows may not use me."),
    ("is_app_user", "Apps may not use me."),
    ("is_ultra_restricted", "You are a guest in this workspace; guests may not use me."),
    ("is_restricted", "You are a guest in this workspace; guests may not use me."),
    ("is_stranger", f"{_WHO}; you belong to another one."),
    ("is_invited_user", "Your invitation to this workspace is not accepted yet."),
)


class _Denied(NotAllowed):
    """Slack answered, and the answer is no. Unlike an unreachable directory it may be remembered."""


class _Cache(Generic[_T]):
    """Answers no older than a minute; one look-up at a time per key, so that a burst asks Slack once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, _T | _Denied]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, key: str, ask: Callable[[str], Awaitable[_T]]) -> _T:
        async with self._locks[key]:
            asked_at = self._clock()
            at, value = self._known.get(key, (asked_at - 2 * CACHE_S, None))
            if value is None or asked_at - at >= CACHE_S:
                if len(self._known) > _CACHE_LIMIT:
                    self._known.clear()
                    self._locks = defaultdict(asyncio.Lock, {key: self._locks[key]})
                try:
                    value = await ask(key)
                except _Denied as denied:
                    value = denied
                # Counted from before the question: an answer must not look younger than it is.
                self._known[key] = (asked_at, value)
            if isinstance(value, _Denied):
                raise NotAllowed(value.message, value.fix)
            return value


class People:
    """The directory: `bot.jobs.ports.Directory` on Slack's users.info and usergroups.users.list.

    `team_id` is the workspace that may use the bot, `break_glass` who may run a risky job alone (ids as in `[roles]`);
    `clock` is monotonic seconds.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        settings: RoleSettings,
        team_id: str,
        *,
        break_glass: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._named = {**settings.named(), Role.BREAK_GLASS: break_glass}
        self._team = team_id
        self._names: _Cache[str] = _Cache(clock)
        self._groups: _Cache[frozenset[str]] = _Cache(clock)
        self._clock = clock
        self._called: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def person(self, team: str, user: str) -> Person:
        """The person with the roles held now. Raises NotAllowed, with a sentence, for everyone who is none of ours."""
        if team != self._team:
            # In a shared channel people of other companies can press our buttons.
            raise NotAllowed(f"{_WHO}; you belong to another one.")
        name = await self._names.get(user, self._ask_user)
        return Person(team=team, id=user, name=name, roles=await self._roles(user))

    async def holders(self, role: Role) -> frozenset[str]:
        """User ids of everyone who holds a role now, deactivated people and guests left out."""
        return frozenset([user for user in await self._given(role) if await self._counts(user)])

    async def some(self, role: Role, most: int) -> tuple[tuple[str, ...], int]:
        """User ids of at most `most` who hold a role now, and how many others were given it.

        The others are not looked up, since a role may be that of a user group of hundreds.
        """
        given = await self._given(role)
        found: list[str] = []
        for place, user in enumerate(given):
            if len(found) == most:
                return tuple(found), len(given) - place
            if await self._counts(user):
                found.append(user)
        return tuple(found), 0

    async def _given(self, role: Role) -> list[str]:
        """Everyone who was given a role or one that includes it, as the configuration and Slack's groups say."""
        giving = [named for named in Role if role in held(frozenset({named}))]
        found: set[str] = set()
        for identity in _flat(self._named[named] for named in giving):
            found |= await self._members(identity) if is_group(identity) else {identity}
        return sorted(found)

    async def names(self, user: str) -> tuple[str, ...]:
        """What somebody is called now, full name first, deactivated people included; empty where Slack does not tell.

        For finding what a person did, so an answer may be an hour old. Never raises.
        """
        known = self._called.get(user)
        if known is None or self._clock() - known[0] > _NAMES_S:
            known = (self._clock(), await self._ask_names(user))
            if not known[1]:
                return ()  # asked again next time: Slack may only have been busy
            while len(self._called) >= _CACHE_LIMIT:
                self._called.pop(next(iter(self._called)))
            self._called[user] = known
        return known[1]

    async def _ask_names(self, user: str) -> tuple[str, ...]:
        if not is_user(user):
            return ()
        try:
            answer = await self._client.users_info(user=user)
        except CALL_ERRORS:
            return ()
        found = answer.get("user") or {}
        profile = found.get("profile") or {}
        names = (found.get("real_name"), profile.get("display_name"), profile.get("real_name"), found.get("name"))
        return tuple(dict.fromkeys(clean(str(name)) for name in names if name))

    async def _roles(self, user: str) -> frozenset[Role]:
        named = set()
        for role, identities in self._named.items():
            groups = [identity for identity in identities if is_group(identity)]
            if user in identities:
                named.add(role)
                continue
            for group in groups:
                if user in await self._members(group):
                    named.add(role)
                    break
        return held(frozenset(named))

    async def _counts(self, user: str) -> bool:
        try:
            await self._names.get(user, self._ask_user)
        except NotAllowed as refusal:
            if isinstance(refusal, _Unreachable):
                raise
            return False
        return True

    async def _members(self, group: str) -> frozenset[str]:
        return await self._groups.get(group, self._ask_group)

    async def _ask_user(self, user: str) -> str:
        try:
            answer = await self._client.users_info(user=user)
        except CALL_ERRORS as error:
            if code_of(error) in {"user_not_found", "user_not_visible", "users_not_found"}:
                raise _Denied("I do not know you: Slack has no such person in this workspace.") from None
            raise _Unreachable(
                f"I cannot look you up in Slack now ({code_of(error)}), and without that I refuse.",
                "Try again in a minute.",
            ) from None
        return self._judged(user, answer.get("user"))

    def _judged(self, user: str, found: Any) -> str:  # noqa: ANN401  JSON from Slack, checked here
        if not isinstance(found, Mapping) or found.get("id") != user:
            raise _Denied("I do not know you: Slack has no such person in this workspace.")
        for flag, sentence in _REFUSALS:
            if found.get(flag):
                raise _Denied(sentence)
        if user == "USLACKBOT":
            raise _Denied("Bots may not use me.")
        if found.get("team_id") != self._team:
            raise _Denied(f"{_WHO}; you belong to another one.")
        return clean(str(found.get("real_name") or found.get("name") or ""))

    async def _ask_group(self, group: str) -> frozenset[str]:
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except CALL_ERRORS as error:
            raise _Unreachable(
                f"I cannot read the user group {group} in Slack ({code_of(error)}), so I cannot tell who may do what.",
                "Try again in a minute; if it stays so, an admin has to look at [roles].",
            ) from None
        members = answer.get("users")
        if not isinstance(members, list):
            raise _Unreachable(f"Slack gave no members for the user group {group}, so I refuse.")
        return frozenset(str(member) for member in members)


class _Unreachable(DirectorySilent):
    """The directory could not be asked; nothing is remembered."""


def _flat(identities: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({identity for row in identities for identity in row})
