"""Files: an upload address first, then the bytes, then the sharing that makes a file visible."""

import mimetypes
import secrets

import msgspec

from bot.lab.slack.clock import Clock
from bot.lab.slack.errors import ApiError
from bot.lab.slack.identity import make_id

_UPLOAD_LIFE_S = 3600.0
LARGEST_BYTES = 64 * 1024 * 1024


class SlackFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file; ``shares`` are the conversations and messages that show it, ``content`` is None until it came."""

    id: str
    name: str
    title: str
    size: int
    user: str
    team: str
    created: int
    alt_text: str = ""
    content: bytes | None = None
    shares: tuple[tuple[str, str], ...] = ()
    is_complete: bool = False

    @property
    def mimetype(self) -> str:
        """The type that the name suggests."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @property
    def filetype(self) -> str:
        """The ending of the name, as Slack names types."""
        return self.name.rpartition(".")[2].lower() if "." in self.name else "binary"


class FileStore:
    """The files of the workspace and the upload addresses given out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._files: dict[str, SlackFile] = {}
        self._uploads: dict[str, tuple[str, float]] = {}

    def begin(self, *, name: str, size: int, user: str, team: str, alt_text: str) -> tuple[SlackFile, str]:
        """Return a new file without content and the secret of its upload address."""
        created = int(self._clock.now())
        file = SlackFile(
            id=make_id("F"), name=name, title=name, size=size, user=user, team=team, created=created, alt_text=alt_text
        )
        secret = secrets.token_urlsafe(24)
        self._files[file.id] = file
        self._uploads[secret] = (file.id, self._clock.now() + _UPLOAD_LIFE_S)
        return file, secret

    def receive(self, secret: str, content: bytes) -> SlackFile:
        """Keep the bytes of an upload; ``file_not_found`` for an address that is unknown, old or used.

        Raises:
            ApiError: also ``length_mismatch`` when there are more or fewer bytes than were announced.
        """
        file_id, expires = self._uploads.get(secret, ("", 0.0))
        if self._clock.now() > expires:
            raise ApiError("file_not_found")
        file = self._files[file_id]
        if len(content) != file.size:
            raise ApiError("length_mismatch")
        del self._uploads[secret]
        return self.keep(msgspec.structs.replace(file, content=content))

    def keep(self, file: SlackFile) -> SlackFile:
        """Store a changed file."""
        self._files[file.id] = file
        return file

    def note_share(self, file_id: str, channel: str, ts: str) -> None:
        """Note that a message shows a file; nothing when the file is gone."""
        found = self._files.get(file_id)
        if found is not None:
            self.keep(msgspec.structs.replace(found, shares=(*found.shares, (channel, ts))))

    def find(self, file_id: str) -> SlackFile | None:
        """Return a file whose upload was completed."""
        found = self._files.get(file_id)
        return found if found is not None and found.is_complete else None

    def find_uploaded(self, file_id: str) -> SlackFile:
        """Return a file whose bytes have come; ``file_not_found`` otherwise."""
        found = self._files.get(file_id)
        if found is None or found.content is None:
            raise ApiError("file_not_found")
        return found

    def completed(self) -> list[SlackFile]:
        """Return the files that were completed, newest first."""
        return [file for file in reversed(self._files.values()) if file.is_complete]

    def remove(self, file_id: str) -> None:
        """Forget a file."""
        self._files.pop(file_id, None)
