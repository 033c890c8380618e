"""Bytes on their way into an artifact: appended piece by piece, hashed while they pass, resumable after any loss."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .._core.messages import Source
from .._io.files import NO_LINK, PIECE, locked, pieces, read_own, write_all

if TYPE_CHECKING:
    from .artifact_record import LocalArtifact
    from .artifact_store import ArtifactStore

MOST_HASHES = 256
"""Running hashes kept in memory; a forgotten one is computed again from the file."""

SYNCED = 64 * 1024 * 1024
"""Bytes after which what has arrived is synced, so that the last request of a large upload need not wait for it all."""

_DAMAGED = "what had arrived was damaged by a power cut; start again at byte 0"


class WrongOffset(Exception):
    """Bytes were sent for a place that is not the end of what has arrived."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class TooLong(Exception):
    """More bytes were sent than announced; none of that request were kept."""


class SourceFailed(Exception):
    """The bytes to be stored could not be read; those read before are kept. The cause is `__cause__`."""


class Uploads:
    """Unfinished artifacts: `.ivcap/uploads/<uuid>.part` with the bytes, `<uuid>.hash` with a hash of some of them.

    The end of the part file is the offset. Each piece is written only if the file still ends where this writer left
    it, under the file's lock, so that an old connection that wakes up cannot damage what a new one has sent.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._hashes: dict[str, tuple[int, hashlib._Hash]] = {}
        self._lock = threading.Lock()

    def offset(self, id: str) -> int:
        """Return how many bytes have arrived for an unfinished artifact."""
        try:
            return self._artifacts.part(id).stat().st_size
        except FileNotFoundError:
            return 0

    def announce(self, id: str, *, length: int | None = None, deferred: bool = False) -> LocalArtifact:
        """Remember the length of an upload, or that it comes later.

        Raises:
            TooLong: More has arrived already.
        """
        artifact = self._known(id)
        if length is not None and length != artifact.length:
            have = artifact.size if artifact.status == "ready" else self.offset(id)
            if length < (have or 0):
                raise TooLong(f"the length was announced as {length} bytes, but {have} have arrived")
            artifact = replace(artifact, length=length, size=length, deferred=False)
            self._artifacts.save(artifact)
        elif deferred and not artifact.deferred and artifact.length is None:
            artifact = replace(artifact, deferred=True)
            self._artifacts.save(artifact)
        return artifact

    def append(self, id: str, offset: int, data: bytes | Source | None) -> int:
        """Store bytes at the end of an upload.

        Args:
            id: UUID of an artifact that is not ready.
            offset: Where the sender believes the end to be.
            data: The bytes; a source is read in pieces of at most 1 MiB until it ends.

        Returns:
            Bytes that have arrived in all.

        Raises:
            WrongOffset: The end is elsewhere, or moved while we wrote.
            TooLong: The announced length would be exceeded.
            SourceFailed: The source failed; what came before is kept.
            OSError: The disk failed or is full; what was written is kept.
        """
        artifact = self._known(id)
        part = self._artifacts.part(id)
        handle = os.open(part, os.O_RDWR | os.O_CREAT | NO_LINK | getattr(os, "O_BINARY", 0), 0o644)
        try:
            with locked(handle):
                end = os.fstat(handle).st_size
                if end != offset:
                    raise WrongOffset(f"{end} bytes have arrived, so the next one is not number {offset}", end)
                digest = self._take(id, end)
                if digest is None:
                    os.ftruncate(handle, 0)
                    raise WrongOffset(_DAMAGED, 0)
            at = offset
            try:
                for piece in _pieces(data):
                    with locked(handle):
                        at = self._write(handle, at, piece, artifact, offset)
                    digest.update(piece)
                    if at // SYNCED != (at - len(piece)) // SYNCED:
                        os.fsync(handle)
            finally:
                self._keep(id, at, digest, os.fstat(handle).st_size)
        finally:
            os.close(handle)
        return at

    def _write(self, handle: int, at: int, piece: bytes, artifact: LocalArtifact, start: int) -> int:
        found = os.fstat(handle)
        if found.st_size != at or found.st_nlink == 0:
            raise WrongOffset("another connection sends the same upload", found.st_size)
        if artifact.length is not None and at + len(piece) > artifact.length:
            os.ftruncate(handle, start)
            raise TooLong(f"{artifact.length} bytes were announced, more were sent")
        os.lseek(handle, at, os.SEEK_SET)
        write_all(handle, piece)
        return at + len(piece)

    def complete(self, id: str, *, open_ended: bool = False, begun: bool = False) -> LocalArtifact:
        """Make an upload an artifact that is ready; done twice, or after a crash half-way, it is the same.

        Args:
            id: UUID.
            open_ended: More bytes may follow, because nobody said how many there are.
            begun: Only if the record says ready already, that is, to finish what somebody else began.

        Raises:
            WrongOffset: What had arrived was damaged; the upload must start again.
            OSError: It cannot be moved into place; it can be completed later.
        """
        part = self._artifacts.part(id)
        handle = os.open(part, os.O_RDWR | os.O_CREAT | NO_LINK | getattr(os, "O_BINARY", 0), 0o644)
        try:
            with locked(handle):
                artifact = self._known(id)
                if begun and artifact.status != "ready":
                    return artifact
                final = self._artifacts.files.parent / artifact.path if artifact.path else None
                if final is not None and artifact.status == "ready" and final.exists():
                    # Somebody was faster, or died between linking and unlinking; our open may have made a new part.
                    if part.exists() and (os.path.samefile(part, final) or part.stat().st_size == 0):
                        part.unlink(missing_ok=True)
                        self._forget(id)
                        return artifact
                    if not part.exists():
                        return artifact
                os.fsync(handle)
                end = os.fstat(handle).st_size
                digest = self._take(id, end)
                if digest is None:
                    os.ftruncate(handle, 0)
                    raise WrongOffset(_DAMAGED, 0)
                if not begun:
                    artifact = replace(artifact, open_ended=open_ended)
                ready = self._artifacts.place(artifact, part, digest.hexdigest())
        finally:
            os.close(handle)
        self._forget(id)
        return ready

    def reopen(self, artifact: LocalArtifact) -> LocalArtifact:
        """Take a ready artifact of unannounced length back, because more bytes came."""
        path = self._artifacts.data(artifact)
        if path is None:
            raise WrongOffset("its file is gone, so nothing can be added to it", artifact.size or 0)
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            # Who finds the record still ready and the file moved wants to finish the move, and waits for this lock.
            with locked(handle):
                found = os.fstat(handle)
                if (found.st_mtime_ns, found.st_size) != (artifact.stamp, artifact.size):
                    raise WrongOffset("the file was changed since, so nothing can be added to it", artifact.size or 0)
                shutil.move(path, self._artifacts.part(artifact.id))
                again = replace(artifact, status="pending", size=None, sha256=None, path=None, stamp=None)
                self._artifacts.save(again)
        finally:
            os.close(handle)
        return again

    def close(self, artifact: LocalArtifact) -> None:
        """Remember that a ready artifact of unannounced length is whole."""
        self._artifacts.save(replace(artifact, open_ended=False, length=artifact.size))

    def _known(self, id: str) -> LocalArtifact:
        found = self._artifacts.record(id)
        if found is None:
            raise KeyError(id)
        return found

    def _take(self, id: str, end: int) -> hashlib._Hash | None:
        """Return the running hash of the first `end` bytes; `None` if they are not what was once received."""
        with self._lock:
            kept = self._hashes.pop(id, None)
        if kept is not None and kept[0] == end:
            return kept[1]
        digest = hashlib.sha256()
        mark, wanted = self._checkpoint(id)
        at = 0
        for piece in pieces(self._artifacts.part(id), 0, end):
            if at < mark <= at + len(piece):
                before = digest.copy()
                before.update(piece[: mark - at])
                if before.hexdigest() != wanted:
                    return None
            digest.update(piece)
            at += len(piece)
        return digest

    def _keep(self, id: str, at: int, digest: hashlib._Hash, end: int) -> None:
        if at != end:
            return  # a write broke off inside a piece: the hash lags behind the file and is made again when needed
        with self._lock:
            self._hashes[id] = (at, digest)
            while len(self._hashes) > MOST_HASHES:
                self._hashes.pop(next(iter(self._hashes)))
        # Only a check for after a power cut, so it is neither synced nor worth failing for on a full disk.
        with contextlib.suppress(OSError):
            self._artifacts.part(id).with_suffix(".hash").write_text(json.dumps([at, digest.hexdigest()]))

    def _checkpoint(self, id: str) -> tuple[int, str]:
        try:
            mark, wanted = json.loads(read_own(self._artifacts.part(id).with_suffix(".hash")))
            return int(mark), str(wanted)
        except (OSError, ValueError, TypeError):
            return -1, ""

    def _forget(self, id: str) -> None:
        with self._lock:
            self._hashes.pop(id, None)
        self._artifacts.part(id).with_suffix(".hash").unlink(missing_ok=True)


def _pieces(data: bytes | Source | None) -> Iterator[bytes]:
    if data is None:
        return
    if isinstance(data, bytes | bytearray | memoryview):
        view = memoryview(data)
        for at in range(0, len(view), PIECE):
            yield bytes(view[at : at + PIECE])
        return
    while True:
        try:
            piece = data.read(PIECE)
        except Exception as problem:
            raise SourceFailed(str(problem)) from problem
        if not piece:
            return
        yield piece
