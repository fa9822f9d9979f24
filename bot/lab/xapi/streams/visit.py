"""One request to a handler for streams: who asks, for what, and the task that tells how it went.

The handlers accept a session or a name with a password. They write their own answers, since a failure may have to be
told in a stream that has begun.
"""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from bot.lab.xapi.calls import Context, check_permission
from bot.lab.xapi.errors import ApiError, ConnectionDroppedError
from bot.lab.xapi.machine import Machine, Toolstack
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.sessions import Session
from bot.lab.xapi.streams.pipe import LostError, Pipe
from bot.lab.xapi.streams.trouble import Trouble
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import NULL_REF, Value
from bot.lab.xapi.wire import raw_pages

ROLE: Final = "vm-admin"
_NO_COORDINATOR: Final = 'Unix.Unix_error(Unix.ECONNREFUSED, "connect", "")'


class RefusedError(Exception):
    """The request is answered with a page, before its task was taken over.

    Args:
        page: The answer; empty to close the connection without one.
        reason: Why, as the journal tells it.
        failure: What the task fails with; None for a task that nobody touches.
    """

    def __init__(self, page: bytes, reason: str, failure: ApiError | None = None) -> None:
        super().__init__(reason)
        self.page = page
        self.failure = failure


@dataclass
class Visit:
    """A request.

    Attributes:
        action: The handler's name in permissions: `get_export`.
        call: What faults and the journal call it: `GET /export`.
        query: The parameters.
        cookies: Some parameters may come as cookies instead, the session first of all.
        authorization: That header.
        length: Bytes of the body, None where nobody said.
        is_chunked: Whether the body comes in chunks.
        https_port: Where the hosts of the datacentre answer.
        begun: Whether the head of an answer was sent.
    """

    pool: Pool
    machine: Machine
    pipe: Pipe
    action: str
    call: str
    path: str
    query: Mapping[str, str]
    cookies: Mapping[str, str]
    authorization: str
    length: int | None
    is_chunked: bool
    https_port: int
    begun: bool = False
    user: str = ""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Trouble = field(init=False)

    def __post_init__(self) -> None:
        self.trouble = Trouble(None, self.pool.clock, self.pipe)

    def meet_trouble(self) -> None:
        """Takes the fault that is armed for this request, if one is.

        Raises:
            RefusedError: It sends the client elsewhere.
        """
        fault = self.pool.faults.take_stream(self.call, self.machine.name)
        if fault is not None and fault.action == "redirect":
            raise self.redirect(fault.address)
        self.trouble = Trouble(fault, self.pool.clock, self.pipe)

    def find(self, name: str) -> str:
        """Returns a parameter, empty where it is missing."""
        return self.query.get(name) or self.cookies.get(name, "")

    def read_flag(self, name: str) -> bool:
        """Returns a parameter that must be `true` or `false`; false where it is missing.

        Raises:
            ApiError: `INTERNAL_ERROR` for any other text.
        """
        text = self.query.get(name, "false")
        if text not in {"true", "false"}:
            raise ApiError("INTERNAL_ERROR", 'Invalid_argument("bool_of_string")')
        return text == "true"

    async def read(self, most: int) -> bytes:
        """Returns the next bytes of the body, at most so many; none at its end, or when the client is gone."""
        try:
            data = await self.pipe.read(most)
            await self.trouble.note_read(len(data))
        except LostError:  # a fault has cut the connection
            return b""
        return data

    async def begin(self, head: bytes) -> None:
        """Sends the head of the answer."""
        self.begun = True
        await self.pipe.send(head)

    def redirect(self, address: str) -> RefusedError:
        """Returns the answer that sends the client to the host of that address, with the same query."""
        authority = address if ":" in address else f"{address}:{self.https_port}"
        location = f"https://{authority}{self.path}?{urlencode(self.query)}"
        return RefusedError(raw_pages.write_redirect(location), "redirected")

    def refuse(self, error: ApiError, shown: str = "") -> RefusedError:
        """Returns the answer to a request whose objects are not there; its task fails as if it were not permitted."""
        text = raw_pages.describe(error)
        failure = ApiError("RBAC_PERMISSION_DENIED", f"http/{self.action}", text)
        return RefusedError(raw_pages.write_failure(shown or text), text, failure)


Work = Callable[[Context], Awaitable[Value]]
Prepare = Callable[[Visit], Work]


async def attend(visit: Visit, label: str, prepare: Prepare, *, ends_with_client: bool = True) -> str:
    """Serves a request from its credentials to its end.

    Args:
        visit: The request.
        label: The name of the task that is made when the client brings none.
        prepare: Looks at the parameters, raises `RefusedError` or returns the work.
        ends_with_client: Whether the work ends as soon as the client is gone; what reads a body sees its end instead.

    Returns:
        How it went, for the journal: `done`, or a reason.
    """
    opened = ""
    try:
        await visit.pool.faults.strike(visit.call, "before", visit.machine.name)
        session, opened = await _admit(visit)
        return await _serve(visit, session, label, prepare, ends_with_client=ends_with_client)
    except RefusedError as refused:
        if refused.failure is not None:
            _fail_task(visit, refused.failure)
        await _answer(visit, refused.page)
        return str(refused)
    except ApiError as error:
        await _answer(visit, raw_pages.write_failure(raw_pages.describe(error)))
        return error.code
    except ConnectionDroppedError:
        visit.pipe.cut()
        return "unanswered"
    finally:
        visit.pool.sessions.close(opened)


async def _serve(visit: Visit, session: Session, label: str, prepare: Prepare, *, ends_with_client: bool) -> str:
    pool = visit.pool
    try:
        check_permission(session, f"http/{visit.action}", ROLE)
    except ApiError as error:
        raise RefusedError(raw_pages.write_forbidden(), error.code, error) from None
    visit.meet_trouble()
    work = prepare(visit)
    task = visit.find("task_id")
    if not task:
        parent = visit.find("subtask_of") or NULL_REF
        task = pool.tasks.create(label, host=visit.machine.ref, parent=parent, session=session)
    runner = Runner(task, session.ref, visit.call, machines={visit.machine.ref})
    context = Context(pool, visit.machine, session, visit.call, task=task, runner=runner)
    context.set_cancellable(cancellable=True)

    async def run() -> Value:
        try:
            value = await work(context)
            await pool.faults.strike(visit.call, "end")
        except LostError:
            raise ApiError("CLIENT_ERROR", "The client closed the connection.") from None
        return value

    running = pool.tasks.start(runner, run)
    watching = asyncio.create_task(_watch(visit, runner)) if ends_with_client else None
    try:
        await asyncio.shield(running)
    finally:
        if watching is not None:
            watching.cancel()
    visit.pipe.finish()
    return "done"


async def _watch(visit: Visit, runner: Runner) -> None:
    """Ends the work when its client is gone."""
    await visit.lost.wait()
    runner.interrupt(ApiError("CLIENT_ERROR", "The client closed the connection."))


async def _answer(visit: Visit, page: bytes) -> None:
    """Sends a page, into the stream where that has begun, and closes the connection."""
    try:
        if page:
            await visit.pipe.send(page)
            visit.pipe.finish()
        else:
            visit.pipe.cut()
    except LostError:
        visit.pipe.cut()


def _fail_task(visit: Visit, failure: ApiError) -> None:
    task, pool = visit.find("task_id"), visit.pool
    if task and pool.database.has("task", task):
        pool.tasks.write(
            task,
            allowed_operations=[],
            finished=pool.clock.now(),
            progress=1.0,
            error_info=failure.description,
            status="failure",
        )
        pool.tasks.note_end(task)


async def _admit(visit: Visit) -> tuple[Session, str]:
    """Returns the session of a request, and that of them which was opened for it alone, if one was."""
    pool, machine = visit.pool, visit.machine
    if machine.toolstack is Toolstack.BOOTING:
        raise ApiError("HOST_STILL_BOOTING")
    if machine.emergency:
        raise ApiError(*machine.emergency)
    if not pool.coordinator.is_serving:
        raise RefusedError(raw_pages.write_failure(_NO_COORDINATOR), "no coordinator")
    ref = visit.cookies.get("session_id") or visit.query.get("session_id", "")
    unauthorised = RefusedError(raw_pages.write_unauthorised(visit.action), "not authorised")
    if ref:
        try:
            session = pool.sessions.find(ref)
        except ApiError:
            raise unauthorised from None
        visit.user = session.account.user
        return session, ""
    account = pool.sessions.authenticate(*_read_basic(visit.authorization))
    if account is None:
        if visit.authorization:
            await pool.clock.sleep(pool.login_delay_s)
        raise unauthorised
    visit.user = account.user
    opened = pool.sessions.open(account, "", machine.ref)
    return pool.sessions.find(opened), opened


def _read_basic(header: str) -> tuple[str, str]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
