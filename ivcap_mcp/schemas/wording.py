"""What a schema wants and what was given, in words short enough for an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import KindsOf, conjuncts, kind_of
from ivcap_client.schemas.reading import Doc

from ..text import clip, one_line
from .scalars import values
from .shapes import plain_kinds, shown

_MOST: Final = 300
_MOST_GIVEN: Final = 100
_MOST_NAMES: Final = 12
_MOST_ALTERNATIVES: Final = 6

_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "exclusiveMinimum": "greater than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} properties",
    "maxProperties": "at most {} properties",
    "pattern": "matching {}",
    "format": "in the format {}",
}


def given(value: Any) -> str:
    """Write a value shortly: small ones as JSON, larger ones by their kind, size and beginning."""
    if isinstance(value, dict):
        names = ", ".join(one_line(str(name), 30) for name in list(value)[:_MOST_NAMES])
        more = ", …" if len(value) > _MOST_NAMES else ""
        return f"an object with {names}{more}" if value else "an empty object"
    if isinstance(value, list):
        inner = ", ".join(given(each) for each in value[:3] if not isinstance(each, dict | list))
        return clip(f"an array of {len(value)} ({inner}…)" if inner else f"an array of {len(value)}", _MOST_GIVEN)
    if isinstance(value, str):
        return one_line(json.dumps(value[:200], ensure_ascii=False), _MOST_GIVEN)
    return one_line(json.dumps(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge integer", 40)


def wanted(doc: Doc, kinds: KindsOf, node: Node, names: Mapping[str, str], level: int = 0) -> str:
    """Say what a schema accepts.

    Args:
        doc: The schema's document.
        kinds: The kinds of its parts.
        node: The schema.
        names: Original → published property name.
        level: How deep in alternatives this is; they are spelt out once.
    """
    parts = conjuncts(doc, node)
    branches = next((part[key] for part in parts for key in ("anyOf", "oneOf") if key in part), None)
    if branches is not None and level < 2:
        told = dict.fromkeys(wanted(doc, kinds, branch, names, level + 1) for branch in branches[:_MOST_ALTERNATIVES])
        more = " or …" if len(branches) > _MOST_ALTERNATIVES else ""
        return clip(" or ".join(told) + more, _MOST * 2)
    allowed = kinds(node)
    offered = [value for kind in (*plain_kinds(allowed), "null") for value in values(kind, parts) or ()]
    if offered:
        return one_line(f"one of {shown(offered, _MOST - 20)}" if len(offered) > 1 else shown(offered), _MOST)
    if not allowed:
        return "nothing: it may not be given"
    text = _kinds(allowed)
    if allowed == {"object"}:
        text += _of_object(doc, parts, names)
    elif allowed == {"array"} and level < 2:
        items = [part["items"] for part in parts if "items" in part]
        text += f" of: {wanted(doc, kinds, items[0], names, level + 1)}" if items and items[0] else ""
    limits = [_limit(words, part[keyword]) for keyword, words in _LIMITS.items() for part in parts if keyword in part]
    return one_line(", ".join([text, *dict.fromkeys(limits)]), _MOST)


def _limit(words: str, value: Any) -> str:
    told = words.format(shown([value], 120) if isinstance(value, str) else value)
    one = value == 1 and not isinstance(value, (bool, str))
    return told.removesuffix("ies") + "y" if one and told.endswith("ies") else told.removesuffix("s") if one else told


def kind_named(value: Any) -> str:
    """Return the type of a value with its article."""
    return _kinds(kind_of(value))


def _kinds(kinds: frozenset[str]) -> str:
    if len(kinds) == 7:
        return "anything"
    named = [f"an {kind}" if kind[0] in "aio" else f"a {kind}" for kind in plain_kinds(kinds)]
    if "null" in kinds:
        named.append("null")
    return " or ".join(named)


def _of_object(doc: Doc, parts: list[Node], names: Mapping[str, str]) -> str:
    required = dict.fromkeys(name for part in parts for name in part.get("required", ()))
    if not required:
        return ""
    told = []
    for name in list(required)[:_MOST_NAMES]:
        own = [part["properties"][name] for part in parts if name in part.get("properties", {})]
        inner = conjuncts(doc, *own) if own else []
        fixed = [value for kind in ("string", "integer", "boolean") for value in values(kind, inner) or ()]
        shown_name = one_line(names.get(name, name), 60)
        told.append(f"{shown_name} = {shown(fixed)}" if len(fixed) == 1 else shown_name)
    return f" with {', '.join(told)}{', …' if len(required) > _MOST_NAMES else ''}"
