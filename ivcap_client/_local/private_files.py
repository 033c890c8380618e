"""JSON files of this user alone, changed under a lock by several processes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ivcap_client._io.files import locked

from .approvals import write_private


def read(path: Path) -> dict[str, Any]:
    """Return the object a file holds; empty when there is none.

    Raises:
        OSError: It is there and cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as problem:
        raise OSError(f"{path} is damaged ({problem}); move it away") from problem
    if not isinstance(found, dict):
        raise OSError(f"{path} is damaged; move it away")
    return found


@contextlib.contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """Hand out what a file holds, and write it back when the block ends without an error; others wait meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(path.with_suffix(".lock"), "a") as lock, locked(lock.fileno()):
        found = read(path)
        yield found
        write_private(path, json.dumps(found).encode())
