"""Work that takes time and shows how far it is: one step of it, which stops where somebody wants it to."""

from bot.lab.xapi.calls import Context


async def advance(context: Context, begun: float, end: float, seconds: float) -> None:
    """Goes from one progress of the call's task to the next, with a stop on the way where the gate wants one.

    Args:
        context: Of the call.
        begun: Progress so far.
        end: Progress afterwards, not below `begun`.
        seconds: How long it takes, in simulated seconds.
    """
    pool = context.pool
    span, reached = end - begun, begun
    while reached < end:
        await pool.gate.enter(reached)
        stop = pool.gate.find_stop(reached, end)
        await pool.clock.sleep(seconds * (stop - reached) / span)
        reached = stop
        context.set_progress(reached)
    await pool.gate.enter(end)
