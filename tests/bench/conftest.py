"""Collects the benchmarks of this folder when `-m bench` asks for them, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    is_asked_for = parent.config.option.markexpr == "bench" and not parent.session.isinitpath(file_path)
    if file_path.name.startswith("bench_") and file_path.suffix == ".py" and is_asked_for:
        return pytest.Module.from_parent(parent, path=file_path)  # type: ignore[no-any-return]  # pytest's own pattern
    return None
