"""Changes a client's file: whole or not at all, with a copy of what was there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ivcap_client.exception import ConfigError
from ivcap_mcp.clients.jsonc import NotJson
from ivcap_mcp.drafts import in_place_of, on_disk

MOST = 32 * 1024 * 1024
"""Bytes of a file that is edited; one client keeps its history in it."""


def text_of(file: Path) -> str:
    """What a file says; nothing where there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        if file.stat().st_size > MOST:
            raise ConfigError(f"{file} is too large to be edited")
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8, so it is not edited") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None


def edited(file: Path, change: Callable[[str], str]) -> str:
    """What a file would say after a change.

    Raises:
        ConfigError: It cannot be read, or not be understood.
    """
    try:
        return change(text_of(file))
    except NotJson as error:
        raise ConfigError(
            f"{file} is not readable as JSON ({error}): correct that first; nothing was changed"
        ) from None
    except TypeError as error:
        raise ConfigError(f"{file} has another form than expected ({error}); nothing was changed") from None


def change_file(file: Path, change: Callable[[str], str], now: datetime | None = None) -> Path | None:
    """Change a file, and keep a copy of it as it was.

    Args:
        file: The file; a link is followed, so that it stays one.
        change: From what the file says to what it shall say.
        now: The time in the copy's name.

    Returns:
        The copy; `None` where there was no file.

    Raises:
        ConfigError: It cannot be read, understood, copied or written; then nothing was changed.
    """
    real = Path(os.path.realpath(file))
    before = text_of(real)
    after = edited(real, change)
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        copy = _copied(real, now or datetime.now()) if real.exists() else None
        _replaced(real, before, after)
    except OSError as error:
        raise ConfigError(f"{file} cannot be changed: {error.strerror or error}") from None
    return copy


def _copied(file: Path, now: datetime) -> Path:
    """A copy beside the file, readable by whoever may read the file; an earlier copy is never overwritten."""
    stem = f"{file.name}.before-ivcap-{now:%Y%m%d-%H%M%S}"
    for number in range(100):
        copy = file.with_name(stem if number == 0 else f"{stem}-{number}")
        try:
            handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as out, file.open("rb") as source:
            shutil.copyfileobj(source, out)
        shutil.copymode(file, copy)
        return copy
    raise OSError(f"there are too many copies called {stem}")


def _replaced(file: Path, before: str, after: str) -> None:
    # Other servers' entries may hold their secrets: a new file is for its owner only.
    with in_place_of(file) as out:
        out.write(after.encode("utf-8"))
        on_disk(out)
        if file.exists():
            shutil.copymode(file, out.name)
        if text_of(file) != before:  # a client that runs writes its file too
            raise ConfigError(f"{file} was changed by another program just now; try again")
