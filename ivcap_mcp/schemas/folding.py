"""Root alternatives folded into one object, since model hosts refuse `anyOf` at the root of a tool's schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ivcap_client.schemas.keywords import Node

from ..text import clip
from .shapes import any_of, shown, united

_MOST_SENTENCE: Final = 300


def fold(branches: list[Node]) -> Node:
    """Return one object schema for several published ones.

    It has the properties of all of them and requires what all require. A property that several describe in different
    ways may be any of those. Which belong together is said in words.
    """
    if len(branches) == 1:
        return branches[0]
    variants: dict[str, list[Node]] = {}
    for branch in branches:
        for name, schema in branch["properties"].items():
            variants.setdefault(name, []).append(schema)
    required = _common([branch.get("required", []) for branch in branches])
    folded: Node = {
        "type": "object",
        "description": _sentence(branches, required),
        "properties": {name: _joined(schemas) for name, schemas in variants.items()},
    }
    if required:
        folded["required"] = required
    if all(branch.get("additionalProperties") is False for branch in branches):
        folded["additionalProperties"] = False
    return {key: value for key, value in folded.items() if value != ""}


def _joined(schemas: list[Node]) -> Node:
    first = schemas[0]
    if all("enum" in each and each.get("type") == first.get("type") for each in schemas):
        # Fixed values that tell alternatives apart: each is allowed, and no default of one holds for the others.
        values = first["enum"]
        for each in schemas[1:]:
            values = united(values, each["enum"])
        said = next((each["description"] for each in schemas if "description" in each), None)
        made = {"type": first["type"], "description": said, "enum": values}
        return {key: value for key, value in made.items() if value is not None}
    return any_of(schemas)


def _common(lists: Iterable[list[str]]) -> list[str]:
    first, *others = lists
    return [name for name in first if all(name in other for other in others)]


def _sentence(branches: list[Node], required: list[str]) -> str:
    told: dict[str, None] = {}
    for branch in branches:
        fixed = [
            f"{name} = {shown(schema['enum'])}"
            for name, schema in branch["properties"].items()
            if len(schema.get("enum", ())) == 1
        ]
        needed = [
            name
            for name in branch.get("required", [])
            if name not in required and len(branch["properties"][name].get("enum", ())) != 1
        ]
        told[_and([*fixed, *needed])] = None
    if len(told) < 2:
        return ""
    return clip(f"Give {', or '.join(text or 'none of these' for text in told)}.", _MOST_SENTENCE)


def _and(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""
