"""Secrets, queues, orders, packages, service definitions: the same on every way to a platform."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from ivcap_client import Order, Queue, Secret
from ivcap_client.exception import IvcapError
from tests.congruence.legs import Leg, Legs
from tests.core.scripted import Scripted, ok


def name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def test_secrets_are_kept_and_never_given_back(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        called, until = name("key"), datetime(2099, 1, 1, tzinfo=UTC)
        first = leg.do(leg.ivcap, "set_secret", called, "s3cret", expiry_time=until)
        again = leg.do(leg.ivcap, "set_secret", called, "other")
        (found,) = [one for one in leg.all(leg.ivcap.list_secrets(limit=None)) if one.secret_name == called]
        value = found.secret_value if leg.runner is None else leg.do(found, "secret_value")
        read = leg.do(leg.ivcap, "get_secret", called)
        assert "s3cret" not in repr(first.record) + first.secret_value
        assert (first.expires_at, first.expiry_time) == (until, int(until.timestamp()))
        return read == found, value == read.secret_value != first.secret_value, again.expires_at, again.secret_type

    assert legs.same(behaviour) == (True, True, None, None)


@pytest.mark.parametrize("how", [{"order_by": "x"}, {"order_desc": True}, {"at_time": datetime.now(UTC)}])
def test_a_listing_of_secrets_refuses_what_no_platform_can(legs: Legs, how: dict[str, Any]) -> None:
    assert legs.error(lambda leg: leg.ivcap.list_secrets(**how))[0] == "InvalidInput"


@pytest.mark.parametrize("given", [("", "v"), ("n", ""), ("n", 3)])
def test_a_secret_that_cannot_be_is_the_same_error(legs: Legs, given: tuple[Any, Any]) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, "set_secret", *given))[0] == "InvalidInput"


def test_a_secret_that_is_not_there_is_the_same_error(legs: Legs) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, "get_secret", "none"))[0] == "ResourceNotFound"


def test_messages_go_through_a_queue_in_order(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        queue: Queue = leg.do(leg.ivcap, "create_queue", name("queue"), description="d")
        for content in ({"n": 1}, {"n": 2}):
            leg.do(queue, "enqueue", content, schema="urn:example:schema:n")
        leg.do(leg.ivcap, "enqueue_message", queue.id, {"n": 3})
        waiting = leg.do(leg.ivcap, "get_queue", queue.id).total_messages
        first = leg.do(queue, "dequeue")
        rest = leg.do(leg.ivcap, "dequeue_messages", queue.id, limit=9)
        assert queue in leg.all(leg.ivcap.list_queues(limit=None))
        told = [(each.content, each.schema) for each in (*first, *rest)]
        empty = leg.do(queue, "dequeue", 5), leg.do(queue, "refresh").total_messages
        leg.do(queue, "delete")
        assert queue not in leg.all(leg.ivcap.list_queues(limit=None))
        return waiting, told, empty, queue.description

    waiting, told, empty, description = legs.same(behaviour)
    assert [content for content, _ in told] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert told[0][1] == "urn:example:schema:n"
    assert (waiting, empty, description) == (3, ((), 0), "d")


@pytest.mark.parametrize("bad", ["", "a b", "a.b", "a/b", "a*"])
def test_a_queue_that_cannot_be_is_the_same_error(legs: Legs, bad: str) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, "create_queue", bad))[0] == "InvalidInput"


def test_a_queue_that_is_not_there_is_the_same_error(legs: Legs) -> None:
    nothing = f"urn:ivcap:queue:{uuid.UUID(int=5)}"
    for method in ("get_queue", "dequeue_messages", "delete_queue"):
        assert legs.error(lambda leg, to=method: leg.do(leg.ivcap, to, nothing))[0] == "ResourceNotFound"  # type: ignore[misc]
    assert legs.error(lambda leg: leg.do(leg.ivcap, "dequeue_messages", nothing, 0))[0] == "InvalidInput"


DEFINED = {
    "description": "adds",
    "controller_schema": "urn:ivcap:schema.service.rest.1",
    "controller": {"path": "/"},
    "policy": "urn:ivcap:policy:ivcap.base.service",
}


def test_a_service_is_defined_changed_and_removed(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        id, called = f"urn:ivcap:service:{uuid.uuid4()}", name("adder")
        made = leg.do(
            leg.ivcap, "create_service", id=id, name=called, parameters=[{"name": "n", "type": "int"}], **DEFINED
        )
        assert leg.do(leg.ivcap, "get_service_by_name", called) == made
        with pytest.raises(IvcapError, match="409"):
            leg.do(leg.ivcap, "create_service", id=id, **DEFINED)
        changed = leg.do(leg.ivcap, "update_service", id, **{**DEFINED, "description": "adds more"})
        leg.do(leg.ivcap, "delete_service", id)
        with pytest.raises(IvcapError):
            leg.do(leg.ivcap, "update_service", id, **DEFINED)
        forced = leg.do(leg.ivcap, "update_service", id, force_create=True, **DEFINED)
        return made.id == id, changed.description, forced.description

    assert legs.same(behaviour) == (True, "adds more", "adds")


def test_what_only_deployments_have_is_refused_by_name() -> None:
    from ivcap_client import LocalIVCAP

    local = LocalIVCAP("nowhere")
    for ask in (
        lambda: list(local.list_orders()),
        lambda: local.get_order(f"urn:ivcap:order:{uuid.uuid4()}").status(),
        lambda: list(local.list_packages()),
        lambda: local.remove_package("x"),
        lambda: local.search("p(X) :- q(X)."),
    ):
        with pytest.raises(IvcapError, match="in local mode"):
            ask()


def test_an_order_is_read_with_its_parameters() -> None:
    body = (
        b'{"id": "urn:ivcap:order:1", "status": "Succeeded", "service": "urn:ivcap:service:1", "account": "urn:a:1",'
        b' "ordered-at": "2024-01-02T03:04:05Z", "started-at": null, "tags": ["t"], "links": [],'
        b' "parameters": [{"name": "max-depth", "value": "3"}, {"name": "cayp-order-id", "value": "x"}, 7],'
        b' "products": {"items": [{"id": "urn:ivcap:artifact:1"}]}}'
    )
    port = Scripted([ok(body), ok(body), ok(b'{"items": [' + body + b'], "links": []}')])

    class Client:
        _port = _async_port = port

    order = Order(Client(), id="urn:ivcap:order:1")  # type: ignore[arg-type] # only its port is asked
    assert [(each.name, each.value) for each in order.parameters.values()] == [("max-depth", "3")]
    assert list(order.parameters) == ["max_depth"]
    assert (order.status(), order.tags, order.started_at) == ("succeeded", ("t",), None)
    assert order.ordered_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert Secret(Client(), secret_name="n").secret_name == "n"  # type: ignore[arg-type] # as above
