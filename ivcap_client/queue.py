"""Queues: messages from one program to another, by way of the platform."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ivcap_client._core import queues
from ivcap_client._core.port import run
from ivcap_client._core.queues import Message, QueueRecord
from ivcap_client.handle import Handle

__all__ = ["Message", "Queue", "QueueRecord"]


class Queue(Handle[QueueRecord]):
    """Handle of one queue.

    Examples:
        >>> queue = ivcap.create_queue("alerts")
        >>> _ = queue.enqueue({"site": 42})
        >>> [message.content for message in queue.dequeue(limit=5)]
        [{'site': 42}]
    """

    _read_record = staticmethod(queues.queue_record)

    @property
    def name(self) -> str | None:
        """Its name."""
        return self._record.name

    @property
    def description(self) -> str | None:
        """What it is for."""
        return self._record.description

    @property
    def account(self) -> str | None:
        """URN of the account it belongs to."""
        return self._record.account

    @property
    def created_at(self) -> datetime | None:
        """When it was made."""
        return self._record.created_at

    @property
    def total_messages(self) -> int | None:
        """Messages that waited when it was last read."""
        return self._record.total_messages

    @property
    def bytes(self) -> int | None:
        """Bytes of these messages."""
        return self._record.bytes

    @property
    def first_time(self) -> datetime | None:
        """When the oldest of them came."""
        return self._record.first_time

    @property
    def last_time(self) -> datetime | None:
        """When the newest of them came."""
        return self._record.last_time

    @property
    def consumer_count(self) -> int | None:
        """How many take messages from it."""
        return self._record.consumer_count

    def refresh(self) -> Queue:
        """Read it again."""
        self._record = run(queues.read(self._port, self.id))
        return self

    async def refresh_async(self) -> Queue:
        """`refresh` for async code."""
        self._record = await queues.read(self._async_port, self.id)
        return self

    def enqueue(self, message: Any, *, schema: str | None = None) -> str:
        """Put a message (any JSON) in; the platform's id of it. It is sent once: after a lost reply it may be there."""
        return run(queues.put(self._port, self.id, message, schema))

    async def enqueue_async(self, message: Any, *, schema: str | None = None) -> str:
        """`enqueue` for async code."""
        return await queues.put(self._async_port, self.id, message, schema)

    def dequeue(self, limit: int = 1) -> tuple[Message, ...]:
        """Take messages out, the oldest first; none if there are none. There is no way to give one back.

        An embedded platform gives fewer than `limit` at once where they are longer than 16 MiB together.
        """
        return run(queues.take(self._port, self.id, limit))

    async def dequeue_async(self, limit: int = 1) -> tuple[Message, ...]:
        """`dequeue` for async code."""
        return await queues.take(self._async_port, self.id, limit)

    def delete(self) -> None:
        """Delete it, with all that waits in it."""
        run(queues.delete(self._port, self.id))

    async def delete_async(self) -> None:
        """`delete` for async code."""
        await queues.delete(self._async_port, self.id)
