"""Collections: named groups of anything with a URN."""

from __future__ import annotations

from datetime import datetime

import ivcap_client
from ivcap_client._core import collections
from ivcap_client._core.collections import CollectionItem, CollectionRecord
from ivcap_client._core.port import run
from ivcap_client._core.wire import Fields
from ivcap_client.handle import Handle
from ivcap_client.paging import Pager

__all__ = [
    "ARTIFACT_COLLECTION_SCHEMA",
    "COLLECTION_ITEM_SCHEMA",
    "COLLECTION_SCHEMA",
    "Collection",
    "CollectionItem",
    "CollectionRecord",
    "add_item_to_collection",
    "create_collection",
    "get_collection",
    "list_collection_items",
    "list_collections",
    "remove_item_from_collection",
    "retract_collection",
]

COLLECTION_SCHEMA = collections.DEFINITION
COLLECTION_ITEM_SCHEMA = collections.ITEM
ARTIFACT_COLLECTION_SCHEMA = collections.LIST
"""What the command line writes, and we read too."""


def _record(told: Fields) -> CollectionRecord:
    return CollectionRecord(
        id=told.text("urn") or told.need("id"),
        name=told.text("name"),
        description=told.text("description"),
        asserter=told.text("asserter"),
        valid_from=told.when("valid-from"),
        valid_to=told.when("valid-to"),
        raw=told.raw,
    )


class Collection(Handle[CollectionRecord]):
    """Handle of one collection.

    Examples:
        >>> survey = ivcap.create_collection("urn:example:collection:survey", "Survey 42")
        >>> _ = survey.add_item("urn:example:site:1")
        >>> [one.item for one in survey.items()]
        ['urn:example:site:1']
    """

    _read_record = staticmethod(_record)

    @property
    def name(self) -> str | None:
        """Its name; a collection of the command line's has none."""
        return self._record.name

    @property
    def description(self) -> str | None:
        """What it is about."""
        return self._record.description

    @property
    def asserter(self) -> str | None:
        """Who defined it."""
        return self._record.asserter

    @property
    def valid_from(self) -> datetime | None:
        """Since when it is defined as it is."""
        return self._record.valid_from

    @property
    def valid_to(self) -> datetime | None:
        """Until when it was; `None` while it is."""
        return self._record.valid_to

    def add_item(self, item_urn: str, *, policy: str | None = None) -> CollectionItem | None:
        """Put something in; `None`: it was there."""
        return run(collections.add(self._port, self.id, item_urn, policy))

    async def add_item_async(self, item_urn: str, *, policy: str | None = None) -> CollectionItem | None:
        """`add_item` for async code."""
        return await collections.add(self._async_port, self.id, item_urn, policy)

    def remove_item(self, item_urn: str) -> bool:
        """Take something out; `False`: it was not there."""
        return run(collections.remove(self._port, self.id, item_urn))

    async def remove_item_async(self, item_urn: str) -> bool:
        """`remove_item` for async code."""
        return await collections.remove(self._async_port, self.id, item_urn)

    def items(self, *, limit: int | None = 10, at_time: datetime | None = None) -> Pager[CollectionItem]:
        """What is in it, or was in it at a time; `limit=None` for all."""
        seen: set[str] = set()
        return Pager(
            (self._port, self._async_port),
            lambda port, size, at: collections.items_page(port, self.id, at_time, seen, size, at),
            lambda item: item,
            limit,
        )

    def retract(self) -> int:
        """Retract the definition and all that is in it; how many aspects that were. The items themselves stay."""
        return run(collections.retract(self._port, self.id))

    async def retract_async(self) -> int:
        """`retract` for async code."""
        return await collections.retract(self._async_port, self.id)

    def refresh(self) -> Collection:
        """Read its definition again."""
        self._record = run(collections.read(self._port, self.id))
        return self

    async def refresh_async(self) -> Collection:
        """`refresh` for async code."""
        self._record = await collections.read(self._async_port, self.id)
        return self


def create_collection(
    ivcap: ivcap_client.IVCAP, urn: str, name: str, *, description: str | None = None, policy: str | None = None
) -> Collection:
    """`ivcap.create_collection(…)`, under its documented place; so are the others below."""
    return ivcap.create_collection(urn, name, description=description, policy=policy)


def get_collection(ivcap: ivcap_client.IVCAP, urn: str, *, at_time: datetime | None = None) -> Collection:
    """`ivcap.get_collection(…)`."""
    return ivcap.get_collection(urn, at_time=at_time)


def list_collections(
    ivcap: ivcap_client.IVCAP,
    *,
    name_filter: str | None = None,
    limit: int | None = 10,
    at_time: datetime | None = None,
) -> Pager[Collection]:
    """`ivcap.list_collections(…)`."""
    return ivcap.list_collections(name_filter=name_filter, limit=limit, at_time=at_time)


def list_collection_items(
    ivcap: ivcap_client.IVCAP, collection_urn: str, *, limit: int | None = 10, at_time: datetime | None = None
) -> Pager[CollectionItem]:
    """What is in a collection: `Collection.items` without a handle."""
    return Collection(ivcap, CollectionRecord(collection_urn)).items(limit=limit, at_time=at_time)


def add_item_to_collection(
    ivcap: ivcap_client.IVCAP, collection_urn: str, item_urn: str, *, policy: str | None = None
) -> CollectionItem | None:
    """`ivcap.add_to_collection(…)`."""
    return ivcap.add_to_collection(collection_urn, item_urn, policy=policy)


def remove_item_from_collection(ivcap: ivcap_client.IVCAP, collection_urn: str, item_urn: str) -> bool:
    """`ivcap.remove_from_collection(…)`."""
    return ivcap.remove_from_collection(collection_urn, item_urn)


def retract_collection(ivcap: ivcap_client.IVCAP, collection_urn: str) -> int:
    """`ivcap.retract_collection(…)`."""
    return ivcap.retract_collection(collection_urn)
