"""Collections: named groups of anything with a URN, as a convention over aspects (rest-api 5.1).

The public clients have two conventions. We write the Python client's (a definition, and an aspect for each item) and
read both: the command line keeps one aspect with a list of artifacts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core import aspects
from ivcap_client._core.aspects import AspectQuery, AspectRecord
from ivcap_client._core.pages import MOST_ON_A_PAGE, Page
from ivcap_client._core.port import Port
from ivcap_client.exception import MissingParameterValue, ResourceNotFound
from ivcap_client.urns import identifier

DEFINITION = "urn:ivcap:schema:collection.1"
ITEM = "urn:ivcap:schema:collection-item.1"
LIST = "urn:ivcap:schema:artifact-collection.1"

# What a caller may say of a name instead of the name itself, in the platform's JSONPath.
_CONDITION = re.compile(r"\s*(==|!=|<>|<=?|>=?|starts\s+with\b|like_regex\b)")
_LISTS = "lists:"
"""Begins the cursors of the second part of a listing: what the command line keeps."""


@dataclass(frozen=True, slots=True)
class CollectionRecord:
    """A collection as its definition says it; of one that the command line keeps there is only the URN."""

    id: str
    name: str | None = None
    description: str | None = None
    asserter: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    aspect: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """Something that is in a collection.

    Attributes:
        id: URN of the aspect that says so.
        collection: URN of the collection.
        item: URN of what is in it.
        valid_from: Since when it is.
        valid_to: Until when it was; `None` while it is.

    Examples:
        >>> from ivcap_client import CollectionItem
        >>> CollectionItem(collection="urn:example:collection:reefs", item="urn:example:site:1").urn
        'urn:example:site:1'
    """

    id: str = ""
    collection: str = ""
    item: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def urn(self) -> str:
        """The same as `item`."""
        return self.item


def collection_record(aspect: AspectRecord) -> CollectionRecord:
    told = aspect.content if isinstance(aspect.content, Mapping) else {}
    texts = {key: told[key] for key in ("name", "description") if isinstance(told.get(key), str)}
    return CollectionRecord(
        id=aspect.entity,
        asserter=aspect.asserter,
        valid_from=aspect.valid_from,
        valid_to=aspect.valid_to,
        aspect=aspect.id,
        raw=aspect.raw,
        **texts,
    )


async def create(port: Port, urn: str, name: str, description: str | None, policy: str | None) -> CollectionRecord:
    """Define a collection, or define it anew: a description that is left out is gone."""
    what = "create collection"
    if not name:
        raise MissingParameterValue(f"could not {what}: its name is empty")
    content = {"name": name} | ({"description": description} if description else {})
    return collection_record(await aspects.update(port, _named(urn, what), content, schema=DEFINITION, policy=policy))


async def read(port: Port, urn: str, at_time: datetime | None = None) -> CollectionRecord:
    """The definition; of a collection that the command line keeps, its URN.

    Raises:
        ResourceNotFound: Nothing says that there is such a collection.
    """
    what = "read collection"
    for schema in (DEFINITION, LIST):
        asked = AspectQuery(entity=_named(urn, what), schema=schema, at_time=at_time)
        listed = await aspects.list_page(port, asked, 1, None)
        if listed.items:
            return collection_record(listed.items[0])
    raise ResourceNotFound(what, detail=f"there is no collection {urn}")


async def list_page(
    port: Port, name: str | None, at_time: datetime | None, seen: set[str], size: int, cursor: str | None
) -> Page[CollectionRecord]:
    """Definitions first, then what the command line keeps; a collection that is both comes once (`seen`)."""
    listing = (cursor or "").startswith(_LISTS)
    path = None if name is None else f"$.name ? (@ {name if _CONDITION.match(name) else f'== {json.dumps(name)}'})"
    asked = AspectQuery(schema=LIST if listing else DEFINITION, content_path=path, at_time=at_time)
    plain = (cursor or "").removeprefix(_LISTS) or None
    found = await aspects.list_page(port, asked, size, plain)
    items = [collection_record(one) for one in found.items]
    fresh = tuple(one for one in items if one.id not in seen)
    seen.update(one.id for one in items)
    if listing:
        return Page(fresh, f"{_LISTS}{found.next}" if found.next else None)
    # A list has no name that could be asked for.
    return Page(fresh, found.next or (_LISTS if name is None else None))


async def items_page(
    port: Port, urn: str, at_time: datetime | None, seen: set[str], size: int, cursor: str | None
) -> Page[CollectionItem]:
    """What is in a collection by either convention, each once."""
    listing = (cursor or "").startswith(_LISTS)
    asked = AspectQuery(entity=urn, schema=LIST if listing else ITEM, at_time=at_time)
    plain = (cursor or "").removeprefix(_LISTS) or None
    found = await aspects.list_page(port, asked, size, plain)
    items = [item for one in found.items for item in _items(one)]
    fresh = []
    for item in items:
        if item.item not in seen:
            seen.add(item.item)
            fresh.append(item)
    if listing:
        return Page(tuple(fresh), f"{_LISTS}{found.next}" if found.next else None)
    return Page(tuple(fresh), found.next or _LISTS)


async def add(port: Port, urn: str, item: str, policy: str | None) -> CollectionItem | None:
    """Put something in; `None`: it was there."""
    what = "add to collection"
    collection, item = _named(urn, what), _named(item, what)
    if await _found(port, collection, item):
        return None
    content = {"collection": collection, "item": item}
    made = await aspects.add(port, collection, content, schema=ITEM, policy=policy)
    return CollectionItem(made.id, collection, item, made.valid_from)


async def remove(port: Port, urn: str, item: str) -> bool:
    """Take something out, by whichever convention it is in; `False`: it was not there."""
    what = "remove from collection"
    collection, item = _named(urn, what), _named(item, what)
    found = await _found(port, collection, item)
    for one in found:
        if one.schema != LIST:
            await aspects.retract(port, one.id)
            continue
        content = {**one.content, "artifacts": [each for each in one.content["artifacts"] if each != item]}
        await aspects.update(port, collection, content, schema=LIST, policy=None)
    return bool(found)


async def retract(port: Port, urn: str) -> int:
    """Retract all that is said of a collection, the items first; how many aspects that were.

    Raises:
        ResourceNotFound: There is no such collection.
    """
    await read(port, urn)
    gone: set[str] = set()
    for schema in (ITEM, LIST, DEFINITION):
        # From the start each time: what was retracted is no longer listed, so pages would skip some.
        while True:
            asked = AspectQuery(entity=urn, schema=schema, include_content=False)
            listed = await aspects.list_page(port, asked, MOST_ON_A_PAGE, None)
            left = [one.id for one in listed.items if one.id not in gone]
            for aspect in left:
                await aspects.retract(port, aspect)
            gone.update(left)
            if not left:
                break
    return len(gone)


async def _found(port: Port, collection: str, item: str) -> list[AspectRecord]:
    """The aspects that say that something is in a collection."""
    found = []
    for schema, path in ((ITEM, "$.item"), (LIST, "$.artifacts[*]")):
        asked = AspectQuery(entity=collection, schema=schema, content_path=f"{path} ? (@ == {json.dumps(item)})")
        listed = await aspects.list_page(port, asked, MOST_ON_A_PAGE, None)
        found += [one for one in listed.items if any(each.item == item for each in _items(one))]
    return found


def _items(aspect: AspectRecord) -> list[CollectionItem]:
    told = aspect.content if isinstance(aspect.content, Mapping) else {}
    listed = told.get("artifacts") if aspect.schema == LIST else [told.get("item")]
    return [
        CollectionItem(aspect.id, aspect.entity, one, aspect.valid_from, aspect.valid_to)
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, str) and one
    ]


def _named(urn: str, what: str) -> str:
    if not urn:
        raise MissingParameterValue(f"could not {what}: a URN is missing")
    return identifier(urn, what)
