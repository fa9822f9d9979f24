"""Logging in and out."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError


async def login_with_password(
    context: Context, user: str, password: str, _version: str = "", originator: str = ""
) -> str:
    """Opens a session; a wrong password is answered late, on purpose."""
    pool = context.pool
    account = pool.sessions.authenticate(user, password)
    if account is None:
        await pool.clock.sleep(pool.login_delay_s)
        raise ApiError("SESSION_AUTHENTICATION_FAILED", user, "Authentication failure")
    return pool.sessions.open(account, originator, context.machine.ref)


async def logout(context: Context) -> str:
    """Ends the session of the call."""
    context.pool.sessions.close(context.session.ref)
    return ""


async def change_password(context: Context, old: str, new: str) -> str:
    """Gives the superuser another password; sessions that are open stay so."""
    user = context.session.account.user
    if not context.pool.sessions.change_password(user, old, new):
        raise ApiError("SESSION_AUTHENTICATION_FAILED", user, "Authentication failure")
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("session.login_with_password", login_with_password),
    declare("session.logout", logout),
    declare("session.change_password", change_password),
)
