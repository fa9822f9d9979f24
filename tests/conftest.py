"""What tests want to be read beside their result."""

import os
import sys

import pytest
import structlog
from hypothesis import HealthCheck, settings

# The same cases each time, however slow the machine: what fails here fails everywhere, and time is no verdict.
settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

# A traceback with the values of all names in it, as is drawn where `rich` is installed, takes seconds for each defect.
_plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _plain])

# Every test of the whole starts programs of ours: compiled once they start in two thirds of the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the `summary` that passed tests have recorded, whatever process they ran in."""
    reports = terminalreporter.stats.get("passed", [])
    lines = [str(text) for report in reports for name, text in report.user_properties if name == "summary"]
    if lines:
        terminalreporter.write_sep("=", "what the tests tell")
        for line in lines:
            terminalreporter.write_line(line)
