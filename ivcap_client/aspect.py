"""An aspect: a JSON statement about an entity under a schema, valid from assertion until retraction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ivcap_client._core import aspects
from ivcap_client._core.aspects import AspectRecord
from ivcap_client._core.port import run
from ivcap_client.handle import Handle

__all__ = ["Aspect", "AspectRecord", "LocalAspect"]


class Aspect(Handle[AspectRecord]):
    """Handle of one aspect. Aspects never change: what looks like a change is a new one that replaces the old."""

    _read_record = staticmethod(aspects.aspect_record)

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

    def retract(self) -> Aspect:
        """Close it: it no longer holds from now on, and stays readable."""
        run(aspects.retract(self._port, self.id))
        return self.refresh()

    async def retract_async(self) -> Aspect:
        """`retract` for async code."""
        await aspects.retract(self._async_port, self.id)
        return await self.refresh_async()


class LocalAspect(Aspect):
    """An aspect kept in a local directory."""
