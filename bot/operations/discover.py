"""Finds every operation: a module of this package with an OPERATION."""

from __future__ import annotations

import importlib
import pkgutil

import bot.operations
from bot.operations.base import Operations


def operations() -> Operations:
    """All operations by name. A second one of the same name is a mistake."""
    found = Operations()
    for module in pkgutil.iter_modules(bot.operations.__path__, "bot.operations."):
        operation = getattr(importlib.import_module(module.name), "OPERATION", None)
        if operation is None:
            continue
        if operation.name in found:
            raise ValueError(f"two operations are called {operation.name}")
        found[operation.name] = operation
    return found
