"""From a request for a stream to its handler, with an entry in the journal."""

import asyncio
import time

from aiohttp import web

from bot.lab.xapi.journal import Heard, Journal
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.patience import UNKNOWN_LENGTH, PatientHandler
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.streams.handlers import Served
from bot.lab.xapi.streams.pipe import Pipe
from bot.lab.xapi.streams.visit import Visit


async def receive(
    pool: Pool,
    machine: Machine,
    journal: Journal,
    request: web.BaseRequest,
    heard: asyncio.Event,
    served: Served,
) -> None:
    """Serves a request; whatever the answer is, the connection is closed then.

    Args:
        pool: The pool of the addressed host.
        machine: The addressed host.
        journal: Gets an entry when it is over.
        request: What came in.
        heard: Is set while what the host sends arrives.
        served: What serves it.
    """
    call, action, handler = served
    visit = Visit(
        pool,
        machine,
        Pipe(request, heard),
        action,
        call,
        request.path,
        dict(request.query),
        dict(request.cookies),
        request.headers.get("Authorization", ""),
        None if request.content_length == UNKNOWN_LENGTH else request.content_length,
        "chunked" in request.headers.get("Transfer-Encoding", "").lower(),
        machine.https_port,
    )
    if isinstance(request.protocol, PatientHandler):
        request.protocol.watch(visit.lost)
    begun, outcome = time.time(), "unanswered"
    try:
        outcome = await handler(visit)
    finally:
        shown = {key: "…" if key == "session_id" else value for key, value in visit.query.items()}
        # The journal shows no first parameter: with calls that is the session.
        journal.record_call(Heard(machine.name, visit.user, call, ["", shown], begun), outcome, None, is_change=True)
