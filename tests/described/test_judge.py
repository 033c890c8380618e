"""The judge itself: what it finds, and that every deviation it lets pass is one that happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.described.digest import digest, published
from tests.described.judge import DEVIATIONS, deviations
from tests.described.recorder import Exchange

ITEM: dict[str, Any] = {
    "id": "urn:ivcap:aspect:1", "entity": "urn:x:1", "schema": "urn:x:s", "content-type": "application/json",
    "valid-from": "2025-11-04T10:22:31Z",
}  # fmt: skip
LIST = {"items": [ITEM], "at-time": "2025-11-04T10:22:31Z", "links": []}


def said(
    body: object, target: str = "/1/aspects", status: int = 200, method: str = "GET", sent: object = None
) -> set[str]:
    headers = {"content-type": "application/json"}
    return deviations(
        Exchange(
            method, target, headers, b"" if sent is None else json.dumps(sent).encode(), status, headers,
            json.dumps(body).encode(),
        )
    )  # fmt: skip


def test_what_is_described_passes() -> None:
    assert said(LIST) == set()
    assert said({"message": "no"}, status=400) == set()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"items": [{**ITEM, "entity": 3}]}, "items/0/entity"),
        ({"items": [{**ITEM, "valid-from": "yesterday"}]}, "items/0/valid-from"),
        ({"items": [{**ITEM, "id": "no uri"}]}, "items/0/id"),
        ({"at-time": None}, "at-time"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], told: str) -> None:
    (found,) = said({**LIST, **change})
    assert told in found


def test_other_routes_statuses_parameters_and_bodies_are_found() -> None:
    assert said({}, target="/1/nothing") == {"GET /1/nothing is not described"}
    assert said({}, status=418) == {"GET /1/aspects 418"}
    assert said(LIST, target="/1/aspects?colour=red") == {"GET /1/aspects ? colour"}
    (found,) = said(LIST, target="/1/aspects?limit=many")
    assert "limit" in found
    (found,) = said({"id": "urn:ivcap:queue:1", "name": "q"}, "/1/queues", 201, "POST", {"description": "nameless"})
    assert "'name' is a required property" in found


def test_a_deviation_has_a_place_and_a_reason() -> None:
    assert all(place and len(reason) > 10 for place, reason in DEVIATIONS.values())
    assert len({place for place, _ in DEVIATIONS.values()}) == len(DEVIATIONS)


def test_the_digest_has_no_prose_and_is_its_own_digest() -> None:
    text = json.dumps(published())
    assert '"example' not in text
    assert '"summary"' not in text
    assert digest(published()) == published()
