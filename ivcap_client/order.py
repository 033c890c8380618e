"""Orders: what jobs were before there were jobs. Deployments that have them keep them readable."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ivcap_client._core import aspects, orders
from ivcap_client._core.orders import OrderParameter, OrderRecord
from ivcap_client._core.port import run
from ivcap_client.aspect import Aspect
from ivcap_client.handle import Handle
from ivcap_client.paging import Pager

__all__ = ["Order", "OrderParameter", "OrderRecord"]


class Order(Handle[OrderRecord]):
    """Handle of one order.

    Examples:
        >>> order = ivcap.get_order("urn:ivcap:order:00000000-0000-0000-0000-000000000001")
        >>> order.urn
        'urn:ivcap:order:00000000-0000-0000-0000-000000000001'
    """

    _read_record = staticmethod(orders.order_record)

    @property
    def name(self) -> str | None:
        """Its name."""
        return self._record.name

    @property
    def service(self) -> str | None:
        """URN of the service that was ordered."""
        return self._record.service

    @property
    def ordered_at(self) -> datetime | None:
        """When it was ordered."""
        return self._record.ordered_at

    @property
    def started_at(self) -> datetime | None:
        """When the service began."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return self._record.finished_at

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who sees it."""
        return self._record.policy

    @property
    def account(self) -> str | None:
        """URN of the account that ordered it."""
        return self._record.account

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags it carries."""
        return self._record.tags

    @property
    def parameters(self) -> dict[str, OrderParameter]:
        """What was given, by name with `_` for `-`. Fetched where a listing left it out."""
        if self._record.parameters is None:
            self.refresh()
        return _named(self._record)

    async def parameters_async(self) -> dict[str, OrderParameter]:
        """`parameters` for async code."""
        if self._record.parameters is None:
            await self.refresh_async()
        return _named(self._record)

    def status(self, refresh: bool = True) -> str:
        """Its state in the platform's words, looked up now unless `refresh` is off."""
        return self.refresh()._record.status if refresh else self._record.status

    async def status_async(self, refresh: bool = True) -> str:
        """`status` for async code."""
        return (await self.refresh_async())._record.status if refresh else self._record.status

    def metadata(self) -> Pager[Aspect]:
        """The aspects about it."""
        return self._ivcap.list_aspects(entity=self.id, limit=None)

    def add_metadata(self, aspect: dict[str, Any], schema: str | None = None) -> Order:
        """State something about it; returns the order."""
        run(aspects.add(self._port, self.id, aspect, schema=schema, policy=None))
        return self

    async def add_metadata_async(self, aspect: dict[str, Any], schema: str | None = None) -> Order:
        """`add_metadata` for async code."""
        await aspects.add(self._async_port, self.id, aspect, schema=schema, policy=None)
        return self

    def refresh(self) -> Order:
        """Read it again."""
        self._record = run(orders.read(self._port, self.id))
        return self

    async def refresh_async(self) -> Order:
        """`refresh` for async code."""
        self._record = await orders.read(self._async_port, self.id)
        return self


_PLATFORMS_OWN = ("cayp_order_id", "cayp_service_id")


def _named(record: OrderRecord) -> dict[str, OrderParameter]:
    named = {each.name.replace("-", "_"): each for each in record.parameters or ()}
    return {name: each for name, each in named.items() if name not in _PLATFORMS_OWN}
