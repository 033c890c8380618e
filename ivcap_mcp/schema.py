"""The schema of a service → the schema of its tool, and a tool's arguments → the service's input.

`publish` is done once per schema and is pure: the original is never changed, equal originals give equal results, and
publishing what was published changes nothing more. What was loosened on the way is noted; calls are checked against the
original (`ivcap_mcp.arguments`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import ALL, conjuncts
from ivcap_client.schemas.reading import MOST_BYTES, Schema, SchemaRefused, read

from .schemas.folding import fold
from .schemas.keys import portable_names, tells_apart
from .schemas.publishing import MOST_DEPTH, Publisher, TooLarge
from .schemas.renaming import Renaming
from .schemas.shapes import described

__all__ = ["WRAPPED", "PublishedSchema", "SchemaRefused", "present", "publish", "restore"]

WRAPPED: Final = "value"
"""Name of the one property that carries an input which is not an object."""

# A schema whose references multiply is shown less deep before it is not shown at all.
_DEPTHS: Final = (MOST_DEPTH, 6, 3, 1)


@dataclass(frozen=True, slots=True)
class PublishedSchema:
    """What clients see of a service's input schema.

    Attributes:
        schema: A 2020-12 schema with root type `object` and no references; to be read only.
        notes: What was loosened or left out, one sentence each.
        renames: Published property name → original name; the same at every depth.
        wrapped: The input is no object; it travels as the property `value`.
    """

    schema: dict[str, Any]
    notes: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    wrapped: bool = False


def publish(original: Mapping[str, Any]) -> PublishedSchema:
    """Return the published form of a service's input schema.

    Never stricter than the original, except that null is not offered, and that where alternatives at the root leave
    properties open which others of them declare, the declared form is what is shown.

    Raises:
        SchemaRefused: The schema is larger than 256 kB, nested deeper than 500 levels, or not JSON.
    """
    doc = read(original)
    names = portable_names(doc)
    for depth in _DEPTHS:
        publisher = Publisher(doc, names, depth)
        try:
            schema, wrapped = _root(publisher)
        except TooLarge:
            continue
        if len(json.dumps(schema, ensure_ascii=False).encode()) <= MOST_BYTES:
            if depth != MOST_DEPTH:
                publisher.note(f"the schema is large: only its first {depth} levels are shown")
            break
    else:
        publisher = Publisher(doc, {})
        schema, wrapped = {"type": "object", "properties": {}}, not _is_object(publisher)
        if wrapped:
            schema = {"type": "object", "properties": {WRAPPED: {}}, "required": [WRAPPED]}
        schema = described(schema, "This schema is too large to be shown; describe_service has it.")
        publisher.note("the schema is too large to be shown: an open object stands for it")
    renames = MappingProxyType(dict(publisher.renamed))
    if renames:
        publisher.note(
            "properties were renamed: " + ", ".join(f"{new} for {old!r}" for new, old in renames.items())[:300]
        )
    return PublishedSchema(schema, tuple(publisher.notes), renames, wrapped)


def restore(arguments: Mapping[str, Any], published: PublishedSchema, original: Schema) -> Any:
    """Return what the service is to get for the arguments of a tool call: its own property names, no wrapping.

    A `$schema` property that is not shown but required is put back with the value the original fixes or defaults to.
    Nothing else is filled in, and names that were right already stay. The arguments are not changed.

    Returns:
        The input: an object, unless the schema was wrapped.
    """
    value: Any = dict(arguments)
    if published.wrapped and value.keys() == {WRAPPED}:
        value = value[WRAPPED]
    return Renaming(read(original), published.renames).restored(value)


def present(value: Any, published: PublishedSchema, original: Schema) -> dict[str, Any]:
    """Return the arguments by which a client gives the service `value`: the inverse of `restore`.

    Raises:
        ValueError: The value is no object, and the tool, whose schema leaves the type open, takes objects only.
    """
    names = {old: new for new, old in published.renames.items()}
    shown = Renaming(read(original), names).presented(value)
    if published.wrapped:
        return {WRAPPED: shown}
    if not isinstance(shown, dict):
        raise ValueError(f"the arguments of this tool are an object, not {type(value).__name__}")
    return shown


def _root(publisher: Publisher) -> tuple[Node, bool]:
    doc = publisher.doc
    if not _is_object(publisher):
        inner = publisher.node(doc.root, called=doc.root.get("title", ""))
        return {"type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED]}, True
    parts = [*conjuncts(doc, doc.root), {"type": "object"}]
    description = next((str(part["description"]) for part in parts if "description" in part), "")
    # A title of the whole is the name of a class: the tool has a name.
    title = next((part["title"] for part in parts if "title" in part), "")
    split = publisher.branches(parts)
    if split is None or not split[0]:
        objects = _objects(publisher.node(doc.root, {"type": "object"}, called=title))
    else:
        branches, limits = split
        keep = tells_apart(doc, publisher.kinds, branches)
        made = [publisher.node(branch, *limits, keep=keep) for branch in branches]
        objects = [each for one in made for each in _objects(one)]
    folded = fold(objects) if objects else {"type": "object", "properties": {}}
    said = str(folded.get("description", ""))
    said = "" if said == description else said
    root = described({key: value for key, value in folded.items() if key != "default"}, description, said)
    return {"type": "object", **{key: value for key, value in root.items() if key != "type"}}, False


def _is_object(publisher: Publisher) -> bool:
    """Say whether the input is an object: where the schema leaves that open it is, as all MCP arguments are."""
    kinds = publisher.kinds(publisher.doc.root)
    return kinds - {"null"} in (frozenset({"object"}), ALL - {"null"}, frozenset())


def _objects(schema: Node) -> list[Node]:
    if "anyOf" in schema:
        return [found for branch in schema["anyOf"] for found in _objects(branch)]
    return [schema] if schema.get("type") == "object" else []
