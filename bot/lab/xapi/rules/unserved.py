"""What the lab answers to a message of the model that it cannot do: the answer of a real server which cannot either.

The dispatcher has counted and read the parameters, found the session and checked the role before.
"""

from collections.abc import Awaitable, Callable

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.signatures import Signature
from bot.lab.xapi.values import NULL_REF, Value


def make_refusal(signature: Signature) -> Callable[..., Awaitable[Value]]:
    """Returns the function that looks at the objects a message is sent to and then refuses it."""

    async def refuse(context: Context, *arguments: Value) -> Value:
        for kind, value in zip(signature.params, arguments, strict=False):
            if kind.kind == "ref" and value != NULL_REF:
                context.pool.database.row(kind.name, value)
        raise ApiError("NOT_IMPLEMENTED", signature.name)

    return refuse
