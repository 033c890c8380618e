"""Artifacts: a record that says what it is, and a file of its own in `artifacts/` once all bytes are there."""

from __future__ import annotations

import json
import mimetypes
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._core.messages import Source
from .._io.files import NO_LINK, locked, place, sha256, sync_directory
from . import file_urns
from .artifact_record import LocalArtifact, edited, facts, of_record, record_of
from .aspect_rows import with_head
from .identity import POLICY_ARTIFACT, SCHEMA_PRODUCED, new_uuid, uuid_of
from .index import Connection
from .mirror import Mirror, Record
from .names import candidates, safe_name
from .table_rows import TableRow, put_rows

__all__ = ["ANY_TYPE", "ArtifactStore", "LocalArtifact"]

if TYPE_CHECKING:
    from .store import Store
    from .uploads import Uploads

ANY_TYPE = "application/octet-stream"


class ArtifactStore:
    """The artifacts of one store: `.ivcap/artifacts/<uuid>.json` and the files in `artifacts/`."""

    def __init__(self, store: Store) -> None:
        from .uploads import Uploads

        self._store = store
        self.files = store.base_dir / "artifacts"
        self._folder = str(self.files)
        self.parts = store.hidden / "uploads"
        self.mirror = Mirror("artifact", store.hidden / "artifacts", store.temp, lambda: store.index, self)
        self.uploads: Uploads = Uploads(self)

    def create(
        self,
        *,
        name: str = "",
        mime_type: str | None = None,
        length: int | None = None,
        deferred: bool = False,
        policy: str | None = None,
        collection: str | None = None,
        job: str | None = None,
    ) -> LocalArtifact:
        """Record a new artifact; one of length 0 is ready at once.

        Args:
            name: Any text; the file gets a safe name made from it.
            mime_type: Media type of the bytes to come.
            length: Size in bytes, `None` when not known.
            deferred: The length will be told later, so bytes alone do not complete it.
            policy, collection, job: URNs.

        Raises:
            OSError: The directory cannot be written.
        """
        at = self._store.now()
        artifact = LocalArtifact(
            id=new_uuid(),
            name=name,
            status="pending",
            size=length,
            mime_type=mime_type,
            sha256=None,
            path=None,
            stamp=None,
            policy=policy or POLICY_ARTIFACT,
            collection=collection,
            job=job,
            created_at=at,
            modified_at=at,
            length=length,
            deferred=deferred,
            open_ended=False,
        )
        self._store.prepare()
        self.save(artifact)
        return self.uploads.complete(artifact.id) if length == 0 else artifact

    def add(self, data: bytes | Source, *, name: str, mime_type: str | None, job: str | None = None) -> LocalArtifact:
        """Store bytes as a complete artifact, in pieces of at most 1 MiB."""
        length = len(data) if isinstance(data, bytes) else None
        artifact = self.create(name=name, mime_type=mime_type, length=length, deferred=length is None, job=job)
        if artifact.status == "ready":
            return artifact
        self.uploads.append(artifact.id, 0, data)
        return self.uploads.complete(artifact.id)

    def find(self, artifact: str) -> LocalArtifact | None:
        """Return an artifact by URN, UUID or `urn:file://<absolute path>`, or `None`.

        A file that was put into `artifacts/` by hand becomes an artifact when it is first asked for by path.
        """
        if file_urns.is_one(artifact):
            return self._of_file(artifact)
        id = uuid_of(artifact, "artifact")
        found = None if id is None else self.record(id)
        return None if found is None else self.seen(found)

    def record(self, id: str) -> LocalArtifact | None:
        """Return what the record of a UUID says, without a look at its files."""
        if not self._store.present():
            return None

        def work(connection: Connection) -> str | None:
            row = connection.execute("SELECT record FROM artifacts WHERE id = ?", (id,)).fetchone()
            return row[0] if row else None

        text = self._store.index.read(work)
        if text is None:
            self.mirror.catch_up()
            text = self._store.index.read(work)
        return None if text is None else of_record(id, json.loads(text))

    def seen(self, artifact: LocalArtifact) -> LocalArtifact:
        """Return an artifact with what only its files can tell: bytes so far, or that the file is gone."""
        if artifact.status != "ready":
            return replace(artifact, status="partial") if self.uploads.offset(artifact.id) else artifact
        whole = (artifact.path is not None and self._plain(artifact.path)) or self.data(artifact)
        return artifact if whole else replace(artifact, status="error")

    def data(self, artifact: LocalArtifact) -> Path | None:
        """Return the file with the bytes of a ready artifact, or `None` if it is gone."""
        if artifact.path is None:
            return None
        if (plain := self._plain(artifact.path)) is not None:
            return Path(plain)
        path = self._store.base_dir / artifact.path
        if not self._inside(path):
            return None
        if path.is_file():
            return path
        part = self.part(artifact.id)
        if not part.exists():
            return path if path.is_file() else None
        try:
            # Between the record and the move the last writer died, or is at work this very moment.
            finished = self.uploads.complete(artifact.id, begun=True)
        except OSError:
            return part if part.exists() else None
        return self._store.base_dir / finished.path if finished.path else None

    def place_of(self, id: str) -> Path | None:
        """Return where the bytes of a ready artifact lie, without reading its record where the index knows enough."""
        rows = self.read(lambda c: c.execute("SELECT path FROM artifacts WHERE id = ?", (id,)).fetchall())
        if rows and rows[0][0] and (plain := self._plain(rows[0][0])) is not None:
            return Path(plain)
        found = self.record(id)
        return None if found is None else self.data(found)

    def _plain(self, relative: str) -> str | None:
        """The path of a plain file in the directory itself: nearly every one, and told by one look each."""
        folder, _, name = relative.rpartition("/")
        text = f"{self._folder}{os.sep}{name}"
        return text if folder == "artifacts" and _plain_file(text) else None

    def _inside(self, path: Path) -> bool:
        """Whether a file's name leads nowhere else: a link in a directory that came from others may."""
        if path.parent == self.files and not path.is_symlink():
            return True
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.files))

    def checked(self, artifact: LocalArtifact) -> LocalArtifact:
        """Return a ready artifact whose size and hash are those of its file, hashing again if it was edited."""
        path = self.data(artifact)
        if path is None:
            return artifact
        found = path.stat()
        if (found.st_mtime_ns, found.st_size) == (artifact.stamp, artifact.size):
            return artifact
        fresh = edited(artifact, found.st_size, sha256(path), found.st_mtime_ns)
        try:
            self.save(fresh)
        except OSError:
            return fresh  # a directory we may only read: hashed again next time
        return fresh

    def place(self, artifact: LocalArtifact, part: Path, digest: str) -> LocalArtifact:
        """Make a complete part visible under a free name; the record says where before it is there."""
        # One at a time: of two that choose a name at once, a killed one would be recorded under the other's file.
        handle = os.open(self._store.hidden / "names.lock", os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)
        try:
            with locked(handle):
                return self._placed(artifact, part, digest)
        finally:
            os.close(handle)

    def _placed(self, artifact: LocalArtifact, part: Path, digest: str) -> LocalArtifact:
        found = part.stat()
        fallback = artifact.id + (mimetypes.guess_extension(artifact.mime_type or "") or "")
        for name in candidates(safe_name(artifact.name, fallback)):
            target = self.files / name
            if os.path.lexists(target) or self._claimed(f"artifacts/{name}", artifact.id):
                continue
            ready = replace(
                artifact,
                status="ready",
                size=found.st_size,
                sha256=digest,
                path=f"artifacts/{name}",
                stamp=found.st_mtime_ns,
                modified_at=max(self._store.now(), artifact.created_at),
            )
            self.save(ready)
            try:
                place(part, target)
            except FileExistsError:
                continue
            sync_directory(self.files)
            return ready
        raise AssertionError("names never end")

    def _claimed(self, path: str, id: str) -> bool:
        """Whether another record says that its file is, or is about to be, at a path."""
        query = "SELECT 1 FROM artifacts WHERE path = ? AND id <> ? LIMIT 1"
        return bool(self.read(lambda c: c.execute(query, (path, id)).fetchall()))

    def part(self, id: str) -> Path:
        """Return where the bytes of an unfinished upload are."""
        return self.parts / f"{id}.part"

    def save(self, artifact: LocalArtifact) -> None:
        """Write a record."""
        self.mirror.put(artifact.id, record_of(artifact))

    def read(self, work: Callable[[Connection], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        """Run a query over the rows after noticing records changed by hand."""
        if not self._store.present():
            return []
        self.mirror.catch_up()
        return self._store.index.read(work)

    def made_by(self, job: str) -> tuple[str, ...]:
        """Return the URNs of the complete artifacts that a job made, oldest first."""
        rows = self.read(
            lambda c: c.execute(
                "SELECT json_extract(content, '$.artifact') FROM aspects WHERE entity = ? AND schema = ?"
                " AND valid_to IS NULL AND origin LIKE 'artifact:%' ORDER BY valid_from, id",
                (job, SCHEMA_PRODUCED),
            ).fetchall()
        )
        return tuple(row[0] for row in rows)

    def so_far(self, id: str) -> str:
        """Return the status of an upload that has not ended: `partial` once a byte is here."""
        return "partial" if self.uploads.offset(id) else "pending"

    def apply(self, connection: Connection, id: str, record: Record) -> None:
        """Replace the rows of one record: the artifact's own, and what the platform states about it."""
        rows = self.rows(id, record)
        connection.execute("DELETE FROM aspects WHERE origin = ?", (f"artifact:{id}",))
        put_rows(connection, rows)

    def rows(self, id: str, record: Record) -> list[TableRow]:
        """The rows of one record."""
        artifact = of_record(id, record)
        own = (
            id,
            artifact.name,
            artifact.status,
            artifact.size,
            artifact.mime_type,
            artifact.policy,
            artifact.collection,
            artifact.path,
            artifact.created_at,
            json.dumps(record),
        )
        return [("artifacts", own), *(("aspects", with_head(row)) for row in facts(artifact))]

    def loaded(self, connection: Connection) -> None:
        """No record says anything of another."""

    def drop(self, connection: Connection, id: str) -> None:
        """Remove the rows of a record that is gone."""
        connection.execute("DELETE FROM artifacts WHERE id = ?", (id,))
        connection.execute("DELETE FROM aspects WHERE origin = ?", (f"artifact:{id}",))

    def _of_file(self, text: str) -> LocalArtifact | None:
        found = file_urns.meant(text, self.files)
        if found is None:
            return None
        relative, path = found
        query = "SELECT id, record FROM artifacts WHERE path = ? LIMIT 1"
        rows = self.read(lambda c: c.execute(query, (relative,)).fetchall())
        if rows:
            return self.seen(of_record(rows[0][0], json.loads(rows[0][1])))
        return self._register(file_urns.artifact_of(path, relative))

    def _register(self, artifact: LocalArtifact) -> LocalArtifact:
        try:
            self._store.prepare()
            self.save(artifact)
        except OSError:
            return artifact
        return artifact


def _plain_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False  # gone, or a name that is none
