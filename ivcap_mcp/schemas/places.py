"""Which schemas speak about each part of a value: walked by renaming and by repair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from .keywords import Node
from .kinds import target
from .reading import Doc

Nodes: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """What is said about one value.

    Attributes:
        declared: Property name → schemas that may apply to it.
        others: Schemas that may apply to other properties.
        items: Schemas that may apply to an item.
    """

    declared: dict[str, Nodes]
    others: Nodes
    items: Nodes

    def under(self, name: str) -> Nodes:
        """Return the schemas that may apply to the property `name`."""
        return self.declared.get(name, self.others)


class Places:
    """The places of one document, made as they are asked for. All alternatives count, fitting or not."""

    def __init__(self, doc: Doc) -> None:
        self._doc = doc
        self._known: dict[tuple[int, ...], Place] = {}  # ids of nodes of `doc`, which outlives this

    def of(self, nodes: Nodes) -> Place:
        """Return what `nodes`, taken together, say about a value's parts."""
        key = tuple(map(id, nodes))
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = self._made(nodes)
        return place

    def _made(self, nodes: Nodes) -> Place:
        declared: dict[str, list[Node]] = {}
        others: list[Node] = []
        items: list[Node] = []
        for node in self._here(nodes):
            for name, schema in node.get("properties", {}).items():
                declared.setdefault(name, []).append(schema)
            others.extend(node.get("patternProperties", {}).values())
            items.extend(node.get("prefixItems", ()))
            for keyword, found in (("additionalProperties", others), ("items", items)):
                if keyword in node:
                    found.append(node[keyword])
        return Place({name: _once(found) for name, found in declared.items()}, _once(others), _once(items))

    def _here(self, nodes: Nodes) -> list[Node]:
        found: list[Node] = []
        seen: set[int] = set()
        pending = list(nodes)
        for node in pending:  # grows while it is walked
            if id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            led = target(self._doc, node)
            if led is not None:
                pending.append(led)
            for keyword in ("allOf", "anyOf", "oneOf"):
                pending.extend(node.get(keyword, ()))
            pending.extend(node[keyword] for keyword in ("if", "then", "else") if keyword in node)
            pending.extend(node.get("dependentSchemas", {}).values())
        return found


def _once(nodes: Iterable[Node]) -> Nodes:
    return tuple({id(node): node for node in nodes}.values())
