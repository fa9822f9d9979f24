"""The store: SQLite, one thread, the invariants in the database."""

from bot.store.audit import Note
from bot.store.locks import Held
from bot.store.outbox import Outgoing
from bot.store.reading import Reader, StoreSettings
from bot.store.store import Store

__all__ = ["Held", "Note", "Outgoing", "Reader", "Store", "StoreSettings"]
