"""A process that ends the bot when the lab is gone, however the lab ended.

`bot.lab.bot_process` starts it and holds its standard input. The lab writes `hold PID` and `release PID`;
end of file means that the lab has exited or was killed, and everything still held is killed. A pipe needs no
support of the operating system beyond closing what a dead process held, so it works where PR_SET_PDEATHSIG
does not exist.
"""

import os
import signal
import sys
from collections.abc import Iterable


def watch(lines: Iterable[str]) -> set[int]:
    """Reads orders until the lab's end of the pipe closes.

    Returns:
        The process ids that are still held.
    """
    held: set[int] = set()
    for line in lines:
        order, _, pid = line.strip().partition(" ")
        if order == "hold":
            held.add(int(pid))
        elif order == "release":
            held.discard(int(pid))
    return held


def main() -> None:
    """Holds until the pipe closes, then kills what is held."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for pid in watch(sys.stdin):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
