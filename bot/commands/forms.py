"""A command's arguments as a form: what a dialogue asks for, made from the same declaration as the words."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bot.commands.declare import Change, Command
from bot.commands.grammar import BackupWords, NetworkWords, Slot, slots
from bot.commands.several import SEVERAL
from bot.domain.inventory import Host, PoolView, Sr, Vm
from bot.domain.message import Option

_LABELS = {
    "vm": "Guest",
    "vms": "Guest",
    "cold": "Shut down for it",
    "host": "Host",
    "sr": "Storage repository",
    "disk": "Which disks, by their places (all if empty)",
    "pool": "Pool",
    "job": "Job number",
    "what": "What",
    "hard": "The hard way, without asking the guest",
    "grid": "Every constraint of each host",
    "movable": "Only the guests that can go",
    "backup": "Backup",
    "name": "New name",
    "network": "Network for all its cards",
    "start": "Start it afterwards",
    "full": "All of it",
    "sample": "Only a random part",
    "extent": "How much of it",
    "replace": "Rename the guest it replaces, and keep that",
    "keep_mac": "Keep its MAC addresses",
    "place": "Where it lies",
    "version": "Version of NFS",
    "existing": "Storage that lies there already",
    "beside": "A new one, whatever lies there already",
    "default": "New disks go there",
    "all_defaults": "Suspended guests and crash dumps too",
}

_HINTS = {
    "guests": "The name of a guest, or tag:nightly for every guest with that tag when the time comes.",
    "daily": "A time such as 02:00. One of daily, weekly and monthly is needed.",
    "weekly": "A day and a time such as sunday 02:00.",
    "monthly": "A day and a time such as 1 02:00 or last 02:00.",
    "keep": "For example 7d/4w/12m. Left empty, the rule of the configuration holds.",
    "zone": "For example Europe/Berlin. Left empty, the zone of the configuration holds.",
    "schedule": "/xen schedule list shows them.",
    "place": "For example nfs nfsserver:/home/vms. Without a folder you see what the server exports.",
    "version": "3, 4 or 4.1. Left empty, that of the server's driver, which is 3.",
    "existing": "The UUID of the one to attach again.",
    "reason": "Shown to everybody on the card, and kept in the audit.",
    "job": "It stands on the job's card; /xen jobs lists the newest.",
}
_BEST = "Left empty, the best host for it is chosen, and the card says why."


class FieldKind(StrEnum):
    """How a field is filled in: chosen from the live inventory, typed, ticked, or one of a few."""

    GUEST = "guest"
    HOST = "host"
    STORAGE = "storage"
    POOL = "pool"
    BACKUP = "backup"
    NETWORK = "network"
    NUMBER = "number"
    TEXT = "text"
    LONG = "long"
    YES = "yes"
    ONE = "one"


class Field(msgspec.Struct, frozen=True):
    """One argument. `name` is the slot's, `hint` what helps to fill it in.

    For GUEST, HOST, STORAGE, POOL and NETWORK the value that comes back is a UUID, for BACKUP an id.
    ONE has `choices`, the arguments of which one is meant, each with its label; the first holds where none is chosen.
    `only` is what is chosen at first, since there is nothing else to choose.
    """

    name: str
    label: str
    kind: FieldKind
    required: bool
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    only: Option | None = None


class Form(msgspec.Struct, frozen=True):
    """All arguments of a command; `changes` says that what comes of it is a plan to look over and confirm."""

    title: str
    help: str
    fields: tuple[Field, ...]
    changes: bool


def form_of(command: Command) -> Form:
    """The form of a command."""
    fields: dict[str, Field] = {}
    declared = slots(command.arguments)
    for slot in declared:
        if slot.choice:
            choices = tuple((one.name, _label(one.name)) for one in declared if one.choice == slot.choice)
            fields[slot.choice] = Field(
                slot.choice, _label(slot.choice), FieldKind.ONE, required=False, choices=choices
            )
        else:
            fields[slot.name] = Field(slot.name, _label(slot.name), _kind(slot), slot.required, _hint(slot))
    changes = isinstance(command.does, Change) and not command.does.reads
    return Form(command.called, command.help, tuple(fields.values()), changes)


def needs_form(command: Command, tail: str) -> bool:
    """Whether a command was typed without words though it cannot do without."""
    return not tail.strip() and any(slot.required for slot in slots(command.arguments))


def _label(name: str) -> str:
    return _LABELS.get(name, name.capitalize())


def _hint(slot: Slot) -> str:
    return _BEST if slot.type is Host and not slot.required else _HINTS.get(slot.name, "")


def _kind(slot: Slot) -> FieldKind:
    of_inventory = {
        Vm: FieldKind.GUEST,
        SEVERAL: FieldKind.GUEST,
        Host: FieldKind.HOST,
        Sr: FieldKind.STORAGE,
        PoolView: FieldKind.POOL,
        BackupWords: FieldKind.BACKUP,
        NetworkWords: FieldKind.NETWORK,
    }
    if slot.type in of_inventory:
        return of_inventory[slot.type]
    if slot.alone:
        return FieldKind.YES
    if slot.type is int:
        return FieldKind.NUMBER
    return FieldKind.LONG if slot.takes_all else FieldKind.TEXT
