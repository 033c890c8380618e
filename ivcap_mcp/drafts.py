"""Files of ours that are replaced whole: a reader, or a crash, finds the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def in_place_of(file: Path) -> Iterator[BinaryIO]:
    """A draft beside a file, which takes its place when the block ends, and is gone if it fails.

    Only this user can read it, since most that is kept so is a secret, or may hold one.

    Raises:
        OSError: The file system refused; the old file is as it was.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with open(draft, "xb", opener=_own) as out:
            yield out
        os.replace(draft, file)
    finally:
        with contextlib.suppress(OSError):  # it has the file's name by now, or cannot be helped
            draft.unlink()


def on_disk(out: BinaryIO) -> None:
    """See that all that was written is there after a power cut too."""
    out.flush()
    os.fsync(out.fileno())


def _own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
