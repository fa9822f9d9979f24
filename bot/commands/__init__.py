"""Slash commands: what one declares (`declare`), and how its words become typed arguments (`grammar`).

A handler is one file in `handlers/` with a `COMMAND`. Its arguments are a frozen msgspec struct whose annotations say
how each is written:

    class Arguments(msgspec.Struct, frozen=True):
        vm: Vm                                       # the words right after the command
        host: Annotated[Host, after("to")]           # the words after "to" (or --to)
        reason: Annotated[str, rest("reason")] = ""  # all that follows "reason"
"""

from typing import Annotated

from bot.commands.declare import (
    Acquaintances,
    Change,
    Command,
    Context,
    Control,
    JobControl,
    Journal,
    Query,
    Registry,
    Topic,
)
from bot.commands.forms import Field, FieldKind, Form, form_of, needs_form
from bot.commands.grammar import BackupWords, NetworkWords, Slot, after, flag, mistakes, resolve, rest, slots, split
from bot.commands.words import first_word

__all__ = [
    "Acquaintances",
    "Annotated",
    "BackupWords",
    "Change",
    "Command",
    "Context",
    "Control",
    "Field",
    "FieldKind",
    "Form",
    "JobControl",
    "Journal",
    "NetworkWords",
    "Query",
    "Registry",
    "Slot",
    "Topic",
    "after",
    "first_word",
    "flag",
    "form_of",
    "mistakes",
    "needs_form",
    "resolve",
    "rest",
    "slots",
    "split",
]
