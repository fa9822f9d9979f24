"""What people and apps fasten to a channel: pinned messages and bookmarks."""

import msgspec

MOST_PINS = 100
MOST_BOOKMARKS = 100


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned message, who pinned it and when in Unix seconds."""

    ts: str
    by: str
    at: int


class Bookmark(msgspec.Struct, frozen=True, kw_only=True):
    """A link at the top of a channel."""

    id: str
    channel: str
    title: str
    link: str
    emoji: str
    created: int
    updated: int
    by: str


class Marks:
    """Pins and bookmarks by channel."""

    def __init__(self) -> None:
        self.pins: dict[str, dict[str, Pin]] = {}
        self.bookmarks: dict[str, dict[str, Bookmark]] = {}

    def pins_of(self, channel: str) -> dict[str, Pin]:
        """Return the pins of a channel by the ``ts`` of their message."""
        return self.pins.setdefault(channel, {})

    def bookmarks_of(self, channel: str) -> dict[str, Bookmark]:
        """Return the bookmarks of a channel by their id."""
        return self.bookmarks.setdefault(channel, {})
