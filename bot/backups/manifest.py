"""The manifest beside an archive: all that the catalogue needs, so that it can be made anew from the files alone."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Final

import msgspec

from bot.domain.backup import Contents
from bot.domain.catalogue import Backup, BackupState, Proof, Verification

FORMAT: Final = 1
LONGEST: Final = 4 << 20
"""Bytes of the longest manifest that is read."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDENTITY: Final = re.compile(r"\d{8}-\d{6}-[0-9a-z]{4,32}")
# The year 9000: later ones are no dates everywhere.
_LATEST: Final = 221_845_392_000.0
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class BadManifest(ValueError):
    """The file is no manifest of this archive; the sentence says why."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was backed up, when, by whom, and what the files beside it must be.

    Fields that a later version adds are passed over when it is read.

    Attributes:
        format: The version of the manifest.
        id: The backup's id.
        guest: UUID of the guest that was backed up, not that of the snapshot it was made from.
        name: The guest's name then.
        pool: UUID of its pool.
        pool_name: What the pool was called.
        at: The moment whose contents it holds, in Unix seconds.
        finished: When it was whole and verified, in Unix seconds.
        size: Bytes of the archive.
        sha256: SHA-256 of the archive.
        proof_sha256: SHA-256 of the proof.
        contents: What the archive was found to hold.
        how: How it was made, as in "snapshot" or "cold".
        job: The number of the job that made it; None for one from elsewhere.
        task: What XAPI called the export.
        who: Who asked for it.
        reason: Why, as given.
        keep: The rule by which it is kept (see `bot.domain.retention`); "" for that of the configuration.
        kept_until: Until when it must be kept, in Unix seconds; None where only a rule says so.
        bot: Version of the bot that made it.
        store: The identity of the bot that made it (see `custody`); "" where it is not known.
    """

    format: int = FORMAT
    id: str
    guest: str
    name: str
    pool: str
    pool_name: str
    at: float
    finished: float
    size: int
    sha256: str
    proof_sha256: str
    contents: Contents
    how: str
    job: int | None
    task: str = ""
    who: str
    reason: str = ""
    keep: str = ""
    kept_until: float | None = None
    bot: str = ""
    store: str = ""

    def verification(self) -> Verification:
        """The look at it while it came."""
        return Verification(self.finished, Proof.STREAM, self.who)

    def backup(self, verified: Verification | None, state: BackupState) -> Backup:
        """The backup as the catalogue knows it."""
        return Backup(
            id=self.id,
            guest=self.guest,
            name=self.name,
            pool=self.pool,
            pool_name=self.pool_name,
            at=self.at,
            size=self.size,
            sha256=self.sha256,
            job=self.job,
            who=self.who,
            verified=verified,
            kept_until=self.kept_until,
            state=state,
        )


def make_id(at: float, mark: str = "") -> str:
    """Returns a new id for a backup of that moment (Unix seconds): ids sort by time, and no two are the same.

    With a `mark` (lower-case hex) of whoever makes it the backup can be found again by that.
    """
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%d-%H%M%S}-{mark or secrets.token_hex(4)}"


def is_id(text: str) -> bool:
    """Whether a text is an id of a backup; such a text is safe as the name of a folder."""
    return _IDENTITY.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as XAPI writes it; such a text is safe as the name of a folder."""
    return _UUID.fullmatch(text) is not None


def encode_manifest(manifest: Manifest) -> bytes:
    """Returns the manifest as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode_manifest(content: bytes) -> Manifest:
    """Returns the manifest in a file. Raises BadManifest."""
    try:
        version = msgspec.json.decode(content, type=_Version).format
        if version > FORMAT:
            raise BadManifest(f"it was written by a later version (format {version}) of the bot")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"it cannot be read ({error})") from error
    if not is_id(manifest.id) or not is_uuid(manifest.guest):
        raise BadManifest("it names no backup of a guest")
    times = (manifest.at, manifest.finished, manifest.kept_until or 0.0)
    if not all(0 <= one <= _LATEST for one in times):
        raise BadManifest("it names a time that cannot be")
    if manifest.size < 0 or not _SHA256.fullmatch(manifest.sha256) or not _SHA256.fullmatch(manifest.proof_sha256):
        raise BadManifest("it has no usable size and digest")
    return manifest


class _Version(msgspec.Struct):
    """Enough to tell which version wrote it."""

    format: int
