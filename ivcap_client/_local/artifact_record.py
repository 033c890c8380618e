"""What is known of an artifact: its record, in memory and on disk, and what the platform states about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import times
from .aspect_rows import AspectRow, derived
from .identity import ACCOUNT, SCHEMA_ARTIFACT, SCHEMA_PRODUCED, derived_uuid, urn
from .mirror import Record


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

    @property
    def urn(self) -> str:
        return urn("artifact", self.id)


def facts(artifact: LocalArtifact) -> list[AspectRow]:
    """What the platform states about a complete artifact."""
    if artifact.status != "ready":
        return []
    origin = f"artifact:{artifact.id}"
    content: dict[str, Any] = {
        "$schema": SCHEMA_ARTIFACT,
        "id": artifact.urn,
        "name": artifact.name,
        "mime-type": artifact.mime_type,
        "size": artifact.size,
        "etag": artifact.sha256,
        "created-at": times.rfc3339(artifact.created_at),
        "policy": artifact.policy,
        "collection": artifact.collection,
        "job-id": artifact.job,
    }
    content = {key: value for key, value in content.items() if value is not None}
    facts = [
        derived(
            derived_uuid(artifact.urn, "artifact"),
            artifact.urn,
            SCHEMA_ARTIFACT,
            content,
            valid_from=artifact.modified_at,
            valid_to=None,
            origin=origin,
            policy=artifact.policy,
        )
    ]
    if artifact.job:
        made = {"$schema": SCHEMA_PRODUCED, "job": artifact.job, "artifact": artifact.urn, "name": artifact.name}
        facts.append(
            derived(
                derived_uuid(artifact.urn, "produced"),
                artifact.job,
                SCHEMA_PRODUCED,
                made,
                valid_from=artifact.modified_at,
                valid_to=None,
                origin=origin,
                policy=artifact.policy,
            )
        )
    return facts


def record_of(artifact: LocalArtifact) -> Record:
    return {
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


def of_record(id: str, record: Record) -> LocalArtifact:
    """Read a record. Raises `ValueError` or `KeyError` when it is none of ours."""
    path = record["path"]
    if path is not None and (not str(path).startswith("artifacts/") or ".." in Path(str(path)).parts):
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
    )
