"""Which schemas speak about each part of a value: walked by renaming and by repair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import reached, target
from ivcap_client.schemas.reading import Doc

Nodes: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """What is said about one value.

    Attributes:
        declared: Property name → schemas that may apply to it.
        others: Schemas that may apply to other properties.
        items: Schemas that may apply to an item at any place.
        tuples: For each schema of a tuple: those of its members, and what may apply to the items after them.
    """

    declared: dict[str, Nodes]
    others: Nodes
    items: Nodes
    tuples: tuple[tuple[Nodes, Nodes], ...]

    def under(self, name: str) -> Nodes:
        """Return the schemas that may apply to the property `name`."""
        return self.declared.get(name, self.others)

    def at(self, index: int) -> Nodes:
        """Return the schemas that may apply to the item at `index`, counted from 0."""
        if not self.tuples:
            return self.items
        found = list(self.items)
        for members, rest in self.tuples:
            found.extend(members[index : index + 1] if index < len(members) else rest)
        return _once(found)


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
        tuples: list[tuple[Nodes, Nodes]] = []
        for node in speaking(self._doc, nodes):
            for name, schema in node.get("properties", {}).items():
                declared.setdefault(name, []).append(schema)
            others.extend(node.get("patternProperties", {}).values())
            if "additionalProperties" in node:
                others.append(node["additionalProperties"])
            after = (node["items"],) if "items" in node else ()
            if "prefixItems" in node:
                tuples.append((tuple(node["prefixItems"]), after))
            else:
                items.extend(after)
        known = {name: _once(found) for name, found in declared.items()}
        return Place(known, _once(others), _once(items), tuple(tuples))


def speaking(doc: Doc, nodes: Iterable[Node]) -> list[Node]:
    """Return every schema that may say something about a value of `nodes`: all conjuncts and all alternatives."""

    def onward(node: Node) -> Iterator[Node | None]:
        yield target(doc, node)
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from node.get(keyword, ())
        yield from (node.get(keyword) for keyword in ("if", "then", "else"))
        yield from node.get("dependentSchemas", {}).values()

    return reached(nodes, onward)


def _once(nodes: Iterable[Node]) -> Nodes:
    return tuple({id(node): node for node in nodes}.values())
