"""Records by reference, as one pool has them: all of them from the feed, or from a direct read what it needs."""

from __future__ import annotations

from typing import TypeVar

from bot.xen.classes import RECORDS
from bot.xen.records import PoolRecord, Record

_R = TypeVar("_R", bound=Record)


class Tables:
    """One dict per class. A reference that leads nowhere is normal: events of one change come in several batches."""

    def __init__(self) -> None:
        self._all: dict[type[Record], dict[str, Record]] = {kind: {} for kind in RECORDS}

    def of(self, kind: type[_R]) -> dict[str, _R]:
        """The records of one class, by reference."""
        return self._all[kind]  # type: ignore[return-value]  # each dict holds its key's type, see put

    def get(self, kind: type[_R], ref: str) -> _R | None:
        """The record, or None."""
        return self.of(kind).get(ref)

    def put(self, ref: str, record: Record) -> None:
        """Adds or replaces a record."""
        self._all[type(record)][ref] = record

    @property
    def pool(self) -> tuple[str, PoolRecord] | None:
        """The pool object; a pool has exactly one."""
        return next(iter(self.of(PoolRecord).items()), None)

    def uuid(self, kind: type[Record], ref: str) -> str | None:
        """The UUID behind a reference, or None."""
        record = self._all[kind].get(ref)
        return record.uuid if record is not None else None

    def ref(self, cls: str, uuid: str) -> str | None:
        """The reference of an object by class name as XAPI writes it ("VM", "host") and UUID; None if not here."""
        for kind, records in self._all.items():
            if kind.cls == cls:
                return next((ref for ref, record in records.items() if record.uuid == uuid), None)
        return None

    def name(self, ref: str) -> str | None:
        """The display name of whatever this reference is, or None."""
        for records in self._all.values():
            record = records.get(ref)
            if record is not None:
                return getattr(record, "name_label", "") or None
        return None
