"""What else a platform keeps: secrets, queues, orders, packages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ivcap_client._core.pages import Listing
from ivcap_client._core.port import run
from ivcap_client._faces.face import Face
from ivcap_client.exception import InvalidInput
from ivcap_client.later import later
from ivcap_client.paging import Pager
from ivcap_client.urns import identifier

if TYPE_CHECKING:
    from ivcap_client import order, queue, secret
    from ivcap_client._core import orders, packages, queues, secrets
else:
    order = later("ivcap_client.order")
    queue = later("ivcap_client.queue")
    secret = later("ivcap_client.secret")
    orders = later("ivcap_client._core.orders")
    packages = later("ivcap_client._core.packages")
    queues = later("ivcap_client._core.queues")
    secrets = later("ivcap_client._core.secrets")


class Kept(Face):
    """The part of `IVCAP` for secrets, queues, orders and packages."""

    # Secrets

    def list_secrets(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[secret.Secret]:
        """Secrets by name, without values.

        Raises:
            InvalidInput: `order_by`, `order_desc` or `at_time` was given, which no platform can do for secrets.

        Examples:
            >>> _ = ivcap.set_secret("mail-key", "s3cret")
            >>> "mail-key" in [secret.secret_name for secret in ivcap.list_secrets(limit=None)]
            True
        """
        if order_by or order_desc or at_time is not None:
            raise InvalidInput(
                "list secrets: platforms list secrets as they are now, by name only: leave the order out"
            )
        return self._pager(lambda port, size, at: secrets.list_page(port, filter, size, at), self._secret, limit)

    def get_secret(self, secret_name: str, *, secret_type: str | None = None) -> secret.Secret:
        """A secret by its name, with a hash of its value.

        Raises:
            ResourceNotFound: There is none.

        Examples:
            >>> before = ivcap.set_secret("map-key", "s3cret").secret_value
            >>> ivcap.get_secret("map-key").secret_value == before  # a hash of it
            True
        """
        return self._secret(run(secrets.read(self._port, secret_name, secret_type)))

    async def get_secret_async(self, secret_name: str, *, secret_type: str | None = None) -> secret.Secret:
        """`get_secret` for async code."""
        return self._secret(await secrets.read(self._async_port, secret_name, secret_type))

    def set_secret(
        self,
        secret_name: str,
        secret_value: str,
        *,
        expiry_time: int | datetime | None = None,
        secret_type: str | None = None,
    ) -> secret.Secret:
        """Keep a value under a name, for services to use; an older one is gone.

        Args:
            secret_name: Its name.
            secret_value: The value; it appears in no log and no error.
            expiry_time: When it ends to be: a moment, or seconds since 1970; by default never.
            secret_type: Its kind, where services ask for one.

        Examples:
            >>> from datetime import UTC, datetime
            >>> ivcap.set_secret("tide-key", "s3cret", expiry_time=datetime(2099, 1, 1, tzinfo=UTC)).expires_at.year
            2099
        """
        run(secrets.write(self._port, secret_name, secret_value, expiry_time, secret_type))
        return self._secret(secrets.SecretRecord(secret_name, kind=secret_type)).refresh()

    async def set_secret_async(
        self,
        secret_name: str,
        secret_value: str,
        *,
        expiry_time: int | datetime | None = None,
        secret_type: str | None = None,
    ) -> secret.Secret:
        """`set_secret` for async code."""
        await secrets.write(self._async_port, secret_name, secret_value, expiry_time, secret_type)
        return await self._secret(secrets.SecretRecord(secret_name, kind=secret_type)).refresh_async()

    # Queues

    def list_queues(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[queue.Queue]:
        """Queues, page by page as they are needed; `limit=None` for all.

        Examples:
            >>> _ = ivcap.create_queue("tides", description="High and low")
            >>> [queue.description for queue in ivcap.list_queues(filter="name = 'tides'")]
            ['High and low']
        """
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: queues.list_page(port, asked, size, at), self._queue, limit)

    def create_queue(self, name: str, *, description: str | None = None, policy: str | None = None) -> queue.Queue:
        """Make a queue.

        Args:
            name: Its name, without white space and `. * > / \\`.
            description: What it is for.
            policy: URN of the policy that governs who may use it.

        Raises:
            Conflict: There is one of this name.

        Examples:
            >>> ivcap.create_queue("floods", description="As they come").name
            'floods'
        """
        return self._queue(run(queues.create(self._port, name, description, policy)))

    async def create_queue_async(
        self, name: str, *, description: str | None = None, policy: str | None = None
    ) -> queue.Queue:
        """`create_queue` for async code."""
        return self._queue(await queues.create(self._async_port, name, description, policy))

    def get_queue(self, queue_id: str) -> queue.Queue:
        """A queue by its URN, with how much waits in it.

        Examples:
            >>> queue = ivcap.create_queue("storms")
            >>> ivcap.get_queue(queue.id).total_messages
            0
        """
        return self._queue(run(queues.read(self._port, queue_id)))

    async def get_queue_async(self, queue_id: str) -> queue.Queue:
        """`get_queue` for async code."""
        return self._queue(await queues.read(self._async_port, queue_id))

    def delete_queue(self, queue_id: str) -> None:
        """Delete a queue, with all that waits in it.

        Examples:
            >>> ivcap.delete_queue(ivcap.create_queue("short-lived").id)
        """
        run(queues.delete(self._port, queue_id))

    async def delete_queue_async(self, queue_id: str) -> None:
        """`delete_queue` for async code."""
        await queues.delete(self._async_port, queue_id)

    def enqueue_message(self, queue_id: str, message: Any, *, schema: str | None = None) -> str:
        """Put a message (any JSON) into a queue; the platform's id of it.

        Examples:
            >>> queue = ivcap.create_queue("frosts")
            >>> _ = ivcap.enqueue_message(queue.id, {"site": 42}, schema="urn:example:schema:frost.1")
            >>> queue.refresh().total_messages
            1
        """
        return run(queues.put(self._port, queue_id, message, schema))

    async def enqueue_message_async(self, queue_id: str, message: Any, *, schema: str | None = None) -> str:
        """`enqueue_message` for async code."""
        return await queues.put(self._async_port, queue_id, message, schema)

    def dequeue_messages(self, queue_id: str, limit: int = 1) -> tuple[queues.Message, ...]:
        """Take messages out of a queue, the oldest first; they are gone from it.

        Examples:
            >>> queue = ivcap.create_queue("winds")
            >>> _ = queue.enqueue({"site": 42})
            >>> [message.content for message in ivcap.dequeue_messages(queue.id, limit=10)]
            [{'site': 42}]
        """
        return run(queues.take(self._port, queue_id, limit))

    async def dequeue_messages_async(self, queue_id: str, limit: int = 1) -> tuple[queues.Message, ...]:
        """`dequeue_messages` for async code."""
        return await queues.take(self._async_port, queue_id, limit)

    # Orders

    def list_orders(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[order.Order]:
        """Orders, page by page as they are needed; `limit=None` for all. Deployments only.

        Examples:
            >>> from ivcap_client.exception import NotInLocalMode
            >>> try:
            ...     orders = list(ivcap.list_orders(limit=5))
            ... except NotInLocalMode:
            ...     print("deployments only")
            deployments only
        """
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: orders.list_page(port, asked, size, at), self._order, limit)

    def get_order(self, order_id: str) -> order.Order:
        """Handle of an order; nothing is asked until it is used.

        Examples:
            >>> ivcap.get_order("urn:ivcap:order:00000000-0000-0000-0000-000000000001").urn
            'urn:ivcap:order:00000000-0000-0000-0000-000000000001'
        """
        return self._order(orders.OrderRecord(identifier(order_id, "get order")))

    # Packages

    def list_packages(self, *, tag: str | None = None, limit: int | None = 10) -> Pager[str]:
        """Names of the container images a deployment holds; with `tag` those of it.

        Examples:
            >>> from ivcap_client.exception import NotInLocalMode
            >>> try:
            ...     images = list(ivcap.list_packages(tag="my-tool"))
            ... except NotInLocalMode:
            ...     print("deployments only")
            deployments only
        """
        return self._pager(lambda port, size, at: packages.list_page(port, tag, size, at), str, limit)

    def remove_package(self, tag: str) -> None:
        """Remove a container image.

        Examples:
            >>> from ivcap_client.exception import NotInLocalMode
            >>> try:
            ...     ivcap.remove_package("my-tool:old")
            ... except NotInLocalMode:
            ...     print("deployments only")
            deployments only
        """
        run(packages.remove(self._port, tag))

    async def remove_package_async(self, tag: str) -> None:
        """`remove_package` for async code."""
        await packages.remove(self._async_port, tag)

    def _secret(self, record: secrets.SecretRecord) -> secret.Secret:
        return secret.Secret(self._whole, record)

    def _queue(self, record: queues.QueueRecord) -> queue.Queue:
        return queue.Queue(self._whole, record)

    def _order(self, record: orders.OrderRecord) -> order.Order:
        return order.Order(self._whole, record)
