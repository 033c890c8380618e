"""Collections of anything with a URN."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ivcap_client._core.port import run
from ivcap_client._faces.face import Face
from ivcap_client.later import later
from ivcap_client.paging import Pager

if TYPE_CHECKING:
    from ivcap_client import collection
    from ivcap_client._core import collections
else:
    collection = later("ivcap_client.collection")
    collections = later("ivcap_client._core.collections")


class Collections(Face):
    """The part of `IVCAP` that groups things."""

    def create_collection(
        self, urn: str, name: str, *, description: str | None = None, policy: str | None = None
    ) -> collection.Collection:
        """Define a collection, or define it anew; what is in it stays.

        Args:
            urn: Its URN, of your own choosing.
            name: What to call it.
            description: What it is about; left out, a former one is gone.
            policy: URN of the policy that governs who sees it.

        Raises:
            MissingParameterValue: URN or name is empty.

        Examples:
            >>> ivcap.create_collection("urn:example:collection:reefs", "Reefs").name
            'Reefs'
        """
        return self._collection(run(collections.create(self._port, urn, name, description, policy)))

    async def create_collection_async(
        self, urn: str, name: str, *, description: str | None = None, policy: str | None = None
    ) -> collection.Collection:
        """`create_collection` for async code."""
        return self._collection(await collections.create(self._async_port, urn, name, description, policy))

    def get_collection(self, urn: str, *, at_time: datetime | None = None) -> collection.Collection:
        """A collection by its URN, as it is or was.

        Raises:
            ResourceNotFound: There is none, by either client's convention.

        Examples:
            >>> _ = ivcap.create_collection("urn:example:collection:caves", "Caves", description="Below ground")
            >>> ivcap.get_collection("urn:example:collection:caves").description
            'Below ground'
        """
        return self._collection(run(collections.read(self._port, urn, at_time)))

    async def get_collection_async(self, urn: str, *, at_time: datetime | None = None) -> collection.Collection:
        """`get_collection` for async code."""
        return self._collection(await collections.read(self._async_port, urn, at_time))

    def list_collections(
        self, *, name_filter: str | None = None, limit: int | None = 10, at_time: datetime | None = None
    ) -> Pager[collection.Collection]:
        """Collections, page by page as they are needed.

        Args:
            name_filter: A name, or a condition on it: `starts with "Reef"`, `like_regex "^r" flag "i"`.
            limit: How many in all; `None`: every one.
            at_time: The list as it was then.

        Examples:
            >>> _ = ivcap.create_collection("urn:example:collection:dunes", "Dunes")
            >>> [one.id for one in ivcap.list_collections(name_filter='starts with "Du"')]
            ['urn:example:collection:dunes']
        """
        seen: set[str] = set()
        return self._pager(
            lambda port, size, at: collections.list_page(port, name_filter, at_time, seen, size, at),
            self._collection,
            limit,
        )

    def add_to_collection(
        self, collection_urn: str, item_urn: str, *, policy: str | None = None
    ) -> collections.CollectionItem | None:
        """Put something into a collection; `None`: it was there.

        Examples:
            >>> lakes = ivcap.create_collection("urn:example:collection:lakes", "Lakes")
            >>> ivcap.add_to_collection(lakes.id, "urn:example:site:1").item
            'urn:example:site:1'
            >>> ivcap.add_to_collection(lakes.id, "urn:example:site:1") is None
            True
        """
        return run(collections.add(self._port, collection_urn, item_urn, policy))

    async def add_to_collection_async(
        self, collection_urn: str, item_urn: str, *, policy: str | None = None
    ) -> collections.CollectionItem | None:
        """`add_to_collection` for async code."""
        return await collections.add(self._async_port, collection_urn, item_urn, policy)

    def remove_from_collection(self, collection_urn: str, item_urn: str) -> bool:
        """Take something out of a collection; `False`: it was not there.

        Examples:
            >>> ponds = ivcap.create_collection("urn:example:collection:ponds", "Ponds")
            >>> _ = ponds.add_item("urn:example:site:1")
            >>> ivcap.remove_from_collection(ponds.id, "urn:example:site:1")
            True
        """
        return run(collections.remove(self._port, collection_urn, item_urn))

    async def remove_from_collection_async(self, collection_urn: str, item_urn: str) -> bool:
        """`remove_from_collection` for async code."""
        return await collections.remove(self._async_port, collection_urn, item_urn)

    def retract_collection(self, collection_urn: str) -> int:
        """Retract a collection and all that is in it; how many aspects that were. The items themselves stay.

        Raises:
            ResourceNotFound: There is no such collection.

        Examples:
            >>> rivers = ivcap.create_collection("urn:example:collection:rivers", "Rivers")
            >>> _ = rivers.add_item("urn:example:site:1")
            >>> ivcap.retract_collection(rivers.id)
            2
        """
        return run(collections.retract(self._port, collection_urn))

    async def retract_collection_async(self, collection_urn: str) -> int:
        """`retract_collection` for async code."""
        return await collections.retract(self._async_port, collection_urn)

    def _collection(self, record: collections.CollectionRecord) -> collection.Collection:
        return collection.Collection(self._whole, record)
