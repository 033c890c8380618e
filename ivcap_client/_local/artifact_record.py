"""What is known of an artifact: its record, in memory and on disk, and what the platform states about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from . import times
from .aspect_rows import AspectRow, derived
from .identity import ACCOUNT, SCHEMA_ARTIFACT, SCHEMA_PRODUCED, derived_uuid, urn
from .mirror import Record

_UP = re.compile(r"(?:^|[\\/])\.\.(?:[\\/]|$)")

MOST_VERSIONS = 100
"""Edits of one artifact's file that are told apart."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a file held from a moment on (microseconds since 1970)."""

    since: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LocalArtifact:
    """One artifact as its record says.

    Attributes:
        id: UUID.
        name: What it was called when it was created; not a path.
        status: `pending` (no byte yet), `partial`, `ready`, or `error` (its file is gone).
        size: Bytes, when ready; before that the announced size, if any.
        mime_type: Media type, or `None` when nobody said.
        sha256: Lower-case hex, when ready.
        path: File below the base directory, with `/`, when ready.
        stamp: Time stamp of the file in nanoseconds when the hash was taken.
        policy, collection: URNs.
        job: URN of the job that made it.
        created_at, modified_at: Microseconds since 1970.
        length: Announced size in bytes, or `None` when not known (yet).
        deferred: The sender promised to tell the length later.
        open_ended: Ready, but of unannounced length: more may follow.
        earlier: What its file held before it was edited, oldest first.
    """

    id: str
    name: str
    status: str
    size: int | None
    mime_type: str | None
    sha256: str | None
    path: str | None
    stamp: int | None
    policy: str
    collection: str | None
    job: str | None
    created_at: int
    modified_at: int
    length: int | None
    deferred: bool
    open_ended: bool
    earlier: tuple[Version, ...] = ()

    @property
    def urn(self) -> str:
        return urn("artifact", self.id)


def edited(artifact: LocalArtifact, size: int, sha256: str, stamp: int) -> LocalArtifact:
    """A ready artifact whose file somebody wrote to: what it held until then is kept as an earlier version."""
    if sha256 == artifact.sha256 or artifact.sha256 is None or artifact.size is None:
        return replace(artifact, size=size, sha256=sha256, stamp=stamp)
    before = Version(artifact.modified_at, artifact.size, artifact.sha256)
    earlier = (*artifact.earlier, before) if len(artifact.earlier) < MOST_VERSIONS else artifact.earlier
    # A file may be given any time, but it held the new bytes after it held the old ones.
    at = max(stamp // 1000, artifact.modified_at + 1)
    return replace(artifact, size=size, sha256=sha256, stamp=stamp, modified_at=at, earlier=earlier)


def facts(artifact: LocalArtifact) -> list[AspectRow]:
    """What the platform states about a complete artifact: what it holds and held, and which job made it."""
    if artifact.status != "ready":
        return []
    now = Version(artifact.modified_at, artifact.size or 0, artifact.sha256 or "")
    versions = (*artifact.earlier, now)
    facts = [
        _stated(artifact, one, number, None if one is now else versions[number + 1].since)
        for number, one in enumerate(versions)
    ]
    if artifact.job:
        made = {"$schema": SCHEMA_PRODUCED, "job": artifact.job, "artifact": artifact.urn, "name": artifact.name}
        facts.append(
            derived(
                derived_uuid(artifact.urn, "produced"),
                artifact.job,
                SCHEMA_PRODUCED,
                made,
                valid_from=versions[0].since,
                valid_to=None,
                origin=f"artifact:{artifact.id}",
                policy=artifact.policy,
            )
        )
    return facts


def _stated(artifact: LocalArtifact, version: Version, number: int, until: int | None) -> AspectRow:
    content: dict[str, Any] = {
        "$schema": SCHEMA_ARTIFACT,
        "id": artifact.urn,
        "name": artifact.name,
        "mime-type": artifact.mime_type,
        "size": version.size,
        "etag": version.sha256 or None,
        "created-at": times.rfc3339(artifact.created_at),
        "policy": artifact.policy,
        "collection": artifact.collection,
        "job-id": artifact.job,
    }
    return derived(
        derived_uuid(artifact.urn, f"artifact/{number}" if number else "artifact"),
        artifact.urn,
        SCHEMA_ARTIFACT,
        {key: value for key, value in content.items() if value is not None},
        valid_from=version.since,
        valid_to=until,
        origin=f"artifact:{artifact.id}",
        policy=artifact.policy,
    )


def record_of(artifact: LocalArtifact) -> Record:
    record: Record = {
        "id": artifact.urn,
        "name": artifact.name,
        "status": "ready" if artifact.status == "ready" else "pending",
        "size": artifact.size,
        "mime_type": artifact.mime_type,
        "sha256": artifact.sha256,
        "path": artifact.path,
        "stamp": artifact.stamp,
        "policy": artifact.policy,
        "account": ACCOUNT,
        "collection": artifact.collection,
        "job": artifact.job,
        "created_at": times.rfc3339(artifact.created_at),
        "modified_at": times.rfc3339(artifact.modified_at),
        "length": artifact.length,
        "deferred": artifact.deferred,
        "open_ended": artifact.open_ended,
    }
    if artifact.earlier:
        record["earlier"] = [
            {"since": times.rfc3339(one.since), "size": one.size, "sha256": one.sha256} for one in artifact.earlier
        ]
    return record


def of_record(id: str, record: Record) -> LocalArtifact:
    """Read a record. Raises `ValueError` or `KeyError` when it is none of ours."""
    path = record["path"]
    if path is not None and (not str(path).startswith("artifacts/") or _UP.search(str(path))):
        raise ValueError(f"its 'path' {path!r} leaves the directory of artifacts")
    return LocalArtifact(
        id=id,
        name=str(record["name"]),
        status="ready" if record["status"] == "ready" else "pending",
        size=record["size"],
        mime_type=record["mime_type"],
        sha256=record["sha256"],
        path=path,
        stamp=record.get("stamp"),
        policy=str(record["policy"]),
        collection=record.get("collection"),
        job=record.get("job"),
        created_at=times.parse(record["created_at"]),
        modified_at=times.parse(record["modified_at"]),
        length=record.get("length"),
        deferred=bool(record.get("deferred")),
        open_ended=bool(record.get("open_ended")),
        earlier=tuple(
            Version(times.parse(one["since"]), int(one["size"]), str(one["sha256"]))
            for one in record.get("earlier") or ()
        ),
    )
