"""Which JSON Schema keywords we know, and what a well-formed value of each is.

A keyword with a malformed value is dropped: it says nothing that could be checked, and validators stumble over it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Node: TypeAlias = dict[str, Any]
"""A schema as `reading` leaves it: a dict of well-formed keywords whose sub-schemas are such dicts too."""

_MOST_DATA_LEVELS = 64

TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")


def is_number(value: object) -> bool:
    """Say whether a value is a JSON number of a size every client can hold (`True` is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def is_data(value: object) -> bool:
    """Say whether a value can be written as JSON (no NaN, no infinity) and compared (at most 64 levels deep)."""
    pending = [(value, 1)]
    while pending:
        each, level = pending.pop()
        if level > _MOST_DATA_LEVELS:
            return False
        if isinstance(each, dict):
            pending.extend((inner, level + 1) for inner in each.values())
        elif isinstance(each, list):
            pending.extend((inner, level + 1) for inner in each)
        elif isinstance(each, float) and not math.isfinite(each):
            return False
    return True


def _is_count(value: object) -> bool:
    return is_number(value) and value >= 0 and value == int(value)  # type: ignore[operator,call-overload]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_type(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, str) and each in TYPES for each in value)
    return isinstance(value, str) and value in TYPES


def _is_values(value: object) -> bool:
    return isinstance(value, list) and bool(value) and is_data(value)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_dependent(value: object) -> bool:
    return isinstance(value, dict) and all(_is_names(each) for each in value.values())


PLAIN: Final[Mapping[str, Callable[[object], bool]]] = {
    "type": _is_type,
    "enum": _is_values,
    "const": is_data,
    "default": is_data,
    "examples": _is_values,
    "title": _is_text,
    "description": _is_text,
    "format": _is_text,
    "pattern": _is_text,
    "minimum": is_number,
    "maximum": is_number,
    "exclusiveMinimum": is_number,
    "exclusiveMaximum": is_number,
    "multipleOf": lambda value: is_number(value) and value > 0,  # type: ignore[operator]
    "minLength": _is_count,
    "maxLength": _is_count,
    "minItems": _is_count,
    "maxItems": _is_count,
    "minContains": _is_count,
    "maxContains": _is_count,
    "minProperties": _is_count,
    "maxProperties": _is_count,
    "uniqueItems": lambda value: isinstance(value, bool),
    "required": _is_names,
    "dependentRequired": _is_dependent,
}
"""Keywords whose value holds no schema → is this value well formed?"""

ONE: Final = frozenset(
    {
        "items",
        "additionalProperties",
        "propertyNames",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema."""
LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""
MAP: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords whose value maps names to schemas."""

NAMED: Final = MAP | {"$defs", "definitions", "dependencies"}
"""Keywords, read in any draft, below which keys are names and no keywords."""
DATA: Final = frozenset({"const", "enum", "default", "examples", "example"})
"""Keywords below which nothing is a schema."""

ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "discriminator"})
"""Keywords that restrict nothing."""


def equal_key(value: object) -> str:
    """Return a text that is the same for values JSON Schema calls equal (1 and 1.0 are, 1 and true are not)."""
    pieces: list[str] = []
    _write(value, pieces.append)
    return "".join(pieces)


def _write(value: object, put: Callable[[str], None]) -> None:
    if isinstance(value, dict):
        put("{")
        for key in sorted(value):
            put(f"{key!r}:")
            _write(value[key], put)
            put(",")
        put("}")
    elif isinstance(value, list):
        put("[")
        for each in value:
            _write(each, put)
            put(",")
        put("]")
    elif isinstance(value, float) and value.is_integer():
        put(repr(int(value)))
    else:
        put(repr(value))
