"""Collections of artifacts, by either convention of the public clients, in as few requests as that takes."""

from __future__ import annotations

from datetime import datetime

from ivcap_client import IVCAP
from ivcap_client.collection import COLLECTION_ITEM_SCHEMA, list_collection_items

MOST = 2_000


async def members(ivcap: IVCAP, collection: str, at: datetime | None = None) -> list[str]:
    """URNs in a collection, each once, the newest first; at most 2,000."""
    items = list_collection_items(ivcap, collection, limit=MOST, at_time=at)
    return [one.item async for one in items if one.item.startswith("urn:")]


async def add(ivcap: IVCAP, collection: str, artifact: str, policy: str | None = None) -> None:
    """Put an artifact that was just made into a collection: nobody has to look whether it is there already."""
    content = {"collection": collection, "item": artifact}
    await ivcap.add_aspect_async(collection, content, schema=COLLECTION_ITEM_SCHEMA, policy=policy)
