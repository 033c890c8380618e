"""Collections of artifacts: conventions over aspects, of which the public clients have two (rest-api 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ivcap_client import IVCAP

ITEM = "urn:ivcap:schema:collection-item.1"
"""One aspect per item, content `{collection, item}`: the Python client's."""
LIST = "urn:ivcap:schema:artifact-collection.1"
"""One aspect in all, content `{collection, artifacts: []}`: the command line's."""
MOST = 2_000


async def members(ivcap: IVCAP, collection: str, at: datetime | None = None) -> list[str]:
    """URNs in a collection by either convention, each once, the newest first; at most 2,000."""
    found: dict[str, None] = {}
    for schema in (ITEM, LIST):
        async for aspect in ivcap.list_aspects(entity=collection, schema=schema, at_time=at, limit=MOST):
            content = aspect.record.content
            if not isinstance(content, Mapping):
                continue
            listed = content.get("artifacts") if schema == LIST else [content.get("item")]
            found |= dict.fromkeys(one for one in listed or () if isinstance(one, str) and one.startswith("urn:"))
    return list(found)[:MOST]


async def add(ivcap: IVCAP, collection: str, artifact: str, policy: str | None = None) -> None:
    """Put an artifact into a collection, as the Python client does."""
    content = {"collection": collection, "item": artifact}
    await ivcap.add_aspect_async(collection, content, schema=ITEM, policy=policy)
