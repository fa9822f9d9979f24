"""Every error the bot raises, in one tree.

XenbotError
├── ConfigError          the configuration is wrong; carries all findings
├── UserError            a person asked for something that cannot be done; the sentence is for that person
│   ├── NotUnderstood    the words
│   ├── NotFound         no object of that name; carries the nearest ones
│   ├── Ambiguous        more than one object of that name; carries the candidates
│   ├── Unnamed          an object was left out of which there are several; carries the candidates
│   ├── NotAllowed       role, channel, own request
│   │   └── DirectorySilent  nobody could be asked; not an answer about the person
│   └── Refused          a rule or the present state says no: frozen, locked, too late
├── XenError             XAPI
│   ├── XapiFailure      the server answered with a failure code
│   ├── Unreachable      nothing was sent, or the call only reads: repeating is safe
│   ├── OutcomeUnknown   a changing call was sent and its answer was lost: look, never repeat
│   ├── StreamCut        an export or import broke off after its first byte: its task tells what the pool made of it
│   └── CannotTell       the feed has not loaded, or the pool has no coordinator: no fact, hence no verdict
├── TargetFailed         the place where backups are kept cannot be read or written
├── Damaged              an archive is not what it has to be; says which block of which disk, and where
├── StoreError           the database cannot be trusted or written
└── IllegalTransition    a job was asked to move along no line of its table
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class XenbotError(Exception):
    """Base of all errors that are ours."""


class ConfigError(XenbotError):
    """The configuration cannot be used; `findings` names every problem found, one sentence each."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)


class UserError(XenbotError):
    """Something a person can read: `message` says what and why, `fix` what to do next ("" when nothing helps).

    Where the fix is to ask somebody, `ask` is the role of those to ask; `whom` names some of them by user id, and
    `others` counts the rest, once the directory was asked.
    """

    def __init__(self, message: str, fix: str = "", *, ask: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.ask = ask
        self.whom: tuple[str, ...] = ()
        self.others = 0


class NotUnderstood(UserError):
    """The words fit no command."""


@dataclass(frozen=True)
class Candidate:
    """One object a name may have meant: its UUID, its name, and what tells it from the others."""

    uuid: str
    name: str
    where: str


class NotFound(UserError):
    """No object has that name; `nearest` holds names that are close to it."""

    def __init__(self, kind: str, name: str, nearest: Sequence[str] = (), fix: str = "") -> None:
        super().__init__(f"There is no {kind} called “{name}”.", fix)
        self.kind = kind
        self.name = name
        self.nearest = tuple(nearest)


class Ambiguous(UserError):
    """Several objects have that name; the person must choose one of `candidates`."""

    def __init__(self, kind: str, name: str, candidates: Sequence[Candidate]) -> None:
        super().__init__(f"{len(candidates)} {kind}s are called “{name}”.", "Choose one.")
        self.kind = kind
        self.name = name
        self.candidates = tuple(candidates)


class Unnamed(UserError):
    """An object was left out of which there are several; one of `candidates` is to be chosen for argument `slot`."""

    def __init__(self, kind: str, slot: str, candidates: Sequence[Candidate], fix: str) -> None:
        super().__init__(f"There are {len(candidates)} {kind}s, and none was named.", fix)
        self.kind = kind
        self.slot = slot
        self.candidates = tuple(candidates)


class NotAllowed(UserError):
    """This person may not do this, here or at all."""


class DirectorySilent(NotAllowed):
    """The directory of people does not answer: nobody is let in, and nothing is decided about anyone."""


class Refused(UserError):
    """A safety rule or the present state of things forbids it now."""


class XenError(XenbotError):
    """Base of what can go wrong with a pool."""


class XapiFailure(XenError):
    """XAPI answered with a failure: `code` and `params` as sent, references already replaced by names where known."""

    def __init__(self, code: str, params: Sequence[str] = ()) -> None:
        super().__init__(" ".join([code, *params]))
        self.code = code
        self.params = tuple(params)


class Unreachable(XenError):
    """The pool could not be asked and nothing was changed; the sentence names the address and the reason."""


class OutcomeUnknown(XenError):
    """A changing call was sent, its answer never came. It may or may not have taken effect.

    `ended` tells that the server itself ended the connection, so that nothing of the request can still be under way to
    it; after a mere time-out the server may hold the call and carry it out later.
    """

    def __init__(self, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


class StreamCut(XenError):
    """The stream of an export or import broke off; the sentence names the address, how far it came and the reason."""


class CannotTell(XenError):
    """There is no fact to judge by at present."""


class TargetFailed(XenbotError):
    """A file of the archive could not be read or written: `message` names the path and why, `fix` what to do.

    `brief` says what is wrong with the whole place, where it is that: a path is long, and of no matter then.
    """

    def __init__(self, message: str, fix: str, *, brief: str = "") -> None:
        super().__init__(f"{message} {fix}")
        self.message = message
        self.fix = fix
        self.brief = brief


class Damaged(XenbotError):
    """An archive of a guest is cut, altered or none at all; the sentence is for a person.

    `block` is the name of the member it was found at ("" when it lies in none), `disk` the disk as people call it
    ("" when no disk is concerned), `offset` the byte where the thing that is wrong begins: in the archive itself, or
    in what it holds unpacked where the sentence says so. `brief` says the same in what people know of a disk, with
    what to do; "" where the sentence itself does.
    """

    def __init__(self, message: str, *, block: str = "", disk: str = "", offset: int = 0, brief: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.brief = brief
        self.block = block
        self.disk = disk
        self.offset = offset


class StoreError(XenbotError):
    """The store is missing, damaged, of another version, or not writable."""


class IllegalTransition(XenbotError):
    """The job is not in a state from which this may happen; `state` is where it is."""

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"a job in state {state} cannot {event}")
        self.state = state
        self.event = event
