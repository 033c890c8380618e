"""Uploads that were begun: remembered by this user until they are complete, so that another process can go on.

A record names the artifact that was announced for a file. It counts only while the file is what it was (size, time of
change and inode), and only for the platform and the user it was begun with.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from ivcap_client._io.files import write_whole

log = logging.getLogger(__name__)

WORTHWHILE = 8 * 1024 * 1024
"""Smaller files go out in one request: there is nothing to go on with."""
_LIFETIME = 7 * 24 * 3600.0


def remember(place: Path, path: Path, artifact: str) -> None:
    """Record that `artifact` was announced for a file."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        told = {"artifact": artifact, "file": _state(path), "begun": time.time()}
        write_whole(place, json.dumps(told).encode(), mode=0o600)
    except OSError as error:
        log.debug("the upload of %s cannot be continued by another process: %s", path, error)


def remembered(place: Path, path: Path) -> str | None:
    """The artifact that was announced for a file as it is now, if any."""
    try:
        told: Any = json.loads(place.read_bytes())
        if told["file"] != _state(path) or time.time() - told["begun"] > _LIFETIME:
            return None
        return str(told["artifact"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(place: Path) -> None:
    """Remove a record, if there is one."""
    try:
        place.unlink(missing_ok=True)
    except OSError as error:
        log.debug("%s stays: %s", place, error)


def place_of(url: str, identity: str, path: Path, asked: object) -> Path:
    """Where the upload of a file to a platform, as a user and under a name, is recorded."""
    from ivcap_client._local.places import state_dir

    text = "\0".join([url, identity, os.path.abspath(path), repr(asked)])
    return state_dir() / "uploads" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _state(path: Path) -> list[int]:
    told = path.stat()
    return [told.st_size, told.st_mtime_ns, told.st_ino]
