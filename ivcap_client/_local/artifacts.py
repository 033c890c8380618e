"""Handlers of `/1/artifacts`: create, list, read (rest-api §3.2, §3.3). Their bytes are in `blobs`."""

from __future__ import annotations

import base64
import binascii
import json
import shutil
import unicodedata
from typing import TYPE_CHECKING, Any

from .._core.messages import Request, Response
from . import filters, times
from .artifact_record import LocalArtifact, of_record
from .asked import header, in_path, listing, page, present, reply
from .identity import ACCOUNT, urn, uuid_of
from .index import Connection
from .listing import Where, order_of, rows
from .reach_rules import find_artifact
from .refusals import invalid, no_room
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

MOST_NAME = 1024
SPARE = 128 * 1024
"""Bytes that must be free beside an artifact's own, for its record and the index."""

_STATUS = "CASE status WHEN 'pending' THEN so_far(id) ELSE status END"
"""Whether bytes of an unfinished upload have come is told by its file alone, so no crash can leave it untrue."""

FIELDS = {
    "id": "('urn:ivcap:artifact:' || id)",
    "name": "name",
    "status": _STATUS,
    "size": "size",
    "mime-type": "mime_type",
    "policy": "policy",
    "collection": "collection",
}
_ORDER = {
    "id": "id",
    "name": "coalesce(name, '')",
    "status": f"coalesce({_STATUS}, '')",
    "size": "coalesce(size, -1)",
    "mime_type": "coalesce(mime_type, '')",
    "policy": "coalesce(policy, '')",
    "collection": "coalesce(collection, '')",
    "created_at": "created_at",
}


@route("GET", "/1/artifacts")
def list_artifacts(platform: LocalPlatform, request: Request) -> Response:
    """List artifacts, the newest first unless told otherwise. Items have no `data-href` (rest-api §3.2)."""
    asked = listing("artifacts", "/1/artifacts", request, platform.store.now())
    where = Where()
    if asked.past:
        where = where.plus("created_at <= ?", asked.at)
    if platform.reach is not None:
        where = where.plus(
            "('urn:ivcap:artifact:' || id) IN (SELECT value FROM json_each(?))", platform.reach.entities()
        )
    condition = asked.condition(frozenset(FIELDS))
    if condition is not None:
        text, values = filters.sql(condition, FIELDS)
        where = where.plus(text, *values)
    order = order_of(
        asked.query.get("order-by"), _ORDER, "created_at", "id", descending=asked.descending(), other=lambda name: None
    )

    def work(connection: Connection) -> list[tuple[Any, ...]]:
        connection.create_function("so_far", 1, platform.store.artifacts.so_far)
        return list(
            rows(connection, [("artifacts", where)], ["id", "record"], order, asked.after, most=asked.limit + 1)
        )

    found = platform.store.artifacts.read(work) if len(asked.after) in (0, len(order.keys)) else []
    more = found[asked.limit - 1][1] if len(found) > asked.limit else None
    store, base = platform.store.artifacts, platform.base(request)
    items = [_item(store.seen(of_record(row[0], json.loads(row[1]))), base) for row, _ in found[: asked.limit]]
    return page(asked, base, [json.dumps(item) for item in items], more)


@route("POST", "/1/artifacts")
def create_artifact(platform: LocalPlatform, request: Request) -> Response:
    """Create an artifact from headers; its bytes follow on `data-href`."""
    length = _length(request)
    policy, collection = header(request, "x-policy"), header(request, "x-collection")
    if policy and not policy.startswith("urn:ivcap:policy:"):
        raise invalid("X-Policy", "a policy URN is expected", policy)
    if collection and not collection.startswith("urn:"):
        raise invalid("X-Collection", "a URN is expected", collection)
    _room_for(platform, length or 0)
    artifact = platform.store.artifacts.create(
        name=_name(header(request, "x-name") or ""),
        mime_type=_type(header(request, "x-content-type")),
        length=length,
        deferred=header(request, "upload-defer-length") == "1",
        policy=policy or None,
        collection=collection or None,
        job=_job(header(request, "ivcap-job-id")),
    )
    if platform.reach is not None:
        platform.reach.made(artifact.urn)
    headers = {
        "location": f"{platform.base(request)}/1/artifacts/{artifact.urn}",
        "tus-resumable": "1.0.0",
        "upload-offset": "0",
    }
    return reply(201, _whole(artifact, platform.base(request)), headers)


@route("GET", "/1/artifacts/{id}")
def read_artifact(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Read one artifact, by URN, UUID or `urn:file://<absolute path>`."""
    artifact = find_artifact(platform, id)
    return reply(200, _whole(platform.store.artifacts.checked(artifact), platform.base(request)))


def _item(artifact: LocalArtifact, base: str) -> dict[str, object]:
    return present(
        id=artifact.urn,
        href=f"{base}/1/artifacts/{artifact.urn}",
        status=artifact.status,
        name=artifact.name or None,
        size=artifact.size,
        mime_type=artifact.mime_type,
        created_at=times.rfc3339(artifact.created_at),
        collection=artifact.collection,
    )


def _whole(artifact: LocalArtifact, base: str) -> dict[str, object]:
    href = f"{base}/1/artifacts/{artifact.urn}"
    return present(
        id=artifact.urn,
        status=artifact.status,
        name=artifact.name or None,
        size=artifact.size,
        mime_type=artifact.mime_type,
        created_at=times.rfc3339(artifact.created_at),
        last_modified_at=times.rfc3339(artifact.modified_at),
        # The public client keeps only the path of this, so it must be enough (rest-api §3.3).
        data_href=f"{base}/1/artifacts/{in_path(artifact.id)}/blob",
        etag=artifact.sha256,
        policy=artifact.policy,
        account=ACCOUNT,
        collection=artifact.collection,
        job_id=artifact.job,
        links=[{"rel": "self", "type": "application/json", "href": href}],
    )


def _room_for(platform: LocalPlatform, length: int) -> None:
    """Refuse what cannot fit before any of it is stored: half an artifact would take the room that is missing."""
    where = next(path for path in (platform.base_dir, *platform.base_dir.parents) if path.exists())
    free = shutil.disk_usage(where).free
    if length + SPARE > free:
        raise no_room(f"no space left in {platform.base_dir}: {length} bytes are to be stored, {free} are free")


def _name(text: str) -> str:
    """Decode `X-Name`: base64 of UTF-8, or, where that fails, the text itself."""
    name = text
    try:
        name = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        # A header's bytes were read as Latin-1; those who send names raw mean UTF-8.
        try:
            name = text.encode("latin-1").decode()
        except ValueError:
            name = text
    # It is shown to people and models, so characters that are not seen have no place in it.
    seen = "".join(char for char in name if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    return seen[:MOST_NAME]


def _type(text: str | None) -> str | None:
    if not text:
        return None
    if len(text) > 255 or not text.isprintable() or not text.isascii():
        raise invalid("X-Content-Type", "a media type such as text/csv is expected", text)
    return text.strip()


def _length(request: Request) -> int | None:
    """Return the announced size; -1, or nothing, means that it is not known."""
    for name in ("x-content-length", "upload-length"):
        text = header(request, name)
        if not text:
            continue
        try:
            length = int(text)
        except ValueError as problem:
            raise invalid(name, "a number of bytes is expected", text) from problem
        if length < -1:
            raise invalid(name, "a number of bytes, or -1 for unknown, is expected", text)
        if length >= 0:
            return length
    return None


def _job(text: str | None) -> str | None:
    """Return the URN of the job that makes the artifact."""
    id = uuid_of(text, "job") if text else None
    return urn("job", id) if id else None
