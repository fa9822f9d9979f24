"""Sessions of one pool: who is logged in. They live in the coordinator's memory only and die with its toolstack."""

import hmac
from dataclasses import dataclass, replace
from typing import Final

from bot.lab.xapi.clock import Clock
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError

ROLES: Final = ("read-only", "vm-operator", "vm-admin", "vm-power-admin", "pool-operator", "pool-admin")
SUPERUSER: Final = "root"
IDLE_LIMIT_S: Final = 24 * 3600.0
_REFRESH_S: Final = 600.0
_QUOTA: Final = 500
_ANONYMOUS_QUOTA: Final = 400


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in; `root` is the local superuser."""

    user: str
    password: str
    role: str


@dataclass(slots=True)
class Session:
    """One login.

    Attributes:
        used_at: When its use was last noted, in simulated seconds.
        registered: What `event.next` tells it, as it was registered for; None before that.
        told: The token of what `event.next` has told.
    """

    ref: str
    account: Account
    originator: str
    used_at: float
    registered: set[str] | None = None
    told: str = ""


class Sessions:
    """The open sessions of a pool.

    Args:
        database: Where the session records live.
        clock: Simulated time, for expiry.
        accounts: Who may log in.
    """

    def __init__(self, database: Database, clock: Clock, accounts: tuple[Account, ...]) -> None:
        self._database = database
        self._clock = clock
        self._accounts = {account.user: account for account in accounts}
        self._open: dict[str, Session] = {}

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Returns who may log in."""
        return tuple(self._accounts.values())

    def authenticate(self, user: str, password: str) -> Account | None:
        """Returns the account when user and password are right."""
        account = self._accounts.get(user)
        if account and hmac.compare_digest(account.password.encode(), password.encode()):
            return account
        return None

    @staticmethod
    def is_superuser(account: Account) -> bool:
        """Tells whether an account is the host's own superuser, to whom no role applies."""
        return account.user == SUPERUSER

    def change_password(self, user: str, old: str, new: str) -> bool:
        """Gives a user another password; tells whether the old one was right."""
        account = self.authenticate(user, old)
        if account is not None:
            self._accounts[user] = replace(account, password=new)
        return account is not None

    def open(self, account: Account, originator: str, host: str) -> str:
        """Opens a session; over the quota of those that count with it, the ones longest unused are destroyed.

        Sessions without an originator count together, those of the superuser by originator, others by user.
        """
        group = self._find_group(account, originator)
        quota = _QUOTA if originator else _ANONYMOUS_QUOTA
        alike = [one for one in self._open.values() if self._find_group(one.account, one.originator) == group]
        for session in sorted(alike, key=lambda one: one.used_at)[: max(0, len(alike) - quota + 1)]:
            self.close(session.ref)
        ref = self._database.create(
            "session",
            this_host=host,
            last_active=self._clock.now(),
            validation_time=self._clock.now(),
            is_local_superuser=self.is_superuser(account),
            auth_user_name=account.user,
            originator=originator,
        )
        self._open[ref] = Session(ref, account, originator, self._clock.elapsed)
        return ref

    def _find_group(self, account: Account, originator: str) -> tuple[str, str]:
        if not originator:
            return "anonymous", ""
        return ("originator", originator) if self.is_superuser(account) else ("user", account.user)

    def find(self, ref: str) -> Session:
        """Returns an open session and notes its use.

        Raises:
            ApiError: `SESSION_INVALID` with the reference.
        """
        session = self._open.get(ref)
        if session is None:
            raise ApiError("SESSION_INVALID", ref)
        # XAPI writes last_active at most every ten minutes.
        if self._clock.elapsed - session.used_at > _REFRESH_S:
            self._database.set("session", ref, last_active=self._clock.now())
            session.used_at = self._clock.elapsed
        return session

    def is_open(self, ref: str) -> bool:
        """Tells whether a session lives, without counting as its use."""
        return ref in self._open

    def close(self, ref: str) -> None:
        """Ends a session; who waits for events with it is woken and told."""
        if self._open.pop(ref, None):
            self._database.delete("session", ref)

    def close_all(self) -> None:
        """Ends every session, as a restart of the coordinator's toolstack does."""
        for ref in list(self._open):
            self.close(ref)

    def expire_idle(self, busy: set[str]) -> None:
        """Ends sessions idle for 24 simulated hours, but those that own unfinished tasks."""
        limit = self._clock.elapsed - IDLE_LIMIT_S
        for ref in [session.ref for session in self._open.values() if session.used_at < limit]:
            if ref not in busy:
                self.close(ref)
