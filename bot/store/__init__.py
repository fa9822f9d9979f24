"""The store: SQLite, one thread, the invariants in the database."""
