"""Collections by both clients' conventions, the same on every way to a platform."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from ivcap_client import Collection, collection
from tests.congruence.legs import Leg, Legs


def urn(kind: str = "collection") -> str:
    return f"urn:example:{kind}:{uuid.uuid4()}"


def made(leg: Leg, **more: Any) -> Collection:
    found: Collection = leg.do(leg.ivcap, "create_collection", urn(), 'Reef "42"', **more)
    return found


def listed(leg: Leg, where: Collection, **how: Any) -> list[str]:
    return [one.item for one in leg.all(where.items(**{"limit": None, **how}))]


def by_command_line(leg: Leg, *items: str) -> str:
    """A collection as the command line makes one."""
    name = urn()
    content = {"collection": name, "artifacts": list(items)}
    leg.do(leg.ivcap, "add_aspect", name, content, schema=collection.ARTIFACT_COLLECTION_SCHEMA)
    return name


def test_a_collection_is_defined_found_and_changed(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        first = made(leg, description="of coral")
        assert leg.do(leg.ivcap, "get_collection", first.urn) == first
        again = leg.do(leg.ivcap, "create_collection", first.id, "Other")
        read = leg.do(first, "refresh")
        assert read is first
        assert leg.all(leg.ivcap.list_aspects(entity=first.id, schema=collection.COLLECTION_SCHEMA))[1:] == []
        return again.name, read.name, read.description, read.valid_from is not None

    assert legs.same(behaviour) == ("Other", "Other", None, True)


def test_things_are_put_in_once_and_taken_out(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        where, one, two = made(leg), urn("site"), 'urn:example:site:a"b'
        added = [leg.do(where, "add_item", item) for item in (one, two, one)]
        assert [each and each.urn for each in added] == [one, two, None]
        before = datetime.now(UTC)
        assert sorted(listed(leg, where)) == sorted([one, two])
        assert len(listed(leg, where, limit=1)) == 1
        out = [leg.do(leg.ivcap, "remove_from_collection", where.id, one) for _ in range(2)]
        return out, listed(leg, where) == [two], sorted(listed(leg, where, at_time=before)) == sorted([one, two])

    assert legs.same(behaviour) == ([True, False], True, True)


def test_a_collection_of_the_command_lines_is_one_too(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        one, two, three = urn("site"), urn("site"), urn("site")
        name = by_command_line(leg, one, two)
        where = leg.do(leg.ivcap, "get_collection", name)
        assert leg.do(where, "add_item", one) is None
        leg.do(where, "add_item", three)
        every = listed(leg, where)
        assert leg.do(where, "remove_item", two)
        assert name in {each.id for each in leg.all(leg.ivcap.list_collections(limit=None))}
        rest = listed(leg, where)
        gone = leg.do(where, "retract")
        return every == [three, one, two], rest == [three, one], where.name, gone, listed(leg, where)

    assert legs.same(behaviour) == (True, True, None, 2, [])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('Reef "42"', True),
        ('== "Reef \\"42\\""', True),
        ('starts with "Reef"', True),
        ('like_regex "^reef" flag "i"', True),
        ("Reef", False),
        ('starts with "eef"', False),
    ],
)
def test_collections_are_found_by_name_or_by_a_condition_on_it(legs: Legs, asked: str, found: bool) -> None:
    def behaviour(leg: Leg) -> Any:
        where = made(leg)
        return where in leg.all(leg.ivcap.list_collections(name_filter=asked, limit=None))

    assert legs.same(behaviour) is found


def test_a_large_collection_is_read_and_retracted_whole(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        where = made(leg)
        for number in range(53):
            leg.ivcap.add_to_collection(where.id, f"urn:example:site:{number}")
        found = listed(leg, where)
        return len(set(found)), leg.do(leg.ivcap, "retract_collection", where.id)

    assert behaviour(next(iter(legs))) == (53, 54)
    kind, _ = legs.error(lambda leg: leg.do(leg.ivcap, "retract_collection", "urn:example:none"))
    assert kind == "ResourceNotFound"


@pytest.mark.parametrize(
    ("method", "given", "kind"),
    [
        ("create_collection", ("", "n"), "MissingParameterValue"),
        ("create_collection", ("urn:x:y", ""), "MissingParameterValue"),
        ("get_collection", ("urn:example:none",), "ResourceNotFound"),
        ("get_collection", ("none",), "InvalidInput"),
        ("add_to_collection", ("urn:x:y", ""), "MissingParameterValue"),
        ("remove_from_collection", ("", "urn:x:y"), "MissingParameterValue"),
    ],
)
def test_what_cannot_be_is_the_same_error(legs: Legs, method: str, given: tuple[str, ...], kind: str) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, method, *given))[0] == kind


def test_the_functions_of_the_module_do_the_same(legs: Legs) -> None:
    ivcap = next(iter(legs)).ivcap
    name = urn()
    where = collection.create_collection(ivcap, name, "By hand", description="d")
    assert collection.get_collection(ivcap, name).description == "d"
    assert where in collection.list_collections(ivcap, name_filter="By hand", limit=None)
    assert collection.add_item_to_collection(ivcap, name, "urn:x:1")
    assert [one.urn for one in collection.list_collection_items(ivcap, name)] == ["urn:x:1"]
    assert collection.remove_item_from_collection(ivcap, name, "urn:x:1")
    assert collection.retract_collection(ivcap, name) == 1
    assert Collection(ivcap, urn=name, name="n").id == name
