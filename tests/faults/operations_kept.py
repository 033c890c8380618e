"""Operations on what else a platform keeps: collections, secrets, queues; and what the local one has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ivcap_client import IVCAP
from tests.faults.operations import OPERATIONS, Scene, Work

ITEM = "urn:faults:item"


def collection(name: str) -> str:
    return f"urn:faults:collection:{name}"


def own_collection(direct: IVCAP, name: str) -> None:
    direct.create_collection(collection(name), name)
    direct.add_to_collection(collection(name), ITEM)


def own_queue(direct: IVCAP, name: str) -> None:
    queue = direct.create_queue(name)
    queue.enqueue({"n": 1})
    QUEUES[name] = queue.id


QUEUES: dict[str, str] = {}
PREPARED: dict[str, Callable[[IVCAP, str], None]] = {
    "IVCAP.remove_from_collection": own_collection,
    "IVCAP.retract_collection": own_collection,
    "IVCAP.delete_queue": own_queue,
    "IVCAP.dequeue_messages": own_queue,
}
"""What some operations need of their own before anything goes wrong."""


def prepare(direct: IVCAP) -> None:
    """What the others share."""
    own_collection(direct, "shared")
    own_queue(direct, "shared")
    direct.set_secret("shared", "value")


def operation(name: str) -> Callable[[Work], None]:
    def keep(work: Work) -> None:
        OPERATIONS[f"IVCAP.{name}"] = work

    return keep


def calling(name: str, *arguments: Callable[[Scene], Any], tell: Callable[[Any], Any] = lambda found: None) -> None:
    """An operation that is one call; `tell` says what of its outcome must be the same each time."""

    async def work(scene: Scene) -> Any:
        return tell(await scene.do(scene.ivcap, name, *(argument(scene) for argument in arguments)))

    OPERATIONS[f"IVCAP.{name}"] = work


def listing(name: str, tell: Callable[[Any], Any], **named: Any) -> None:
    async def work(scene: Scene) -> Any:
        return [tell(one) for one in await scene.all(getattr(scene.ivcap, name)(**named))]

    OPERATIONS[f"IVCAP.{name}"] = work


def of(value: Any) -> Callable[[Scene], Any]:
    return lambda scene: value


def own(scene: Scene) -> str:
    return collection(scene.name)


listing("list_collections", lambda one: one.name, name_filter="shared")
calling("get_collection", of(collection("shared")), tell=lambda found: found.name)
calling("create_collection", own, of("C"), tell=lambda found: found.name)
calling("add_to_collection", own, of(ITEM), tell=lambda found: found.item)
calling("remove_from_collection", own, of(ITEM), tell=bool)
calling("retract_collection", own, tell=lambda count: count > 0)
listing("list_secrets", lambda one: one.secret_name, filter="secret-name='shared'", limit=1)
calling("get_secret", of("shared"), tell=lambda found: found.secret_name)
calling("set_secret", of("other"), of("v"), tell=lambda found: found.secret_name)
listing("list_queues", lambda one: one.name, filter="name='shared'")
calling("create_queue", lambda scene: scene.name, tell=lambda found: found.name[:1])
calling("get_queue", lambda scene: QUEUES["shared"], tell=lambda found: found.name)
calling("delete_queue", lambda scene: QUEUES[scene.name])
calling("enqueue_message", lambda scene: QUEUES["shared"], of({"n": 1}), tell=bool)
calling("dequeue_messages", lambda scene: QUEUES[scene.name], tell=len)
listing("list_orders", lambda one: one.id)
listing("list_packages", str)
calling("remove_package", of("a:1"))


@operation("get_order")
async def get_order(scene: Scene) -> Any:
    order = scene.ivcap.get_order("urn:ivcap:order:00000000-0000-0000-0000-000000000001")
    return (await scene.do(order, "refresh")).id


COVERED = {
    "Collection.add_item": "IVCAP.add_to_collection",
    "Collection.items": "IVCAP.get_collection",
    "Collection.refresh": "IVCAP.get_collection",
    "Collection.remove_item": "IVCAP.remove_from_collection",
    "Collection.retract": "IVCAP.retract_collection",
    "Order.add_metadata": "Artifact.add_metadata",
    "Order.metadata": "IVCAP.list_aspects",
    "Order.parameters": "IVCAP.get_order",
    "Order.refresh": "IVCAP.get_order",
    "Order.status": "IVCAP.get_order",
    "Queue.delete": "IVCAP.delete_queue",
    "Queue.dequeue": "IVCAP.dequeue_messages",
    "Queue.enqueue": "IVCAP.enqueue_message",
    "Queue.refresh": "IVCAP.get_queue",
    "Secret.refresh": "IVCAP.get_secret",
    "Secret.secret_value": "IVCAP.get_secret",
}
"""Methods of handles that are these operations by another name."""
