"""Aspects: state, replace, find, close. Search over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ivcap_client._core import aspects
from ivcap_client._core.aspects import AspectQuery, AspectRecord, Unread
from ivcap_client._core.pages import Page
from ivcap_client._core.port import Port, run
from ivcap_client._faces.face import Face
from ivcap_client.aspect import Aspect
from ivcap_client.later import later
from ivcap_client.paging import Pager

if TYPE_CHECKING:
    from ivcap_client._core import search as searching
else:
    searching = later("ivcap_client._core.search")

Content = Mapping[str, Any]


class Aspects(Face):
    """The part of `IVCAP` that keeps statements."""

    def add_aspect(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """State something about `entity`; what was stated before stays.

        Examples:
            >>> said = ivcap.add_aspect("urn:example:site:2", {"depth": 12}, schema="urn:example:schema:depth.1")
            >>> said.content["depth"]
            12
        """
        return self._aspect(run(aspects.add(self._port, entity, aspect, schema=schema, policy=policy)))

    async def add_aspect_async(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """`add_aspect` for async code."""
        return self._aspect(await aspects.add(self._async_port, entity, aspect, schema=schema, policy=policy))

    def update_aspect(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """Replace what is stated about `entity` under this schema, or state it first.

        Examples:
            >>> for depth in (12, 14):
            ...     said = {"$schema": "urn:example:schema:depth.1", "depth": depth}
            ...     _ = ivcap.update_aspect("urn:example:site:3", said)
            >>> [one.content["depth"] for one in ivcap.list_aspects(entity="urn:example:site:3")]
            [14]
        """
        return self._aspect(run(aspects.update(self._port, entity, aspect, schema=schema, policy=policy)))

    async def update_aspect_async(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """`update_aspect` for async code."""
        return self._aspect(await aspects.update(self._async_port, entity, aspect, schema=schema, policy=policy))

    def list_aspects(
        self,
        *,
        entity: str | None = None,
        schema: str | None = None,
        content_path: str | None = None,
        at_time: datetime | None = None,
        limit: int | None = 10,
        filter: str | None = None,
        order_by: str | None = "valid_from",
        order_direction: str | None = "DESC",
        include_content: bool = True,
        cursor: str | None = None,
    ) -> Pager[Aspect]:
        """Aspects that hold (or held at `at_time`), page by page as they are needed; `limit=None` for all.

        Args:
            entity: URN they are about.
            schema: Their schema; may hold `%` wildcards.
            content_path: PostgreSQL JSONPath that the content must match.
            at_time: The list as it was then.
            limit: How many in all.
            filter: Expression in the platform's filter grammar.
            order_by: Field, or several with commas.
            order_direction: `ASC` or `DESC`.
            include_content: Whether the content comes along.
            cursor: Where an earlier listing stopped (`Pager.cursor`).

        Examples:
            >>> _ = ivcap.add_aspect("urn:example:site:4", {"depth": 40}, schema="urn:example:schema:depth.1")
            >>> deep = ivcap.list_aspects(schema="urn:example:schema:%", content_path="$.depth ? (@ > 30)")
            >>> [one.entity for one in deep]
            ['urn:example:site:4']
        """
        asked = AspectQuery(entity, schema, content_path, at_time, filter, order_by, order_direction, include_content)

        async def page(port: Port, size: int, at: str | None) -> Page[AspectRecord | Unread]:
            return await aspects.list_unread(port, asked, size, at)

        return self._pager(page, self._aspect, limit, cursor)

    def get_aspect(self, aspect_id: str) -> Aspect:
        """An aspect by its URN, also one that no longer holds.

        Examples:
            >>> said = ivcap.add_aspect("urn:example:site:5", {"depth": 1}, schema="urn:example:schema:depth.1")
            >>> ivcap.get_aspect(said.id).entity
            'urn:example:site:5'
        """
        return self._aspect(run(aspects.read(self._port, aspect_id)))

    async def get_aspect_async(self, aspect_id: str) -> Aspect:
        """`get_aspect` for async code."""
        return self._aspect(await aspects.read(self._async_port, aspect_id))

    def retract_aspect(self, aspect_id: str) -> None:
        """Close an aspect: it no longer holds from now on, and stays readable.

        Examples:
            >>> said = ivcap.add_aspect("urn:example:site:6", {"depth": 1}, schema="urn:example:schema:depth.1")
            >>> ivcap.retract_aspect(said.id)
            >>> list(ivcap.list_aspects(entity="urn:example:site:6"))
            []
        """
        run(aspects.retract(self._port, aspect_id))

    async def retract_aspect_async(self, aspect_id: str) -> None:
        """`retract_aspect` for async code."""
        await aspects.retract(self._async_port, aspect_id)

    def search(
        self, query: str, *, limit: int = 10, at_time: datetime | None = None, cursor: str | None = None
    ) -> searching.SearchResult:
        """Answers of a Datalog query over the datafabric; deployments only.

        Raises:
            NotInLocalMode: The local platform evaluates no Datalog.

        Examples:
            >>> from ivcap_client.exception import NotInLocalMode
            >>> try:
            ...     found = ivcap.search("deep(S) :- depth(S, D), D > 30.").items
            ... except NotInLocalMode as error:
            ...     print("list_aspects(content_path=…) does it here" if error.operation else "")
            list_aspects(content_path=…) does it here
        """
        return run(searching.search(self._port, query, limit=limit, at_time=at_time, cursor=cursor))

    async def search_async(
        self, query: str, *, limit: int = 10, at_time: datetime | None = None, cursor: str | None = None
    ) -> searching.SearchResult:
        """`search` for async code."""
        return await searching.search(self._async_port, query, limit=limit, at_time=at_time, cursor=cursor)

    def _aspect(self, record: AspectRecord | Unread) -> Aspect:
        return Aspect(self._whole, record)  # type: ignore[arg-type]  # read when looked at
