"""What the failures of XAPI's storage drivers mean, and what mends them.

The numbers and their meanings are those of the drivers of a real server; the sentence that comes with a number is in
the driver's words, and often only repeats what the number says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from bot.domain.texts import PLACE, Code, Phrase, Value, say

PREFIX: Final = "SR_BACKEND_FAILURE_"
#: So many hosts, or exports, are named on a card of storage; the others are counted.
NAMED: Final = 6
_RETURNED: Final = re.compile(r"return code (\d{1,3})")
_OPTERR: Final = re.compile(r"\[opterr=(.*)\]\s*\Z", re.DOTALL)


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong, as half a sentence without a full stop, and what mends it, as a whole one."""

    what: Phrase
    fix: Phrase


#: By the driver's number: what it means, and what to do. `{server}` is the file server, `{place}` the storage.
_MEANINGS: Final[dict[int, tuple[str, str]]] = {
    16: ("the storage is in use", "Wait until the work on it has ended, then try again."),
    24: ("the disk is in use", "Wait until the work on it has ended, or see which guest has it."),
    37: ("the storage is locked", "Try again in a minute: other work goes on there."),
    38: ("its driver cannot do that", "Use storage of another type for it."),
    39: ("the storage is not empty", "Move or delete what is in it first."),
    40: ("its content could not be listed", "See that {server} answers, then rescan {place}."),
    44: ("there is not enough space on {place}", "Free space there, or make it larger."),
    46: ("the disk is not available", "See whether another host or guest has it attached."),
    47: ("the storage is not available: its mount or volume group is gone", "See {server}, then plug {place} again."),
    67: ("the block device did not appear", "Look at the target's mapping of LUNs to this host's IQN."),
    68: ("the login to the iSCSI target failed", "Look at user and password (CHAP) on the target {server}."),
    70: ("the iSCSI initiator of the host is not set up", "Look at iscsid and the IQN of that host."),
    72: (
        "{server} does not offer that version of NFS",
        "Ask for another version ({words}), or turn this one on at {server}.",
    ),
    73: ("{place} could not be mounted", "Look at the export and the NFS services on {server}."),
    74: ("the folder could not be unmounted", "See which guest or mount still uses it."),
    75: ("the storage is attached already", "Nothing has to be done; should it not work, plug {place} again."),
    76: ("a folder could not be deleted", "Look at the rights and the space on {server}."),
    78: ("a disk could not be made", "Look at {place}: is it writable, and is there space?"),
    80: ("a disk could not be deleted", "Look at {place}: is it writable, and is the disk in no use?"),
    81: ("a disk could not be cloned", "Look at {place}: is it writable, and is there space?"),
    82: ("a snapshot could not be made", "Look at {place}: is it writable, and is there space?"),
    83: ("the iSCSI target could not be discovered", "See that {server} listens on port 3260 and names its targets."),
    88: (
        "no folder for new storage could be made on {server}",
        "Export it writable and with no_root_squash ({export}), then {again}; and see that there is space.",
    ),
    96: ("nobody said which target of {server} is meant", "Name the target's IQN."),
    97: ("that host has no iSCSI name", "Give it an IQN."),
    99: ("storage of this kind has one LUN only", "Use a LUN of its own for it."),
    101: ("nobody said which folder of {server} is meant", "Name one that it exports."),
    102: ("nobody said which server is meant", "Name the server."),
    103: ("{server} has no such folder", "Name one that it exports: a path from the root, without a final slash."),
    107: ("nobody said which LUN is meant", "Name the LUN."),
    108: (
        "no NFS service answers on {server} (port 2049)",
        "Start it on {server}, with its portmapper ({services}), and let that host through the firewall.",
    ),
    109: ("the chain of snapshots is too long", "Delete old snapshots of the guest, and let the storage coalesce."),
    110: ("a disk could not be resized", "Look at the space on {place}."),
    140: ("the name {server} cannot be resolved there", "Mend the DNS of that host, or give the server's address."),
    141: ("the iSCSI target cannot be reached", "Look at the network between that host and {server}, port 3260."),
    142: ("the port of the iSCSI target is wrong", "Use the port that it listens on, 3260 as a rule."),
    180: ("the thinly provisioned volume group is out of space", "Free space on {place}, or make it larger."),
    181: (
        "the metadata of its volume group are damaged",
        "Look at the LUN behind {place} before anything writes to it.",
    ),
    200: ("reading or writing failed", "Look at the disks and the log of {server}."),
    202: ("the driver failed in a way of its own", "Look at /var/log/SMlog on that host."),
    461: (
        "{place} can be mounted but not written",
        "Export it read-write and with no_root_squash ({export}), then {again}.",
    ),
    1200: ("the driver met an error of its own", "Look at /var/log/SMlog on that host."),
}
_SERVICES: Final = "systemctl start rpcbind nfs-server"


def number_of(code: str) -> int | None:
    """The driver's number in a failure's code; None for one that is not a driver's."""
    digits = code.removeprefix(PREFIX)
    return int(digits) if code != digits and digits.isascii() and digits.isdigit() and len(digits) < 6 else None


def numbers() -> frozenset[int]:
    """The numbers that have words of their own."""
    return frozenset(_MEANINGS)


def trouble(code: str, *, server: Value, place: Value) -> Trouble | None:
    """What a driver's failure means; None for a number without words, and for failures that are not a driver's."""
    meaning = _MEANINGS.get(number_of(code) or 0)
    if meaning is None:
        return None
    what, fix = meaning
    values: dict[str, Value] = {
        "server": server,
        "place": place,
        "again": Code("exportfs -ra"),
        "services": Code(_SERVICES),
        "export": Code("rw,no_root_squash"),
        "words": Code("version 4"),
    }
    return Trouble(_filled(what, values), _filled(fix, values))


def returned(params: Sequence[str]) -> int | None:
    """What a mount returned, where the driver says so: 32 is a mount that the server or its daemons did not grant."""
    found = next((one for one in map(_RETURNED.search, params) if one is not None), None)
    return int(found[1]) if found is not None else None


def detail(params: Sequence[str]) -> str:
    """What the driver says beside its own general sentence; that sentence where there is nothing else; "" for none."""
    text = next((one for one in params if one and "<" not in one), "")
    found = _OPTERR.search(text)
    return found[1] if found is not None else text


def _filled(template: str, values: dict[str, Value]) -> Phrase:
    wanted = set(PLACE.findall(template))
    return say(template, **{name: value for name, value in values.items() if name in wanted})
