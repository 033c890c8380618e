"""Arguments of a service tool: understood, checked against the original schema, and complained about usefully.

All of it is pure and may take a moment for large inputs, so callers run it in a worker thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .schema import WRAPPED, PublishedSchema, restore
from .schemas.kinds import KindsOf, conjuncts
from .schemas.places import Nodes, Places
from .schemas.reading import Doc, read
from .schemas.renaming import Renaming
from .schemas.wording import given, wanted
from .text import clip, one_line

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_BYTES: Final = 1_000_000
"""Largest input, in bytes of JSON."""
MOST_LEVELS: Final = 64
"""Deepest input: an object of plain values is one level."""
MOST_COMPLAINTS: Final = 5
MOST_TEXT: Final = 10_000
"""Longest error text, in bytes."""
_MOST_EXAMPLE: Final = 2_000
_MOST_ALTERNATIVES: Final = 6


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with the arguments of a call.

    Attributes:
        field: Where, as in `shape.points[2].x`; empty for the input as a whole.
        given: What was given there, shortened; "nothing" if it is missing.
        wanted: What the service accepts there.
    """

    field: str
    given: str
    wanted: str

    def __str__(self) -> str:
        where = f"`{self.field}`" if self.field else "the input"
        return f"{where}: given {self.given}; wanted {self.wanted}"


def understand(arguments: Mapping[str, Any], published: PublishedSchema, original: Mapping[str, Any]) -> Any:
    """Return the service's input for a tool's arguments: names restored, JSON text parsed where an object was meant.

    This is what is checked and then submitted. The arguments are not changed.
    """
    repaired = repair(restore(arguments, published, original), original)
    return Renaming(read(original), published.renames).restored(repaired)  # parsed text has published names too


def repair(arguments: Any, original: Mapping[str, Any]) -> Any:
    """Parse JSON text that stands where only an object or an array can, at any depth.

    A field that accepts text, be it as one of several alternatives, is never touched; nor is text that is no JSON or
    holds another kind of value.
    """
    if _too_much(arguments) is not None:
        return arguments
    doc = read(original)
    return _Repair(doc).repaired(arguments, (doc.root,))


def check(
    arguments: Any, original: Mapping[str, Any], *, published: PublishedSchema | None = None
) -> list[Complaint]:
    """Check an input, as `understand` returns it, against the service's own schema.

    What cannot be checked (a pattern no linear-time engine takes, a reference that leads nowhere, a schema whose
    alternatives multiply beyond 2 million steps) is left to the service.

    Args:
        arguments: The input.
        original: The service's schema, of any draft.
        published: Its published form, so that complaints call fields by the names the caller knows.

    Returns:
        At most five complaints, the outermost first; none if the service may be called.
    """
    too_much = _too_much(arguments)
    if too_much is not None:
        return [too_much]
    from .schemas.checking import errors  # jsonschema takes 0.1 s to import, which listing tools need not wait for

    doc = read(original)
    found, _ = errors(doc, arguments, _sizes(arguments))
    teller = _Teller(doc, published)
    complaints = {str(each): each for error in found for each in teller.complaints(error)}
    ordered = sorted(complaints.values(), key=lambda each: each.field.count(".") + each.field.count("["))
    return ordered[:MOST_COMPLAINTS]


def complaint_text(tool: str, complaints: Sequence[Complaint], *, example: Any = None) -> str:
    """Write complaints as the text of a tool error, at most 10 kB.

    Args:
        tool: Name of the tool that was called.
        complaints: From `check`.
        example: Arguments of a call that would be accepted, in published names; left out where it is too long.
    """
    lines = [f"{tool} was not called: its arguments do not fit. Nothing was submitted."]
    lines += [f"- {clip(str(each), 1_200)}" for each in complaints]
    lines.append(f"Correct {'this' if len(complaints) == 1 else 'these'} and call {tool} again.")
    if example is not None:
        text = json.dumps(example, ensure_ascii=False)
        if len(text) <= _MOST_EXAMPLE:
            lines.append(f"A call that fits: {text}")
    told = "\n".join(lines)
    while len(told.encode(errors="replace")) > MOST_TEXT:
        told = clip(told, len(told) * 9 // 10)
    return told


def _too_much(arguments: Any) -> Complaint | None:
    """Refuse what is too large or too deep, without recursion and without writing it out."""
    size = 0
    pending = [(arguments, 0)]
    while pending:
        value, level = pending.pop()
        if isinstance(value, dict | list):
            level += 1
            if level > MOST_LEVELS:
                return Complaint("", f"an input nested deeper than {MOST_LEVELS} levels", "a flatter one")
            size += 2 + 2 * len(value)
            pending.extend((each, level) for each in (value.values() if isinstance(value, dict) else value))
            size += sum(len(str(name)) + 2 for name in value) if isinstance(value, dict) else 0
        else:
            size += _length(value)
        if size > MOST_BYTES:
            return Complaint(
                "", f"an input of more than {MOST_BYTES} bytes", "less; upload large data as an artifact and pass its URN"
            )
    return None


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="replace"))
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() // 3
    return 4


def _sizes(value: Any) -> dict[int, int]:
    """Return the rough size in bytes of each larger part of a value that is at most 64 levels deep."""
    sizes: dict[int, int] = {}

    def size(each: Any) -> int:
        if isinstance(each, dict):
            own = sum(len(key) + size(inner) for key, inner in each.items())
        elif isinstance(each, list):
            own = sum(map(size, each))
        else:
            own = _length(each)
        if own > 200:
            sizes[id(each)] = own
        return own + 4

    size(value)
    return sizes


class _Repair:
    def __init__(self, doc: Doc) -> None:
        self._places = Places(doc)
        self._kinds = KindsOf(doc)

    def repaired(self, value: Any, nodes: Nodes) -> Any:
        if not nodes:
            return value
        if isinstance(value, str):
            value = self._parsed(value, nodes)
        place = self._places.of(nodes) if isinstance(value, dict | list) else None
        if place is not None and isinstance(value, dict):
            return {name: self.repaired(each, place.under(name)) for name, each in value.items()}
        if place is not None and isinstance(value, list):
            return [self.repaired(each, place.items) for each in value]
        return value

    def _parsed(self, text: str, nodes: Nodes) -> Any:
        kinds = frozenset[str]().union(*(self._kinds(node) for node in nodes))
        if "string" in kinds or not kinds & {"object", "array"} or text.lstrip()[:1] not in ("{", "["):
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        fits = isinstance(value, dict) and "object" in kinds or isinstance(value, list) and "array" in kinds
        return value if fits and _too_much(value) is None else text


class _Teller:
    """Makes complaints of a validator's errors."""

    def __init__(self, doc: Doc, published: PublishedSchema | None) -> None:
        self._doc = doc
        self._kinds = KindsOf(doc)
        self._names = {old: new for new, old in published.renames.items()} if published else {}
        self._wrapped = published is not None and published.wrapped

    def complaints(self, error: ValidationError) -> list[Complaint]:
        """Return what one error means to the caller."""
        schema: Any = error.schema
        path = list(error.absolute_path)
        match error.validator:
            case "required":
                missing = [name for name in schema["required"] if name not in error.instance]
                own = conjuncts(self._doc, schema)
                return [self._missing(path, name, own) for name in missing[:MOST_COMPLAINTS]]
            case "additionalProperties" if schema.get("additionalProperties") == {"not": {}}:
                known = [one_line(self._names.get(name, name), 60) for name in list(schema.get("properties", ()))[:20]]
                return [self._complaint(path, error.instance, f"no such field; known here: {', '.join(known) or 'none'}")]
            case "anyOf" | "oneOf":
                return [self._complaint(path, error.instance, self._alternatives(error))]
            case "uniqueItems":
                return [self._complaint(path, error.instance, "items that all differ")]
            case "not":
                return [self._complaint(path, error.instance, "something the schema does not exclude")]
            case "dependentRequired" | "contains" | "propertyNames" | "unevaluatedProperties" | "unevaluatedItems":
                return [self._complaint(path, error.instance, one_line(f"{error.validator}: {error.message}", 300))]
        return [self._complaint(path, error.instance, wanted(self._doc, self._kinds, schema, self._names))]

    def _missing(self, path: list[Any], name: str, parts: Iterable[Mapping[str, Any]]) -> Complaint:
        schema = next((part["properties"][name] for part in parts if name in part.get("properties", {})), {})
        told = wanted(self._doc, self._kinds, schema, self._names)
        return Complaint(self._field([*path, name]), "nothing", f"{told} (required)")

    def _complaint(self, path: list[Any], value: Any, told: str) -> Complaint:
        return Complaint(self._field(path), given(value), told)

    def _alternatives(self, error: ValidationError) -> str:
        """Say what each alternative wants, and what is wrong by it where that says more."""
        branches: Any = error.validator_value
        if not error.context:
            told = wanted(self._doc, self._kinds, {str(error.validator): branches}, self._names)
            return f"exactly one of these, and it fits several: {told}"
        told = []
        for index, branch in enumerate(branches[:_MOST_ALTERNATIVES]):
            text = wanted(self._doc, self._kinds, branch, self._names)
            inner = next((each for each in error.context if each.schema_path[0] == index), None)
            if inner is not None and isinstance(error.instance, dict) and inner.validator != "type":
                wrong = self.complaints(inner)
                text += f" (here {wrong[0]})" if wrong and len(str(wrong[0])) < 300 else ""
            told.append(text)
        if len(branches) > _MOST_ALTERNATIVES:
            told.append(f"{len(branches) - _MOST_ALTERNATIVES} more")
        return "one of: " + "; or ".join(dict.fromkeys(told))

    def _field(self, path: Iterable[Any]) -> str:
        text = WRAPPED if self._wrapped else ""
        for step in path:
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                text += ("." if text else "") + one_line(self._names.get(step, step), 100)
        return clip(text, 400)
