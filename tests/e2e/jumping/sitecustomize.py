"""Sets the wall clock of a bot: a folder to be named in PYTHONPATH, so that Python runs this first.

The file named by `WALL_CLOCK` holds the seconds by which the bot's clock is wrong; its monotonic clock stays right, as
on a machine whose time was set. Other programs of the lab keep the right time.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_right = time.time


def wrong() -> float:
    return _right() + float(Path(os.environ["WALL_CLOCK"]).read_text() or 0)


if "run" in sys.orig_argv and "WALL_CLOCK" in os.environ:
    time.time = wrong
