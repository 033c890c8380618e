"""Published objects: their properties, and what is said of the ones that are not declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import NONE, conjuncts

from ..text import one_line
from .keys import SCHEMA_KEY, pin
from .scalars import tightest, values
from .shapes import described, is_anything, shown

if TYPE_CHECKING:
    from .publishing import Publisher


def object_of(publisher: Publisher, parts: list[Node], keep: bool) -> Node:
    declared = _properties(parts)
    required = list(dict.fromkeys(name for part in parts for name in part.get("required", ())))
    for name in required:
        declared.setdefault(name, [{}])
    hidden = _hides_schema_key(publisher, declared, required, keep)
    properties: dict[str, Node] = {}
    for name, schemas in declared.items():
        if hidden and name == SCHEMA_KEY:
            continue
        if publisher.kinds(*schemas) == NONE and name not in required:
            publisher.note(f"the property {one_line(name, 60)!r} may not be given and is not shown")
            continue
        published = publisher.names.get(name, name)
        made = publisher.node(*schemas, called=name)
        if published != name:
            publisher.renamed[published] = name
            said = f'Called "{one_line(name, 100)}" by the service.' if one_line(name, 100) else ""
            made = described(made, made.get("description", ""), said)
        properties[published] = made
    made = {"type": "object", "properties": properties}
    wanted = [publisher.names.get(name, name) for name in required if not (hidden and name == SCHEMA_KEY)]
    if wanted:
        made["required"] = wanted
    least, most = tightest(parts, "minProperties", max), tightest(parts, "maxProperties", min)
    if least and not hidden:
        made["minProperties"] = least
    if most is not None:
        made["maxProperties"] = most
    rest = _rest(publisher, parts, hidden)
    if rest is not None:
        made["additionalProperties"] = rest
    named = [value for part in parts if "propertyNames" in part for value in _key_values(publisher, part)]
    return {**made, "additions": [f"Keys: {shown(named)}."]} if named else made


def _key_values(publisher: Publisher, part: Node) -> list[Any]:
    return values("string", conjuncts(publisher.doc, part["propertyNames"])) or []


def _rest(publisher: Publisher, parts: list[Node], hidden: bool) -> Node | bool | None:
    """Return `additionalProperties` to publish.

    It speaks of the properties beside it only. Where schemas were merged, where properties named by a pattern are
    not shown, or where a `$schema` property is hidden but may be given, it would refuse what the original accepts.
    """
    stated = [part for part in parts if "additionalProperties" in part]
    if not stated:
        return None
    own = stated[0]
    elsewhere = any("properties" in part for part in parts if part is not own)
    if hidden or elsewhere or "patternProperties" in own:
        publisher.note("further properties are shown as allowed; the service may refuse them")
        return None
    if publisher.kinds(own["additionalProperties"]) == NONE:
        undeclared = {name for part in parts for name in part.get("required", ())} - own.get("properties", {}).keys()
        return None if undeclared else False
    made = publisher.node(own["additionalProperties"])
    return None if is_anything(made) else made


def _hides_schema_key(
    publisher: Publisher, declared: Mapping[str, list[Node]], required: list[str], keep: bool
) -> bool:
    if SCHEMA_KEY not in declared or keep:
        return False
    own = conjuncts(publisher.doc, *declared[SCHEMA_KEY])
    if pin(own) is not None:
        return True
    return SCHEMA_KEY not in required and any("default" in each for each in own)


def _properties(parts: Iterable[Node]) -> dict[str, list[Node]]:
    """Return the declared properties, each with all schemas it must satisfy."""
    found: dict[str, list[Node]] = {}
    for part in parts:
        for name, schema in part.get("properties", {}).items():
            found.setdefault(name, []).append(schema)
    return found
