"""How work of the bot itself ended, put as the pool puts the end of a task of its own."""

from __future__ import annotations

import asyncio

import structlog

from bot.domain.texts import Phrase, Quote, say
from bot.errors import Damaged, OutcomeUnknown, TargetFailed, UserError, XapiFailure, XenbotError

log = structlog.get_logger()

#: The code of what no pool has said.
OWN = "xenbot"


def details(error: tuple[str, ...]) -> tuple[Phrase, ...]:
    """What a headline is too short for."""
    return tuple(say("{detail}", detail=Quote(detail)) for detail in error[2:])


def sentence(problem: XenbotError) -> str:
    """What is wrong, and what to do about it where that is known."""
    if isinstance(problem, UserError):
        return f"{problem.message} {problem.fix}".strip()
    return str(problem)


def is_unknown(work: asyncio.Task[None]) -> bool:
    """Whether nobody can tell what came of it."""
    return not work.cancelled() and isinstance(work.exception(), OutcomeUnknown)


def error_of(work: asyncio.Task[None]) -> tuple[str, ...]:
    """How the work ended, as a task of the pool would say it."""
    if work.cancelled():
        return ("TASK_CANCELLED",)
    problem = work.exception()
    match problem:
        case None:
            return ("",)
        case XapiFailure():
            return (problem.code, *problem.params)
        case Damaged() if problem.brief:
            return (OWN, problem.brief, problem.message)
        case TargetFailed() if problem.brief:
            return (OWN, problem.brief, problem.fix)
        case XenbotError():
            return (OWN, sentence(problem))
        case _:
            # A defect of ours, in the log with all that is known of it: what the job has begun is taken back all the
            # same, so that no guest stays stopped and no snapshot is left because of it.
            log.error("own_work_broke", exc_info=problem)
            return (OWN, "xenbot met an error of its own; its log says which.")
