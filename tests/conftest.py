"""What tests want to be read beside their result."""

import os
import sys

import pytest

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
