"""Where the configuration takes secrets from: the names of environment variables."""

from __future__ import annotations

import re


def password_variable(pool: str) -> str:
    """The environment variable that holds the password of the pool of that name."""
    return f"XENBOT_POOL_{re.sub('[^A-Z0-9]', '_', pool.upper())}_PASSWORD"
