"""Schema → annotations: which Python type each part of a schema has, for typing and editing.

A type may say less than its schema (the list is in `docs/guides/services.md`), never something else: a value that fits
the schema and not the type is kept as it is. What a value must be is checked against the schema itself.
"""

from __future__ import annotations

import datetime
import pathlib
import uuid
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ForwardRef, Literal, TypeAlias, Union

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from ivcap_client.schemas.keywords import ANNOTATIONS, Node
from ivcap_client.schemas.kinds import KindsOf, conjuncts
from ivcap_client.schemas.names import class_name
from ivcap_client.schemas.patterns import matcher
from ivcap_client.schemas.reading import Doc

Annotation: TypeAlias = Any

FORMATS = {
    "date-time": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "path": pathlib.Path,
    "file-path": pathlib.Path,
    "directory-path": pathlib.Path,
}
"""Formats of text → what may be given instead of the text."""

_BOUNDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
_TEXT_BOUNDS = {"minLength": "min_length", "maxLength": "max_length"}
_LIST_BOUNDS = {"minItems": "min_length", "maxItems": "max_length"}
# More alternatives than this are no help to who reads them, and slow to try.
_MOST_ALTERNATIVES = 50


def _kept(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        made = handler(value)
    except ValidationError:
        return value  # it is the schema that decides, and it is asked about the whole
    return value if isinstance(value, int | float) else made  # of 1, 1.0 and true one may stand for another in a list


KEPT = WrapValidator(_kept)


def reference(name: str) -> str:
    """How the annotations speak of a model: by a name that is not looked up elsewhere."""
    return f"_made_{name}"


class Types:
    """The types of one document. Objects with named properties become models, each made once by `make`."""

    def __init__(self, doc: Doc, make: Callable[[str, Node, list[Node]], type[BaseModel]]) -> None:
        self._doc, self._make = doc, make
        self.kinds = KindsOf(doc)
        self.models: dict[str, type[BaseModel]] = {}
        self._names: dict[int, str] = {}
        self._open: set[int] = set()
        self._made: list[Node] = []  # kept, so that their ids are not given to others

    def model(self, node: Node, name: str) -> str:
        """Make the model of an object's schema, unless it is there; its name, since it may contain itself."""
        target = self._target(node)
        known = self._names.get(id(target))
        if known is None:
            parts = conjuncts(self._doc, target)
            title = next((part["title"] for part in parts if part.get("title")), name)
            known = self._names[id(target)] = class_name(title, self._names.values())
            self.models[known] = self._make(known, target, parts)
        return known

    def property(self, nodes: list[Node], name: str) -> tuple[Annotation, Node]:
        """Annotation of a property, and the schema of it, from all schemas that speak of it."""
        node = nodes[0] if len(nodes) == 1 else {"allOf": nodes}
        if len(nodes) > 1:
            self._made.append(node)
        found = self.of(node, name)
        exact = isinstance(found, ForwardRef) or getattr(found, "__origin__", None) is list
        return (found if exact else Annotated[found, KEPT]), node

    def of(self, node: Node, name: str) -> Annotation:
        """The type of a schema; `name` is what a model without a title is called."""
        target = self._target(node)
        if id(target) in self._open:
            known = self._names.get(id(target))  # without one it is a circle that passes no object
            return Any if known is None else self._exact(ForwardRef(reference(known)), target)
        self._open.add(id(target))
        try:
            return self._of(target, name)
        finally:
            self._open.discard(id(target))

    def has_fields(self, node: Node) -> bool:
        """Whether values of the schema are objects with named properties."""
        return "object" in self.kinds(node) and any(part.get("properties") for part in conjuncts(self._doc, node))

    def parts(self, node: Node) -> list[Node]:
        """All schemas that hold for a value of this one."""
        return conjuncts(self._doc, node)

    def _of(self, node: Node, name: str) -> Annotation:
        parts = conjuncts(self._doc, node)
        listed = next((part["enum"] for part in parts if "enum" in part), None)
        fixed = next(([part["const"]] for part in parts if "const" in part), listed)
        if fixed is not None:
            return _literal(fixed)
        if not self.has_fields(node):
            branches = [part[key] for part in parts for key in ("anyOf", "oneOf") if key in part]
            if len(branches) == 1 and len(branches[0]) <= _MOST_ALTERNATIVES:
                union = _union(self.of(branch, name) for branch in branches[0])
                if union is not Any:
                    return union
        kinds = self.kinds(node)
        if len(kinds) > 5:  # nothing is said of its type
            return self._exact(self._object(node, parts, name), node) if self.has_fields(node) else Any
        return _union(self._kind(kind, node, parts, name) for kind in sorted(kinds, key=_ORDER.index))

    def _exact(self, model: Annotation, node: Node) -> Annotation:
        """The model of a schema, which may accept other things than objects too."""
        return model if self.kinds(node) == {"object"} else Annotated[model, KEPT]

    def _kind(self, kind: str, node: Node, parts: list[Node], name: str) -> Annotation:
        if kind == "string":
            return _text(parts)
        if kind in ("integer", "number"):
            return _bounded(int if kind == "integer" else float, parts, _BOUNDS)
        if kind == "array":
            return self._list(parts, name)
        if kind == "object":
            return self._object(node, parts, name)
        return bool if kind == "boolean" else None

    def _list(self, parts: list[Node], name: str) -> Annotation:
        tuples = [part["prefixItems"] for part in parts if "prefixItems" in part]
        items = [part["items"] for part in parts if "items" in part]
        if len(tuples) > 1 or len(items) > 1:
            item: Annotation = Any
        elif tuples:
            open_ended = not items  # whatever comes after the listed ones
            rest = [self.of(each, name) for each in items if each.get("not") != {}]
            item = Any if open_ended else _union([*(self.of(each, name) for each in tuples[0]), *rest])
        else:
            item = self.of(items[0], f"{name} item") if items else Any
        exact = isinstance(item, ForwardRef)
        return _bounded(list[item if exact else Annotated[item, KEPT]], parts, _LIST_BOUNDS)  # type: ignore[misc]

    def _object(self, node: Node, parts: list[Node], name: str) -> Annotation:
        if self.has_fields(node):
            return ForwardRef(reference(self.model(node, name)))
        rest = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
        alone = len(rest) == 1 and not any("patternProperties" in part for part in parts)
        value = self.of(rest[0], f"{name} value") if alone and rest[0].get("not") != {} else Any
        return dict[str, Annotated[value, KEPT]]  # type: ignore[valid-type] # known only now

    def _target(self, node: Node) -> Node:
        """What a schema that is nothing but a reference leads to, so that a model has one name."""
        seen: set[int] = set()
        while "$ref" in node and not node.keys() - ANNOTATIONS - {"$ref"} and id(node) not in seen:
            seen.add(id(node))
            node = self._doc.defs[node["$ref"].removeprefix("#/$defs/")]
        return node


_ORDER = ["string", "integer", "number", "boolean", "array", "object", "null"]


def _union(types: Iterable[Annotation]) -> Annotation:
    found = list(types)
    if any(each is Any for each in found):
        return Any
    return Union[tuple(found)] if found else Any  # noqa: UP007 - its members are known only now


def _literal(values: list[Any]) -> Annotation:
    if all(value is None or isinstance(value, str | bool | int) for value in values):
        return Literal[tuple(values)]
    plain = {type(value) for value in values} <= {str, bool, int, float, type(None)}
    return _union(None if kind is type(None) else kind for kind in {type(v): None for v in values}) if plain else Any


def _text(parts: list[Node]) -> Annotation:
    patterns = [part["pattern"] for part in parts if "pattern" in part]
    more = {"pattern": patterns[0]} if len(patterns) == 1 and matcher(patterns[0]) else {}
    text = _bounded(str, parts, _TEXT_BOUNDS, more)
    other = next((FORMATS[part["format"]] for part in parts if part.get("format") in FORMATS), None)
    return text if other is None else Union[text, other]  # noqa: UP007 - as above


def _bounded(kind: Annotation, parts: list[Node], known: dict[str, str], more: dict[str, Any] | None = None) -> Any:
    """The type with the bounds its schemas agree on, for who looks at the fields of a model."""
    bounds = dict(more or {})
    for keyword, name in known.items():
        values = [part[keyword] for part in parts if keyword in part]
        whole = kind is not float  # bounds of whole numbers and of lengths are whole numbers of 64 bits
        if len(values) == 1 and (not whole or (values[0] == int(values[0]) and abs(values[0]) < 2**63)):
            bounds[name] = int(values[0]) if whole else values[0]
    return Annotated[kind, Field(**bounds)] if bounds else kind
