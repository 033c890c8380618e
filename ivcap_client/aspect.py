"""An aspect: a JSON statement about an entity under a schema, valid from assertion until retraction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import ivcap_client
from ivcap_client._core import aspects
from ivcap_client._core.aspects import AspectRecord, Unread
from ivcap_client._core.port import run
from ivcap_client._core.wire import moment
from ivcap_client.handle import NOBODY, Handle
from ivcap_client.urns import identifier

__all__ = ["Aspect", "AspectRecord", "LocalAspect"]


class Aspect(Handle[AspectRecord]):
    """Handle of one aspect. Aspects never change: what looks like a change is a new one that replaces the old.

    Examples:
        >>> said = ivcap.add_aspect("urn:example:site:1", {"depth": 12}, schema="urn:example:schema:depth.1")
        >>> said.content["depth"], said.refresh().valid_to
        (12, None)
    """

    _read_record = staticmethod(aspects.aspect_record)
    _said: AspectRecord | Unread

    @property
    def _record(self) -> AspectRecord:
        """What was said last; that of a local list is decoded when somebody looks at it."""
        said = self._said
        if isinstance(said, Unread):
            said = self._said = said.read()
        return said

    @_record.setter
    def _record(self, record: AspectRecord | Unread) -> None:
        self._said = record

    @property
    def entity(self) -> str:
        """URN the statement is about."""
        return self._record.entity

    @property
    def schema(self) -> str:
        """URN of the schema the content follows."""
        return self._record.schema

    @property
    def content_type(self) -> str | None:
        """Media type of the content."""
        return self._record.content_type

    @property
    def valid_from(self) -> datetime | None:
        """When it was asserted; `None` right after `add_aspect`, until `refresh`."""
        return self._record.valid_from

    @property
    def valid_to(self) -> datetime | None:
        """When it was retracted or replaced; `None` while it holds."""
        return self._record.valid_to

    @property
    def asserter(self) -> str | None:
        """Who asserted it."""
        return self._record.asserter

    @property
    def retracter(self) -> str | None:
        """Who retracted it."""
        return self._record.retracter

    @property
    def replaces(self) -> str | None:
        """The aspect in whose place it came."""
        return self._record.replaces

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who sees it."""
        return self._record.policy

    @property
    def content(self) -> Any:
        """What is stated. Fetched first where the listing left it out: the documented contract has it so."""
        if self._record.content is None:
            self.refresh()
        return self._record.content

    @property
    def aspect(self) -> Any:
        """The same as `content`."""
        return self.content

    def refresh(self) -> Aspect:
        """Read it again."""
        self._record = run(aspects.read(self._port, self.id))
        return self

    async def refresh_async(self) -> Aspect:
        """`refresh` for async code."""
        self._record = await aspects.read(self._async_port, self.id)
        return self

    def history(self, *, limit: int = 100) -> list[Aspect]:
        """This aspect and those it replaced, one after the other, the newest first.

        Args:
            limit: How many at most; each costs a request.

        Examples:
            >>> _ = ivcap.update_aspect("urn:example:site:7", {"depth": 12}, schema="urn:example:schema:depth.1")
            >>> now = ivcap.update_aspect("urn:example:site:7", {"depth": 14}, schema="urn:example:schema:depth.1")
            >>> [one.content["depth"] for one in now.history()]
            [14, 12]
        """
        return [self._ivcap._aspect(one) for one in run(aspects.history(self._port, self.id, limit))]

    async def history_async(self, *, limit: int = 100) -> list[Aspect]:
        """`history` for async code."""
        return [self._ivcap._aspect(one) for one in await aspects.history(self._async_port, self.id, limit)]

    def retract(self) -> Aspect:
        """Close it: it no longer holds from now on, and stays readable."""
        run(aspects.retract(self._port, self.id))
        return self.refresh()

    async def retract_async(self) -> Aspect:
        """`retract` for async code."""
        await aspects.retract(self._async_port, self.id)
        return await self.refresh_async()


class LocalAspect(Aspect):
    """An aspect kept in a local directory.

    Args:
        id: Its URN.
        entity: URN the statement is about.
        schema: URN of the schema the content follows.
        content: What is stated.
        valid_from: When it was asserted.
        ivcap: The client; without one it can be read and nothing else.
        record: What the platform said, instead of all that.

    Examples:
        >>> from ivcap_client import LocalAspect
        >>> LocalAspect("urn:ivcap:aspect:1", "urn:example:site:7", "urn:example:schema:s.1", {"a": 1}).content
        {'a': 1}
    """

    def __init__(
        self,
        id: str = "",
        entity: str = "",
        schema: str = "",
        content: Any = None,
        *,
        valid_from: datetime | str | None = None,
        ivcap: ivcap_client.IVCAP | None = None,
        record: AspectRecord | Unread | None = None,
    ) -> None:
        if record is None:
            when = moment(valid_from) if isinstance(valid_from, str) else valid_from
            record = AspectRecord(identifier(id, "make an aspect"), entity, schema, content, valid_from=when)
        super().__init__(NOBODY if ivcap is None else ivcap, record)  # type: ignore[arg-type]  # read when looked at
