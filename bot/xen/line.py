"""One session on one host by XML-RPC, in the hands of one thread."""

from __future__ import annotations

import xmlrpc.client
from typing import Final

import XenAPI

from bot.xen.settings import HostSettings
from bot.xen.tls import Trust
from bot.xen.transport import ANSWER_TIMEOUT_S, CallLost, OnceTransport, Wire

ORIGINATOR: Final = "xenbot"


class Line:
    """A session on one host, and the one connection it is used over. Not for two threads at once."""

    def __init__(self, host: HostSettings, trust: Trust, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self.host = host
        self.transport = OnceTransport(host, trust, answer_timeout_s=answer_timeout_s)
        self.handle = ""
        self.busy = False
        self._proxy = XenAPI.Session(host.url, transport=self.transport)

    def __repr__(self) -> str:
        return f"Line({self.host.address})"

    def login(self, user: str, password: str) -> None:
        """Logs in. Raises XenAPI.Failure, CallLost."""
        try:
            self._login(user, password)
        except (xmlrpc.client.Fault, TypeError) as error:
            # What the client raises when the answer is no XAPI answer; TypeError is its bug for one that is no struct.
            raise CallLost("gave an answer that is not XAPI's", sent=True) from error
        self.handle = self._proxy.handle
        # The client keeps the password to log in again by itself and repeat whatever call was refused: never here.
        self._proxy.last_login_method = self._proxy.last_login_params = None

    def _login(self, user: str, password: str) -> None:
        try:
            self._proxy.login_with_password(user, password, "1.0", ORIGINATOR)
        except XenAPI.Failure as refused:
            if refused.details[0] != "MESSAGE_PARAMETER_COUNT_MISMATCH":
                raise
            # Servers before 6.2 know no originator.
            self._proxy.login_with_password(user, password)

    def call(self, method: str, *args: object) -> Wire:
        """One call, sent at most once. Raises XenAPI.Failure, CallLost.

        The client's proxy encodes and parses; its `xenapi` attribute is avoided, since it repeats calls after
        SESSION_INVALID.
        """
        self.busy = True
        try:
            answer = getattr(self._proxy, method)(self.handle, *args)
        finally:
            self.busy = False
        match answer:
            case {"Status": "Success", "Value": value}:
                return value
            case {"Status": "Failure", "ErrorDescription": [str(), *_] as details}:
                raise XenAPI.Failure(details)
            case _:
                raise CallLost("gave an answer that is not XAPI's", sent=True)

    def refused_session(self, refusal: XenAPI.Failure) -> bool:
        """Whether the answer says "not logged in here", about this very session and not about one inside the call."""
        code, *params = refusal.details
        return code == "HOST_IS_SLAVE" or (code == "SESSION_INVALID" and params[:1] in ([], [self.handle]))
