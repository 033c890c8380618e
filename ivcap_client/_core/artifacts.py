"""Artifacts: blobs with a name and a type. Requests, and what the replies mean."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core.call import call, get_fields, open_body
from ivcap_client._core.messages import Body, Request
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, fields
from ivcap_client.exception import InvalidInput, ProtocolError
from ivcap_client.urns import identifier, is_urn, quoted


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """What the platform said about one artifact; list items have no `data_href`. `size` in bytes."""

    id: str
    status: str = "unknown"
    name: str | None = None
    size: int | None = None
    mime_type: str | None = None
    created_at: datetime | None = None
    last_modified_at: datetime | None = None
    etag: str | None = None
    data_href: str | None = None
    cache_of: str | None = None
    policy: str | None = None
    account: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


def artifact_record(item: Fields) -> ArtifactRecord:
    return ArtifactRecord(
        id=item.need("id"),
        status=(item.text("status") or "unknown").lower(),
        name=item.text("name"),
        size=item.whole("size"),
        mime_type=item.text("mime-type"),
        created_at=item.when("created-at"),
        last_modified_at=item.when("last-modified-at"),
        etag=item.text("etag") or None,
        data_href=item.text("data-href") or item.text("dataRef"),
        cache_of=item.text("cache-of"),
        policy=item.text("policy"),
        account=item.text("account"),
        raw=item.raw,
    )


async def list_page(port: Port, asked: Listing, size: int, cursor: str | None) -> Page[ArtifactRecord]:
    return page(await get_fields(port, "/1/artifacts", "list artifacts", asked.query(size, cursor)), artifact_record)


async def read(port: Port, artifact: str) -> ArtifactRecord:
    what = "read artifact"
    path = f"/1/artifacts/{quoted(identifier(artifact, what))}"
    return artifact_record(await get_fields(port, path, what))


async def create(
    port: Port,
    *,
    name: str | None,
    content_type: str,
    size: int,
    collection: str | None = None,
    policy: str | None = None,
) -> ArtifactRecord:
    """Announce an artifact; its bytes follow by tus to the record's `data_href`.

    Args:
        port: Way to the platform.
        name: Display name.
        content_type: Type of the bytes to come.
        size: Bytes to come; -1 if not known yet.
        collection: URN of a collection.
        policy: URN of a policy.
    """
    what = "create artifact"
    headers = {"x-content-type": content_type, "x-content-length": str(size), "tus-resumable": "1.0.0"}
    if name:
        headers["x-name"] = base64.b64encode(name.encode()).decode("ascii")
    if collection:
        if not is_urn(collection):
            raise InvalidInput(f"could not {what}: the collection must be a URN, {collection!r} was given")
        headers["x-collection"] = collection
    if policy:
        if not policy.startswith("urn:ivcap:policy:"):
            raise InvalidInput(f"could not {what}: the policy must start with urn:ivcap:policy:, {policy!r} was given")
        headers["x-policy"] = policy
    record = artifact_record(
        fields(await call(port, Request("POST", "/1/artifacts", headers=headers, what=what)), what)
    )
    if record.data_href is None and size != 0:
        raise ProtocolError(f"could not {what}: the reply has no data-href to send the bytes to")
    return record


async def data(
    port: Port, record: ArtifactRecord, *, first: int | None = None, last: int | None = None, if_range: str = ""
) -> Body:
    """The artifact's bytes, or the range from `first` to `last` (both counted from 0, both included).

    With `if_range`, a range comes only of bytes that still have this ETag; of others everything comes.

    A platform may ignore the range: then the status is 200, not 206, and everything comes.
    The link may lead to another origin only over https, and then neither token nor cookies go along.
    """
    what = "download artifact"
    if record.data_href is None:
        raise ProtocolError(f"could not {what}: {record.id} has no data-href (its status is {record.status})")
    # As they are: an encoded reply has another length than the artifact, and no ranges.
    headers = {"accept-encoding": "identity"}
    if first is not None:
        headers |= {"range": f"bytes={first}-{'' if last is None else last}"} | (
            {"if-range": if_range} if if_range else {}
        )
    return await open_body(port, Request("GET", record.data_href, headers=headers, what=what, safe=True, foreign=True))
