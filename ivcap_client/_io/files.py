"""Files that are either whole or not there: write, place without overwriting, read a range, hash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PIECE = 1024 * 1024
"""Bytes moved in one step, so that memory does not grow with the size of a file."""

# What file systems without hard links, or across a mount point, answer to link().
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EACCES}


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new one, never a part.

    Args:
        path: Where it goes; the directory must exist.
        data: All of the content.
        mode: Permission bits before the umask.

    Raises:
        OSError: The file system refused; nothing was changed.
    """
    temp = write_temp(path.parent, data, mode=mode)
    try:
        os.replace(temp, path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_temp(directory: Path, data: bytes, *, mode: int = 0o644) -> Path:
    """Write bytes under a name nobody else has, safely on disk, ready to be renamed.

    Returns:
        Path of the temporary file; the caller renames or removes it.
    """
    temp = directory / f".{secrets.token_hex(8)}.tmp"
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        try:
            write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return temp


NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""For opening what nobody but us makes: a link under its name is somebody's trick, and leads elsewhere."""


def read_own(path: Path) -> bytes:
    """Read a file that is no link.

    Raises:
        OSError: There is none (`FileNotFoundError`), it is a link, or it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | NO_LINK | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        return file.read()


def write_all(handle: int, data: bytes) -> None:
    """Write every byte; a short write (a nearly full disk) is continued until it succeeds or fails."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def sync_directory(directory: Path) -> None:
    """Make renames in a directory survive a power cut. Does nothing where directories cannot be opened (Windows)."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as refused:
        # Some network and user-space file systems cannot sync a directory; they order renames themselves.
        if refused.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def place(source: Path, target: Path) -> None:
    """Move a complete file to a name that must be free.

    Raises:
        FileExistsError: The name is taken; nothing was changed.
        OSError: The file system refused.
    """
    try:
        os.link(source, target)
    except OSError as refused:
        if isinstance(refused, FileExistsError) or refused.errno not in _NO_LINKS:
            raise
        _place_without_links(source, target)
        return
    source.unlink()


def _place_without_links(source: Path, target: Path) -> None:
    # Creating the name exclusively reserves it; the rename then swaps the whole file in.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    try:
        try:
            os.replace(source, target)
        except OSError as refused:
            if refused.errno != errno.EXDEV:
                raise
            near = target.parent / f".{secrets.token_hex(8)}.tmp"
            try:
                shutil.copyfile(source, near)
                with near.open("rb") as copied:
                    os.fsync(copied.fileno())
                os.replace(near, target)
            finally:
                near.unlink(missing_ok=True)
            source.unlink()
    except BaseException:
        if target.stat().st_size == 0 and source.exists():
            target.unlink()
        raise


def pieces(path: Path, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Read a range of a file in pieces of at most 1 MiB.

    Args:
        path: The file.
        start: First byte, counted from 0.
        length: Number of bytes; `None`: to the end.
    """
    left = length
    with path.open("rb") as file:
        file.seek(start)
        while left is None or left > 0:
            piece = file.read(PIECE if left is None else min(PIECE, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece


def sha256(path: Path, length: int | None = None) -> str:
    """Return the SHA-256 of a file, or of its first `length` bytes, as lower-case hex."""
    digest = hashlib.sha256()
    for piece in pieces(path, 0, length):
        digest.update(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(handle: int, patience: float | None = None) -> Iterator[None]:
    """Hold the only lock on an open file, against other threads that opened it themselves and other processes.

    Args:
        handle: The open file.
        patience: Seconds to wait for the lock; without it, until it is free. Hold such a lock only for moments.

    Raises:
        BlockingIOError: It was not free in time.
    """
    if patience is None and sys.platform != "win32":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
    else:
        # Windows has no endless wait either: its own gives up after ten seconds.
        until = math.inf if patience is None else time.monotonic() + patience
        while not try_lock(handle):
            if time.monotonic() >= until:
                raise BlockingIOError(errno.EWOULDBLOCK, "the lock was not free in time")
            time.sleep(LOCK_PAUSE)
    try:
        yield
    finally:
        unlock(handle)


LOCK_PAUSE = 0.02
# A byte far beyond any content, because Windows locks also keep others from reading what they cover.
_LOCKED_BYTE = 2**40

if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int, *, shared: bool = False) -> bool:
        """Lock an open file if that is possible at once; here a lock is never shared."""
        return _at_locked_byte(handle, msvcrt.LK_NBLCK)

    def unlock(handle: int) -> None:
        """Give the lock back; closing the file, or the end of the process, does as well."""
        _at_locked_byte(handle, msvcrt.LK_UNLCK)

    def _at_locked_byte(handle: int, how: int) -> bool:
        here = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, how, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, here, os.SEEK_SET)
        return True

else:

    def try_lock(handle: int, *, shared: bool = False) -> bool:
        """Lock an open file if that is possible at once, with others who share it if asked."""
        import fcntl

        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(handle: int) -> None:
        """Give the lock back; closing the file, or the end of the process, does as well."""
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)
