"""Queues: messages in, messages out, the oldest first (rest-api 5.4). Taking a message removes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core.call import call, get_fields
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, carried_out, encoded, fields
from ivcap_client.exception import InvalidInput
from ivcap_client.urns import identifier, quoted


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """What the platform says about a queue; a list item lacks the numbers."""

    id: str
    name: str | None = None
    description: str | None = None
    account: str | None = None
    created_at: datetime | None = None
    total_messages: int | None = None
    bytes: int | None = None
    first_time: datetime | None = None
    last_time: datetime | None = None
    consumer_count: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came out of a queue.

    Attributes:
        id: The platform's name for it.
        content: What was put in.
        schema: URN of the schema the content follows, if one was named.
        content_type: Media type of the content.
    """

    id: str
    content: Any = None
    schema: str | None = None
    content_type: str | None = None


def queue_record(item: Fields) -> QueueRecord:
    return QueueRecord(
        id=item.need("id"),
        name=item.text("name"),
        description=item.text("description"),
        account=item.text("account"),
        created_at=item.when("created-at"),
        total_messages=item.whole("total-messages"),
        bytes=item.whole("bytes"),
        first_time=item.when("first-time"),
        last_time=item.when("last-time"),
        consumer_count=item.whole("consumer-count"),
        raw=item.raw,
    )


async def list_page(port: Port, asked: Listing, size: int, cursor: str | None) -> Page[QueueRecord]:
    return page(await get_fields(port, "/1/queues", "list queues", asked.query(size, cursor)), queue_record)


async def create(port: Port, name: str, description: str | None, policy: str | None) -> QueueRecord:
    what = "create queue"
    # What the platform's own store cannot have in a name.
    if not isinstance(name, str) or not name or any(letter in " \t\r\n.*>/\\" for letter in name):
        raise InvalidInput(f"could not {what}: {name!r} is empty or holds white space or one of . * > / \\")
    told = {"name": name}
    told |= {"description": description} if description else {}
    told |= {"policy": policy} if policy else {}
    headers = {"content-type": "application/json"}
    request = Request("POST", "/1/queues", headers=headers, body=encoded(told, what), what=what)
    return queue_record(fields(await call(port, request), what))


async def read(port: Port, queue: str) -> QueueRecord:
    what = "read queue"
    return queue_record(await get_fields(port, _path(queue, what), what))


async def delete(port: Port, queue: str) -> None:
    what = "delete queue"
    carried_out(await call(port, Request("DELETE", _path(queue, what), what=what, safe=True)), what)


async def put(port: Port, queue: str, content: Any, schema: str | None) -> str:
    """Put a message in; its id. Never repeated once it may have reached the platform."""
    what = "enqueue message"
    query = (("schema", schema),) if schema else ()
    headers = {"content-type": "application/json"}
    path = f"{_path(queue, what)}/messages"
    request = Request("POST", path, query, headers=headers, body=encoded(content, what), what=what)
    return fields(await call(port, request), what).need("id")


async def take(port: Port, queue: str, limit: int) -> tuple[Message, ...]:
    """Take messages out. Not repeated after a lost reply either: the messages in it are gone."""
    what = "dequeue messages"
    if limit < 1:
        raise InvalidInput(f"could not {what}: limit is a number from 1 on, {limit} was given")
    request = Request("GET", f"{_path(queue, what)}/messages", (("limit", str(limit)),), what=what)
    return tuple(
        Message(one.text("id") or "", one.any("content"), one.text("schema"), one.text("content-type"))
        for one in fields(await call(port, request), what).each("messages")
    )


def _path(queue: str, what: str) -> str:
    return f"/1/queues/{quoted(identifier(queue, what))}"
