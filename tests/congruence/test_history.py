"""What was said before, and results as they were reported, on every way to a platform."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from ivcap_client import LocalAspect
from ivcap_client._core import aspects
from ivcap_client._core.port import run
from ivcap_client.exception import InvalidInput
from tests.congruence.legs import LONG, Leg, Legs
from tests.core.scripted import Scripted, ok

SCHEMA = "urn:example:schema:depth.1"


def test_an_aspect_knows_what_it_replaced(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        site = f"urn:example:site:{uuid.uuid4()}"
        for depth in (1, 2, 3):
            now = leg.do(leg.ivcap, "update_aspect", site, {"depth": depth}, schema=SCHEMA)
        history = leg.do(now, "history")
        held = [one.valid_to is None for one in history]
        return [one.content["depth"] for one in history], held, len(leg.do(now, "history", limit=2))

    assert legs.same(behaviour) == ([3, 2, 1], [True, False, False], 2)


def test_where_nothing_is_said_of_a_predecessor_it_is_what_held_until_then() -> None:
    def aspect(number: int, start: str, end: str | None = None) -> dict[str, Any]:
        told = {"id": f"urn:ivcap:aspect:{number}", "entity": "urn:e:1", "schema": SCHEMA, "content": {"n": number}}
        return told | {"valid-from": start} | ({"valid-to": end} if end else {})

    newest, middle = aspect(3, "2024-01-03T00:00:00Z"), aspect(2, "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z")
    beside = aspect(9, "2024-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
    replies = [newest, {"items": [beside, middle], "links": []}, {"items": [beside], "links": []}]
    port = Scripted([ok(json.dumps(reply).encode()) for reply in replies])
    found = run(aspects.history(port, "urn:ivcap:aspect:3", 100))
    assert [one.content["n"] for one in found] == [3, 2]
    assert dict(port.sent[1].query)["at-time"] == "2024-01-02T23:59:59.999999+00:00"


def test_an_aspect_can_be_made_by_hand() -> None:
    made = LocalAspect("urn:ivcap:aspect:1", "urn:e:1", SCHEMA, {"a": 1}, valid_from="2024-01-02T00:00:00Z")
    assert (made.urn, made.entity, made.schema, made.aspect) == ("urn:ivcap:aspect:1", "urn:e:1", SCHEMA, {"a": 1})
    assert (made.valid_from, made.valid_to) == (datetime(2024, 1, 2, tzinfo=UTC), None)
    with pytest.raises(InvalidInput, match="without a client"):
        made.refresh()


def test_a_result_can_be_had_as_it_was_reported(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        service = leg.do(leg.ivcap, "get_service_by_name", "plain")
        job = leg.do(service.request_job({"do": "echo", "n": 1}), "wait", timeout=LONG)
        return json.loads(leg.do(job, "output"))["n"]

    assert legs.same(behaviour) == 1
