"""The directory of an embedded platform. Knows files and the index over them, and nothing of HTTP."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from . import filling, times
from .artifact_store import ArtifactStore
from .aspect_store import AspectStore
from .building import Progress, boot, transaction
from .index import Connection, Index
from .job_store import JobStore

if TYPE_CHECKING:
    from .queue_store import QueueStore

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "fuse.sshfs", "glusterfs"}

STALE = 24 * 3600.0
"""Seconds after which a temporary file must be one that a crash left behind."""

ROOM = 1024 * 1024
"""Bytes that must be free for an index to be begun beside the files; where they are not, it is made elsewhere."""

SHARED = 128 * 1024
"""Bytes that must be free for one that exists to be opened: its connections share memory through a file."""


class Store:
    """One base directory: its aspects, artifacts and jobs.

    Nothing is created before the first write, so that looking into a directory that does not exist is just empty.
    Threads and processes may share a directory.
    """

    def __init__(self, base_dir: Path | str, *, now: times.Clock = times.now) -> None:
        self.base_dir = Path(os.path.abspath(Path(base_dir).expanduser()))
        self._folder = str(self.base_dir)
        self.now = now
        self.hidden = self.base_dir / ".ivcap"
        self.temp = self.hidden / "tmp"
        self._index: Index | None = None
        self._prepared = False
        self._lock = threading.Lock()
        self._scratch: Path | None = None
        self.aspects = AspectStore(self)
        self.artifacts = ArtifactStore(self)
        self.jobs = JobStore(self)

    @cached_property
    def queues(self) -> QueueStore:
        """The queues; they need no index."""
        from .queue_store import QueueStore

        return QueueStore(self.hidden / "queues", self.now)

    @property
    def index(self) -> Index:
        """The index; made on first use."""
        with self._lock:
            if self._index is None:
                self._index = Index(self._index_path(), self._fill, self._settle)
            return self._index

    @property
    def problems(self) -> list[str]:
        """Files that were skipped because they cannot be read, each with the reason."""
        if not self.present():
            return []
        self.aspects.mirror.catch_up()

        def work(connection: Connection) -> list[str]:
            rows = connection.execute("SELECT path, message FROM problems ORDER BY path")
            return [f"{path}: {message}" for path, message in rows]

        return self.index.read(work)

    def present(self) -> bool:
        """Whether there is anything to read."""
        return os.path.isdir(self._folder)

    def prepare(self) -> None:
        """Create the directories that a write needs.

        Raises:
            OSError: A directory cannot be created or written; `filename` names it.
        """
        if self._prepared and self.temp.is_dir():
            return
        self.base_dir.mkdir(parents=True, exist_ok=True)
        # Job inputs and results of others are nobody's business on a shared machine.
        self.hidden.mkdir(mode=0o700, exist_ok=True)
        for directory in (self.base_dir / "artifacts", self.base_dir / "aspects"):
            directory.mkdir(exist_ok=True)
        for name in ("artifacts", "uploads", "jobs", "logs", "tmp"):
            (self.hidden / name).mkdir(exist_ok=True)
        with self._lock:
            # An index made before there was a directory, or while it could not be written, lives elsewhere.
            if self._index is not None and not self._prepared and self._index.path != self._index_path():
                self._index.close()
                self._index = None
        self._prepared = True

    def close(self) -> None:
        """Close the index. The store can be used again; it then opens a new one."""
        with self._lock:
            index, self._index = self._index, None
        if index is not None:
            index.close()

    def _fill(self, connection: Connection, progress: Progress) -> None:
        mirrors = (self.artifacts.mirror, self.jobs.mirror, self.aspects.mirror)
        totals = [mirror.count() for mirror in mirrors]
        before = 0
        for mirror, total in zip(mirrors, totals, strict=True):
            filling.fill(mirror, connection, lambda done, before=before: progress(before + done, sum(totals)))  # type: ignore[misc]
            before += total
        transaction(connection, lambda c: c.execute("INSERT OR REPLACE INTO boots VALUES (?)", (boot(),)))
        self._sweep()

    def _settle(self, connection: Connection) -> None:
        # After a power cut the index may lack its last transactions although the directory looks unchanged.
        rebooted = connection.execute("SELECT 1 FROM boots WHERE id = ?", (boot(),)).fetchone() is None
        for mirror in (self.artifacts.mirror, self.jobs.mirror, self.aspects.mirror):
            mirror.settle(connection, rebooted=rebooted)
        if rebooted:
            connection.execute("DELETE FROM boots")
            connection.execute("INSERT OR REPLACE INTO boots VALUES (?)", (boot(),))
            self._sweep()

    def _sweep(self) -> None:
        """Remove temporary files that a crash left behind long ago."""
        try:
            entries = list(os.scandir(self.temp))
        except OSError:
            return
        for entry in entries:
            try:
                if time.time() - entry.stat().st_mtime > STALE:
                    os.unlink(entry.path)
            except OSError:
                continue  # somebody else removed it, or may not be ours to remove

    def _index_path(self) -> Path:
        if not self.base_dir.is_dir():
            return self._scratch_index()
        if not _on_network(self.base_dir):
            try:
                self.hidden.mkdir(mode=0o700, exist_ok=True)
            except OSError:
                pass
            else:
                path = self.hidden / "index.sqlite"
                has_room = shutil.disk_usage(self.hidden).free > (SHARED if path.exists() else ROOM)
                if has_room and os.access(self.hidden, os.W_OK | os.X_OK):
                    return path
        name = hashlib.sha256(str(self.base_dir.resolve()).encode()).hexdigest()[:32]
        try:
            cache = _cache_dir() / "index"
            cache.mkdir(parents=True, exist_ok=True)
            if os.access(cache, os.W_OK | os.X_OK):
                return cache / f"{name}.sqlite"
        except OSError:
            pass
        return self._scratch_index()

    def _scratch_index(self) -> Path:
        """Return an index for this process alone: there is no directory yet, or nowhere to keep one."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="ivcap-index-"))
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        return self._scratch / "index.sqlite"


def _cache_dir() -> Path:
    told = os.environ.get("IVCAP_CACHE_DIR")
    if told:
        return Path(told).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ivcap-mcp"))


def _on_network(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether a path lies on a file system on which SQLite's shared memory does not work across machines."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return False
    resolved = str(path.resolve())
    best, kind = "", ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind in _NETWORK
