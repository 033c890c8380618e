"""Reading an untrusted schema into a `Doc`: well-formed, self-contained, finite, and a copy."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Any, Final

from .endless import cut_endless
from .keywords import LIST, MAP, ONE, PLAIN, Node
from .references import References

MOST_BYTES: Final = 256 * 1024
"""Largest schema that is read, in bytes of compact UTF-8 JSON."""
MOST_LEVELS: Final = 500
"""Deepest nesting of dicts and lists that is read; 200 nested objects make 400 of them."""
_MOST_VALUES: Final = 200_000
_REMEMBERED: Final = 256

# Until draft 7 a `$ref` made its siblings mean nothing.
_LONELY_REF: Final = ("draft-03", "draft-04", "draft-06", "draft-07")
_BESIDE_REF: Final = ("title", "description", "default", "examples")


class SchemaRefused(ValueError):
    """A schema that is not even read. `reason` says why, for the log and for `describe_service`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Doc:
    """A schema as we understand it, never changed after it was read.

    Attributes:
        root: The schema. Every `$ref` in it is a key of `defs`; booleans are written `{}` and `{"not": {}}`.
        defs: What the references lead to.
        nodes: All schemas in it, the root first.
        notes: What could not be understood.
        lost: `id` of each node of which something was left out, so that it accepts more than it should.
        text: The original as compact JSON; equal texts are equal schemas.
    """

    root: Node
    defs: Mapping[str, Node]
    nodes: tuple[Node, ...]
    notes: tuple[str, ...]
    lost: frozenset[int]
    text: str


Schema = Mapping[str, Any] | Doc
"""A schema as a service gives it, or read already: who asks often keeps the latter."""


def read(original: Mapping[str, Any] | bool | Doc) -> Doc:
    """Read a schema; a schema read before comes from memory, and one that was read is returned as it is.

    Raises:
        SchemaRefused: It is larger than 256 kB, nested deeper than 500 levels, or not JSON.
    """
    if isinstance(original, Doc):
        return original
    text = _written(original)
    with _lock:
        doc = _memory.get(text)
        if doc is not None:
            _memory.move_to_end(text)
            return doc
    doc = _Reader(text).doc()
    with _lock:
        _memory[text] = doc
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    return doc


_memory: OrderedDict[str, Doc] = OrderedDict()
_lock = Lock()


def nesting(value: object, *, most_levels: int, most_values: int) -> str | None:
    """Return what is too much about a value, or `None`; never recurses, so that any value can be asked about."""
    pending = [(value, 1)]
    seen = 0
    while pending:
        each, level = pending.pop()
        seen += 1
        if level > most_levels:
            return f"it is nested deeper than {most_levels} levels"
        if seen > most_values:
            return f"it has more than {most_values} values"
        if isinstance(each, Mapping):
            pending.extend((inner, level + 1) for inner in each.values() if isinstance(inner, Mapping | list | tuple))
            seen += len(each)
        elif isinstance(each, list | tuple):
            pending.extend((inner, level + 1) for inner in each if isinstance(inner, Mapping | list | tuple))
            seen += len(each)
    return None


def _written(original: Mapping[str, Any] | bool) -> str:
    if not isinstance(original, Mapping | bool):
        raise SchemaRefused(f"a schema is a JSON object, not {type(original).__name__}")
    too_much = nesting(original, most_levels=MOST_LEVELS, most_values=_MOST_VALUES)
    if too_much:
        raise SchemaRefused(f"the schema cannot be used: {too_much}")
    try:
        text = json.dumps(original, ensure_ascii=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaRefused(f"the schema is not JSON: {str(error)[:200]}") from error
    size = len(text.encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        raise SchemaRefused(f"the schema has {size} bytes; at most {MOST_BYTES} are read")
    return text


def _plain(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


class _Reader:
    """One reading, without recursion: `_pending` holds what is still to be copied, and where to."""

    def __init__(self, text: str) -> None:
        self._text = text
        raw = json.loads(text)
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else ({} if raw else {"not": {}})
        self._references = References(self._raw)
        self._lonely_ref = any(draft in str(self._raw.get("$schema")) for draft in _LONELY_REF)
        self._notes: dict[str, None] = {}
        self._lost: set[int] = set()
        self._defs: dict[str, Node] = {}
        self._keys: dict[int, str] = {}
        self._nodes: list[Node] = []
        self._pending: list[tuple[dict[str, Any], Node]] = []

    def doc(self) -> Doc:
        root = self._schema(self._raw)
        while self._pending:
            raw, node = self._pending.pop()
            self._fill(self._unified(raw), raw, node)
        for node in cut_endless(self._nodes, self._defs):
            self._lose(node, "references that never end were left out")
        return Doc(
            root=root,
            defs=MappingProxyType(self._defs),
            nodes=tuple(self._nodes),
            notes=tuple(self._notes),
            lost=frozenset(self._lost),
            text=self._text,
        )

    def _lose(self, node: Node, text: str) -> None:
        self._lost.add(id(node))
        if len(self._notes) < 20:
            self._notes[text[:200]] = None

    def _schema(self, raw: object) -> Node:
        node: Node = {}
        self._nodes.append(node)
        if raw is False:
            node["not"] = {}
        elif isinstance(raw, dict):
            self._pending.append((raw, node))
        elif raw is not True:
            self._lose(node, f"{str(raw)[:40]!r} stands where a schema should and was left out")
        return node

    def _fill(self, keywords: dict[str, Any], raw: dict[str, Any], node: Node) -> None:
        reference = next((key for key in ("$ref", "$dynamicRef", "$recursiveRef") if key in keywords), None)
        if reference:
            self._refer(keywords[reference], raw, node)
            if self._lonely_ref:
                keywords = {key: keywords[key] for key in _BESIDE_REF if key in keywords}
        # What is said of the value itself comes first, so that a check that stops early has seen the outermost faults.
        for key, value in sorted(keywords.items(), key=lambda item: item[0] not in PLAIN):
            if key in PLAIN:
                if PLAIN[key](value):
                    node[key] = value
                else:
                    self._lose(node, f"the keyword {key!r} has a value of the wrong kind and was left out")
            elif key in ONE:
                node[key] = self._schema(value)
            elif key in LIST and isinstance(value, list) and value:
                node[key] = [self._schema(each) for each in value]
            elif key in MAP and isinstance(value, dict):
                node[key] = {name: self._schema(each) for name, each in value.items()}
            elif key in LIST or key in MAP:
                self._lose(node, f"the keyword {key!r} has a value of the wrong kind and was left out")
            elif key == "discriminator" and isinstance(value, dict) and isinstance(value.get("propertyName"), str):
                node[key] = value["propertyName"]

    def _refer(self, reference: object, raw: dict[str, Any], node: Node) -> None:
        target = self._references.target(reference, raw) if isinstance(reference, str) else None
        if target is None:
            self._lose(node, f"the reference {str(reference)[:120]!r} leads nowhere in this schema and was left out")
        elif target is False:
            node["not"] = {}
        elif isinstance(target, dict):
            key = self._keys.get(id(target))
            if key is None:
                key = self._keys[id(target)] = str(len(self._keys))
                self._defs[key] = self._schema(target)
            node["$ref"] = f"#/$defs/{key}"

    def _unified(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Say in the words of draft 2020-12 what older drafts say otherwise."""
        keywords = dict(raw)
        if isinstance(keywords.get("items"), list):
            members = keywords.pop("items")
            if members:
                keywords["prefixItems"] = members
            if "additionalItems" in keywords:
                keywords["items"] = keywords.pop("additionalItems")
        for bound in ("minimum", "maximum"):
            exclusive = f"exclusive{bound.capitalize()}"
            if isinstance(keywords.get(exclusive), bool) and keywords.pop(exclusive) and bound in keywords:
                keywords[exclusive] = keywords.pop(bound)
        dependencies = keywords.pop("dependencies", None)
        if isinstance(dependencies, dict):
            keywords["dependentRequired"] = {k: v for k, v in dependencies.items() if isinstance(v, list)}
            keywords["dependentSchemas"] = {k: v for k, v in dependencies.items() if not isinstance(v, list)}
        return keywords
