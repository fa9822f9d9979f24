"""Identifiers and secrets of the workplace.

Ids are stable between runs, so that a store kept with ``--data`` still names the same people; secrets are new
at every start and look like Slack's (``xoxb-``, ``xapp-``, ``xoxc-``), so that masking code meets real shapes.
"""

import base64
import hashlib
import secrets
import string

_ALPHANUMERIC = string.ascii_uppercase + string.digits


def derive_id(prefix: str, name: str) -> str:
    """Return a stable opaque id such as ``U5QKZ2…`` for a name."""
    digest = hashlib.sha256(f"workplace:{prefix}:{name}".encode()).digest()
    return prefix + base64.b32encode(digest).decode()[:10]


def make_id(prefix: str) -> str:
    """Return a fresh opaque id for something that comes and goes (a view, an event)."""
    return prefix + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(10))


def make_short_id() -> str:
    """Return a generated ``block_id`` or ``action_id``: short and unpredictable, as Slack's are."""
    return secrets.token_urlsafe(4)[:5]


def make_bot_token() -> str:
    """Return a bot token."""
    return f"xoxb-{secrets.randbelow(10**12):012d}-{secrets.token_hex(12)}"


def make_person_token() -> str:
    """Return the token of a person's client."""
    return f"xoxc-{secrets.randbelow(10**12):012d}-{secrets.token_hex(12)}"


def make_app_token(app_id: str) -> str:
    """Return an app-level token, which opens Socket Mode and nothing else."""
    return f"xapp-1-{app_id}-{secrets.randbelow(10**12):012d}-{secrets.token_hex(24)}"


def make_signing_secret() -> str:
    """Return a signing secret: 32 hexadecimal characters."""
    return secrets.token_hex(16)
