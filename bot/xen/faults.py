"""From foreign failures to our own errors: which XAPI code means what, and names in place of references.

XAPI identifies objects in failures by reference, which nobody can read and which must not leave this package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bot.errors import NotFound, Unreachable, XapiFailure, XenError

NULL_REF: Final = "OpaqueRef:NULL"

_REFERENCE = re.compile(r"OpaqueRef:[0-9A-Za-z-]+")

#: The server answers so before it looks at the call: nothing was executed, and another host or a later moment may do.
NOT_READY: Final = frozenset(
    {
        "HOST_STILL_BOOTING",
        "HOST_HAS_NO_MANAGEMENT_IP",
        "HOST_MASTER_CANNOT_TALK_BACK",
        "HOST_UNKNOWN_TO_MASTER",
        "HOST_ITS_OWN_SLAVE",
        "HOST_BROKEN",
    }
)
#: The login itself was refused; asking the other members with the same password would only be refused more often.
LOGIN_REFUSED: Final = frozenset({"SESSION_AUTHENTICATION_FAILED", "SESSION_AUTHORIZATION_FAILED"})
#: The object is not there: a dangling reference or an unknown UUID.
GONE: Final = frozenset({"HANDLE_INVALID", "UUID_INVALID"})

#: The class of each parameter, for those references that the inventory does not know. XAPI sends some codes with
#: more, fewer or swapped parameters than it declares, so this only ever chooses a word.
_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "VM_INCOMPATIBLE_WITH_THIS_HOST": ("VM", "host"),
    "VM_HOST_INCOMPATIBLE_VERSION": ("host", "VM"),
    "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION": ("host", "", "VM"),
    "VM_REQUIRES_SR": ("VM", "SR"),
    "VM_REQUIRES_NETWORK": ("VM", "network"),
    "VM_REQUIRES_GPU": ("VM", "GPU group"),
    "VM_REQUIRES_IOMMU": ("host",),
    "VM_HVM_REQUIRED": ("VM",),
    "HOST_CANNOT_ATTACH_NETWORK": ("host", "network"),
    "HOST_DISABLED": ("host",),
    "HOST_OFFLINE": ("host",),
    "CANNOT_CONTACT_HOST": ("host",),
    "TASK_CANCELLED": ("task",),
    "VDI_NOT_AVAILABLE": ("VDI",),
    "OPERATION_NOT_ALLOWED": ("object",),
}


class IfThere:
    """Leaves its block, and goes on behind it, where the pool says that an object asked for is gone."""

    def __enter__(self) -> None:
        """Nothing is prepared."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Whether it was that."""
        return isinstance(error, XapiFailure) and error.code in GONE


@contextmanager
def known_as(word: str, uuid: str) -> Iterator[None]:
    """Raises NotFound, with this word for the object, where the pool says that it is gone."""
    try:
        yield
    except XapiFailure as refusal:
        if refusal.code in GONE:
            raise NotFound(word, uuid) from refusal
        raise


def failure(details: Sequence[object], name_of: Callable[[str], str | None]) -> XapiFailure:
    """The failure XAPI answered with; `name_of` gives the name of a reference, None if unknown."""
    code, *params = [str(part) for part in details] or ["INTERNAL_ERROR"]
    return XapiFailure(code, named_params(code, params, name_of))


def named_params(code: str, params: Sequence[str], name_of: Callable[[str], str | None]) -> tuple[str, ...]:
    """The parameters of a failure with names for references, or what kind of thing it was."""
    classes = _CLASSES.get(code, ())
    if code in {"HANDLE_INVALID", "OTHER_OPERATION_IN_PROGRESS"} and params:
        classes = (params[0], params[0], "operation", "task")

    def word(index: int) -> str:
        if index < len(classes) and classes[index]:
            return classes[index]
        return "VM" if code.startswith("VM_") and index == 0 else "object"

    def named(index: int, text: str) -> str:
        return _REFERENCE.sub(
            lambda found: name_of(found.group()) or ("nothing" if found.group() == NULL_REF else word(index)),
            text,
        )

    return tuple(named(index, text) for index, text in enumerate(params))


def not_ready(host: str, details: Sequence[str]) -> XenError:
    """The error for a host that is up but cannot serve: certainly nothing was done."""
    return Unreachable(f"{host} is not ready: {' '.join(details)}")
