"""Makes a bot impatient with silent hosts: a folder to be named in PYTHONPATH, so that Python runs this first.

The bot is the shipped one; what is shorter is how often it probes hosts, and how long they must be silent, or back,
before it tells of that.
"""

from __future__ import annotations

import os
import sys

if "run" in sys.orig_argv and "IMPATIENT" in os.environ:
    from bot.jobs.absence_rules import Patience
    from bot.jobs.absences import AbsenceWatch
    from bot.xen import Pools

    quick = Patience(silent=2.0, pool=4.0, gather=0.0, grace=2.0, disabled=60.0, repeat=0.0)
    AbsenceWatch.__init__.__kwdefaults__.update(patience=quick, every_s=0.3)  # type: ignore[union-attr]  # it has some
    Pools.__init__.__kwdefaults__.update(probe_every_s=0.5)  # type: ignore[union-attr]  # as above
