"""Aspects, the same on every way to a platform."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.congruence.legs import Leg, Legs

SCHEMA = "urn:test:schema:thing.1"


def entity() -> str:
    return f"urn:test:thing:{uuid.uuid4()}"


def contents(leg: Leg, **query: Any) -> list[Any]:
    return [aspect.content["n"] for aspect in leg.all(leg.ivcap.list_aspects(limit=None, **query))]


def test_an_aspect_that_was_added_is_listed_and_read(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        about = entity()
        made = leg.do(leg.ivcap, "add_aspect", about, {"n": 1, "text": "grün"}, schema=SCHEMA)
        read = leg.do(leg.ivcap, "get_aspect", made.id)
        assert (made, read.entity, made.urn) == (read, about, made.id)
        assert read.valid_from is not None
        return read.schema, {**read.content, "$entity": "x"}, read.content_type, read.valid_to, made.content["n"]

    schema, content, kind, valid_to, n = legs.same(behaviour)
    assert (schema, kind, valid_to, n) == (SCHEMA, "application/json", None, 1)
    assert content["text"] == "grün"


def test_adding_keeps_what_was_there_and_updating_replaces_it(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        about, other = entity(), entity()
        leg.do(leg.ivcap, "add_aspect", about, {"n": 1}, schema=SCHEMA)
        leg.do(leg.ivcap, "add_aspect", about, {"n": 2}, schema=SCHEMA)
        leg.do(leg.ivcap, "update_aspect", other, {"n": 3}, schema=SCHEMA)
        leg.do(leg.ivcap, "update_aspect", other, {"n": 4}, schema=SCHEMA)
        return contents(leg, entity=about), contents(leg, entity=other, schema="urn:test:%")

    assert legs.same(behaviour) == ([2, 1], [4])


def test_a_listing_is_filtered_ordered_and_paged(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        about = entity()
        for n in range(5):
            leg.do(leg.ivcap, "add_aspect", about, {"n": n}, schema=SCHEMA)
        some = leg.ivcap.list_aspects(entity=about, limit=2)
        found = [aspect.content["n"] for aspect in leg.all(some)]
        bare = leg.ivcap.list_aspects(entity=about, limit=1, include_content=False)
        rest = leg.ivcap.list_aspects(entity=about, limit=None, cursor=some.cursor)
        return (
            found,
            [aspect.content["n"] for aspect in leg.all(rest)],
            contents(leg, entity=about, order_direction="ASC"),
            contents(leg, entity=about, content_path="$.n ? (@ > 2)"),
            contents(leg, entity=about, filter=f"schema ~= '{SCHEMA[:12]}%'"),
            contents(leg, entity=about, schema="urn:other"),
            [leg.do(aspect, "refresh").content["n"] for aspect in leg.all(bare)],
        )

    assert legs.same(behaviour) == ([4, 3], [2, 1, 0], [0, 1, 2, 3, 4], [4, 3], [4, 3, 2, 1, 0], [], [4])


def test_many_aspects_come_over_several_pages(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        about = entity()
        for n in range(53):
            leg.do(leg.ivcap, "add_aspect", about, {"n": n}, schema=SCHEMA)
        return sorted(contents(leg, entity=about)), len(leg.all(leg.ivcap.list_aspects(entity=about, limit=52)))

    assert legs.same(behaviour) == (list(range(53)), 52)


def test_a_retracted_aspect_is_read_and_seen_in_the_past_but_not_listed(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        about = entity()
        made = leg.do(leg.ivcap, "add_aspect", about, {"n": 1}, schema=SCHEMA)
        held = leg.do(made, "refresh").valid_from
        gone = leg.do(leg.do(leg.ivcap, "get_aspect", made.id), "retract")
        leg.do(leg.ivcap, "retract_aspect", made.id)  # again: it stays as it is
        again = leg.do(leg.ivcap, "get_aspect", made.id)
        assert gone.valid_to is not None
        assert gone.valid_to == again.valid_to
        return (
            contents(leg, entity=about),
            contents(leg, entity=about, at_time=held),
            contents(leg, entity=about, at_time=held - timedelta(seconds=1)),
            contents(leg, entity=about, at_time=datetime.now(UTC)),
            again.content["n"],
        )

    assert legs.same(behaviour) == ([], [1], [], [], 1)


def test_metadata_of_an_artifact_are_aspects(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        import io

        artifact = leg.do(leg.ivcap, "upload_artifact", name="m.txt", io_stream=io.BytesIO(b"x"))
        leg.do(artifact, "add_metadata", {"n": 7}, schema=SCHEMA)
        return [aspect.content["n"] for aspect in leg.all(artifact.metadata) if aspect.schema == SCHEMA]

    assert legs.same(behaviour) == [7]


@pytest.mark.parametrize(
    ("method", "arguments", "named", "kind"),
    [
        ("get_aspect", (f"urn:ivcap:aspect:{uuid.UUID(int=5)}",), {}, "ResourceNotFound"),
        ("retract_aspect", (f"urn:ivcap:aspect:{uuid.UUID(int=5)}",), {}, "ResourceNotFound"),
        ("get_aspect", ("../../etc/passwd",), {}, "InvalidInput"),
        ("get_aspect", ("",), {}, "InvalidInput"),
        ("get_aspect", ("urn:ivcap:aspect:../../x",), {}, "ResourceNotFound"),
        ("get_aspect", ("urn:ivcap:artifact:" + str(uuid.UUID(int=5)),), {}, "ResourceNotFound"),
        ("add_aspect", ("not a urn", {"n": 1}), {"schema": SCHEMA}, "InvalidInput"),
        ("add_aspect", ("urn:x:y", {"n": 1}), {}, "InvalidInput"),
        ("add_aspect", ("urn:x:y", {"$schema": "urn:a:b"}), {"schema": SCHEMA}, "InvalidInput"),
        ("add_aspect", ("urn:x:y", [1]), {"schema": SCHEMA}, "InvalidInput"),
        ("add_aspect", ("urn:x:y", {"n": float("nan")}), {"schema": SCHEMA}, "InvalidInput"),
        ("add_aspect", ("urn:x:y", {"n": 1}), {"schema": SCHEMA, "policy": "not a policy"}, "IvcapApiError"),
    ],
)
def test_what_is_wrong_is_the_same_error(
    legs: Legs, method: str, arguments: tuple[Any, ...], named: dict[str, Any], kind: str
) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, method, *arguments, **named))[0] == kind


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"content_path": "$.n ? ("}, "IvcapApiError"),
        ({"content_path": "n"}, "IvcapApiError"),
        ({"filter": "schema ~~ 'x'"}, "IvcapApiError"),
        ({"filter": "no such thing = 5"}, "IvcapApiError"),
        ({"order_direction": "sideways"}, "InvalidInput"),
        ({"cursor": "nonsense"}, "IvcapApiError"),
        ({"limit": -1}, "InvalidInput"),
    ],
)
def test_a_listing_that_cannot_be_is_the_same_error(legs: Legs, query: dict[str, Any], kind: str) -> None:
    assert legs.error(lambda leg: leg.all(leg.ivcap.list_aspects(**query)))[0] == kind
