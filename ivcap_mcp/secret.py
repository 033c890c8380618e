"""Secrets of this user that are made at first use and kept: who holds the file is the user."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from ivcap_client.exception import ConfigError

SHORTEST = 16
"""Characters below which a file was cut off, or written by something else."""


def kept_secret(file: Path) -> str:
    """The secret in a file that only the user can read; made if there is none.

    Raises:
        ConfigError: It cannot be read or kept.
    """
    try:
        if file.exists():
            return _read(file)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Written whole before it gets its name: two servers may start at once, and both must hold the same secret.
        draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(secrets.token_urlsafe(32))
            with contextlib.suppress(FileExistsError):  # another server was first: its secret counts
                os.link(draft, file)
        finally:
            draft.unlink()
        return _read(file)
    except OSError as error:
        raise ConfigError(f"the secret in {file} cannot be kept: {error.strerror}") from None


def _read(file: Path) -> str:
    try:
        secret = file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        secret = ""
    if len(secret) < SHORTEST:  # an empty one would leave the door open
        raise ConfigError(f"{file} holds no usable token; remove it, and the next start makes a new one")
    return secret
