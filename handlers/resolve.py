"""`/xen resolve <job> [done|not-done]`: closes a job that needs a person, after looking at the pool."""

from __future__ import annotations

import unicodedata

import msgspec

from bot.commands import Command, Context, Control
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.errors import NotUnderstood

# Of a migration people say that it moved or did not.
_VERDICTS = {"": ""} | {
    f"{no}{word}": "not-done" if no else "done" for no in ("", "not-", "not ") for word in ("done", "moved")
}
# Keyboards write other dashes by themselves.
_DASHES = str.maketrans(dict.fromkeys("‐‑–—−", "-"))


class Arguments(msgspec.Struct, frozen=True):
    """The job's number, and what the person says happened."""

    job: str


async def act(arguments: Arguments, context: Context) -> Message:
    """Looks at the pool, and closes the job when what is seen agrees."""
    written = unicodedata.normalize("NFKC", arguments.job).translate(_DASHES).casefold()
    number, _, verdict = written.removeprefix("#").partition(" ")
    if not number.isascii() or not number.isdigit() or len(number) > 15 or verdict not in _VERDICTS:
        raise NotUnderstood(
            "`/xen resolve` takes a job number, then “done” or “not-done”.",
            f"Write `/xen {COMMAND.usage}`, for example `/xen {COMMAND.example}`.",
        )
    return await context.control.resolve(int(number), context.person, _VERDICTS[verdict])


COMMAND = Command(
    word="resolve",
    usage="resolve <job> [done|not-done]",
    help="Looks at the pool and closes a job that needs a person. Without a verdict it only closes what is clear.",
    example="resolve 121 not-done",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Control(act),
)
