"""Handlers of `/1/queues` (rest-api §5.4)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .._core.messages import Request, Response
from . import filters, reach_rules, times
from .asked import header, json_body, listing, ordered, page, parameters, present, reply, whole_body
from .identity import ACCOUNT
from .queue_store import Full, NameTaken, Queue
from .refusals import bad_request, conflict, invalid, missing
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

FIELDS = frozenset({"id", "name", "description"})
MOST_NAME = 256
MOST_TAKEN = 100
"""Messages handed out at once."""

MOST_MESSAGE = 1024 * 1024

_NAME = re.compile(r"[^\s.*>/\\\x00-\x1f]+\Z")


@route("GET", "/1/queues")
def list_queues(platform: LocalPlatform, request: Request) -> Response:
    """List queues, by name unless told otherwise."""
    asked = listing("queues", "/1/queues", request, platform.store.now())
    condition, base = asked.condition(FIELDS), platform.base(request)
    found = []
    for queue in platform.store.queues.all():
        record = {"id": queue.urn, "name": queue.name, "description": queue.description}
        if (asked.past and queue.created_at > asked.at) or not reach_rules.sees_queue(platform.reach, queue):
            continue
        if condition is None or filters.matches(condition, record):
            item = present(
                id=queue.urn,
                account=ACCOUNT,
                href=f"{base}/1/queues/{queue.urn}",
                name=queue.name,
                description=queue.description or None,
            )
            found.append(({**record, "created-at": queue.created_at}, queue.urn, item))
    shown, more = ordered(asked, found, ("name", "id", "description", "created-at"), "name")
    return page(asked, base, [json.dumps(item) for item in shown], more)


@route("POST", "/1/queues")
def create_queue(platform: LocalPlatform, request: Request) -> Response:
    """Make a queue: 201, or 409 where there is one of this name."""
    told = json_body(request)
    if not isinstance(told, dict):
        raise invalid("body", "an object with a name is expected")
    name, description, policy = (told.get(key) for key in ("name", "description", "policy"))
    if not isinstance(name, str) or len(name) > MOST_NAME or not _NAME.match(name):
        raise invalid("name", f"1 to {MOST_NAME} characters without spaces, '.', '*', '>', '/' and '\\' are expected")
    if description is not None and (not isinstance(description, str) or len(description) > 4096):
        raise invalid("description", "a text of at most 4096 characters is expected")
    if policy is not None and (not isinstance(policy, str) or not policy.startswith("urn:")):
        raise invalid("policy", "a URN is expected", str(policy))
    try:
        maker = ACCOUNT if platform.reach is None else platform.reach.service
        queue = platform.store.queues.create(name, description or "", policy, maker=maker)
    except NameTaken as problem:
        reach_rules.check_queue_name(platform.reach, problem.queue)
        raise conflict(problem.queue.urn, str(problem)) from problem
    except Full as problem:
        raise bad_request(str(problem)) from problem
    body = present(id=queue.urn, name=queue.name, description=queue.description or None, account=ACCOUNT)
    return reply(201, body, {"location": f"{platform.base(request)}/1/queues/{queue.urn}"})


@route("GET", "/1/queues/{id}")
def read_queue(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Say what a queue is and what waits in it."""
    queue = _find(platform, id)
    waiting = platform.store.queues.waiting(queue)
    body = present(
        id=queue.urn,
        name=queue.name,
        description=queue.description or None,
        created_at=times.rfc3339(queue.created_at),
        total_messages=waiting.messages,
        bytes=waiting.size,
        first_time=None if waiting.first is None else times.rfc3339(waiting.first),
        last_time=None if waiting.last is None else times.rfc3339(waiting.last),
        consumer_count=0,
    )
    return reply(200, body)


@route("DELETE", "/1/queues/{id}")
def delete_queue(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Remove a queue with what waits in it."""
    queue = _find(platform, id)
    reach_rules.check_queue_removal(platform.reach, queue)
    platform.store.queues.delete(queue)
    return Response(204)


@route("POST", "/1/queues/{id}/messages")
def put_message(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Put a message in."""
    queue = _find(platform, id)
    content = json_body(request, MOST_MESSAGE)
    reach_rules.check_request(platform, whole_body(request, MOST_MESSAGE))
    schema = parameters(request).get("schema") or None
    if schema is not None and (not schema.startswith("urn:") or len(schema) > 2048 or not schema.isprintable()):
        raise invalid("schema", "a URN is expected", schema)
    kind = (header(request, "content-type") or "application/json").partition(";")[0].strip().lower()
    kind = kind if kind.endswith("json") else "application/json"
    try:
        sender = None if platform.reach is None else platform.reach.service
        return reply(200, {"id": platform.store.queues.put(queue, content, schema, kind, sender=sender)})
    except Full as problem:
        raise bad_request(str(problem)) from problem
    except FileNotFoundError as problem:
        raise missing(queue.urn) from problem


@route("GET", "/1/queues/{id}/messages")
def take_messages(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Take messages out, the oldest first; nobody else gets them."""
    queue = _find(platform, id)
    text = parameters(request).get("limit") or "10"
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_TAKEN:
        raise invalid("limit", f"a number from 1 to {MOST_TAKEN} is expected", text)
    found = platform.store.queues.take(queue, int(text))
    reach_rules.learn_messages(platform.reach, queue, found)
    shown = [{key: value for key, value in message.items() if key != "sender"} for message in found]
    return reply(200, {"messages": shown, "at-time": times.rfc3339(platform.store.now())})


def _find(platform: LocalPlatform, id: str) -> Queue:
    queue = platform.store.queues.find(id)
    if queue is None or not reach_rules.sees_queue(platform.reach, queue):
        raise missing(id, f"there is no queue {id}", kind="queue")
    return queue
