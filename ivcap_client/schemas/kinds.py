"""Which types of JSON values a schema can accept, and which schemas hold together for one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from .keywords import TYPES, Node
from .reading import Doc

Kinds: TypeAlias = frozenset[str]

ALL: Final[Kinds] = frozenset(TYPES)
NONE: Final[Kinds] = frozenset()
# Deeper nests of alternatives than this are taken to accept anything, which is always the looser reading.
_MOST_LEVELS: Final = 40


def target(doc: Doc, node: Node) -> Node | None:
    """Return what the `$ref` of a node leads to."""
    reference = node.get("$ref")
    return None if reference is None else doc.defs[reference.removeprefix("#/$defs/")]


def reached(nodes: Iterable[Node], onward: Callable[[Node], Iterable[Node | None]]) -> list[Node]:
    """Return `nodes` and all that `onward` leads to from them, each once, the nearest first."""
    found: list[Node] = []
    seen: set[int] = set()
    pending = list(nodes)
    for node in pending:  # grows while it is walked
        if id(node) not in seen:
            seen.add(id(node))
            found.append(node)
            pending.extend(led for led in onward(node) if led is not None)
    return found


def conjuncts(doc: Doc, *nodes: Node) -> list[Node]:
    """Return all schemas that must hold when each of `nodes` does, through `$ref` and `allOf`, the nearest first."""
    return reached(nodes, lambda node: (target(doc, node), *node.get("allOf", ())))


class KindsOf:
    """The types each schema of one document accepts, never too few of them; remembered, since schemas share parts."""

    def __init__(self, doc: Doc) -> None:
        self._doc = doc
        # The node is kept beside its kinds, so that its id is not given to another one.
        self._known: dict[int, tuple[Node, Kinds]] = {}

    def __call__(self, *nodes: Node, level: int = 0) -> Kinds:
        """Return the types of values that satisfy all of `nodes`; "number" without "integer" means fractions only."""
        kinds = ALL
        for node in nodes:
            kinds &= self._one(node, level)
        return kinds

    def _one(self, node: Node, level: int) -> Kinds:
        known = self._known.get(id(node))
        if known is not None:
            return known[1]
        if level > _MOST_LEVELS:
            return ALL
        kinds = ALL
        for each in conjuncts(self._doc, node):
            kinds &= _own(each)
            for keyword in ("anyOf", "oneOf"):
                if keyword in each:
                    kinds &= NONE.union(*(self._one(branch, level + 1) for branch in each[keyword]))
        self._known[id(node)] = (node, kinds)
        return kinds


def kind_of(value: Any) -> Kinds:
    """Return the one type a JSON value has: "integer" for 1 and 1.0, "number" for 1.5 only."""
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer"})
        case float():
            return frozenset({"integer" if value.is_integer() else "number"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case dict():
            return frozenset({"object"})
    return NONE


def allows(kinds: Kinds, value: Any) -> bool:
    """Say whether a value has one of the given types."""
    return bool(kind_of(value) & kinds)


def _own(node: Node) -> Kinds:
    kinds = ALL
    declared = node.get("type")
    if declared is not None:
        names = frozenset([declared] if isinstance(declared, str) else declared)
        kinds = names | {"integer"} if "number" in names else names
    if "const" in node:
        kinds &= kind_of(node["const"])
    if "enum" in node:
        kinds &= NONE.union(*(kind_of(value) for value in node["enum"]))
    return NONE if node.get("not") == {} else kinds
