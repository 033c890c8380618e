"""A small input made from a schema: its own examples, defaults and values first, then the least that fits."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, Final

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import ALL, KindsOf, allows, conjuncts
from ivcap_client.schemas.reading import Doc

from .keys import SCHEMA_KEY
from .scalars import tightest, values
from .shapes import plain_kinds

_MOST_LEVELS: Final = 12
_MOST_ITEMS: Final = 20
_MOST_TEXT: Final = 2_000
_MOST_STEPS: Final = 2_000
_OPTIONAL_SHOWN: Final = 3

_BY_FORMAT: Final = {
    "date-time": "2025-01-31T12:00:00Z",
    "date": "2025-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "name@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Sampler:
    """Makes one value for a schema, the same each time. It may miss what patterns and conditions demand."""

    def __init__(self, doc: Doc) -> None:
        self._doc = doc
        self._kinds = KindsOf(doc)
        self._steps = 0

    def sample(self, *nodes: Node, level: int = 0, choice: int = 0) -> Any:
        """Return a value for what satisfies all of `nodes`.

        Args:
            nodes: Schemas that hold together.
            level: How deep the value will stand.
            choice: Which alternative to take where this very schema has several.
        """
        self._steps += 1
        parts = conjuncts(self._doc, *nodes)
        kinds = self._kinds(*nodes)
        stated = [value for part in parts for value in (*part.get("examples", ()), part.get("default"))]
        for value in stated:
            if value is not None and allows(kinds, value) and not choice:
                return copy.deepcopy(value)
        if level > _MOST_LEVELS or self._steps > _MOST_STEPS:
            return None
        branches = next((part[key] for part in parts for key in ("anyOf", "oneOf") if key in part), None)
        if branches is not None:
            fitting = [each for each in branches if self._kinds(each) & kinds - {"null"}] or branches
            rest = [{k: v for k, v in part.items() if k not in ("$ref", "allOf", "anyOf", "oneOf")} for part in parts]
            return self.sample(fitting[min(choice, len(fitting) - 1)], *rest, level=level + 1)
        return self._of_kind(parts, [kind for kind in plain_kinds(kinds) if values(kind, parts) != []], kinds, level)

    def _of_kind(self, parts: list[Node], wanted: list[str], kinds: frozenset[str], level: int) -> Any:
        if "null" in kinds and not wanted:
            return None
        kind = (
            "string" if kinds == ALL and level else next((each for each in ("object", *wanted) if each in wanted), "")
        )
        offered = values(kind, parts) if kind else None
        if offered:
            return copy.deepcopy(offered[0])
        match kind:
            case "object":
                return self._object(parts, level)
            case "array":
                return self._array(parts, level)
            case "string":
                return _text(parts)
            case "number" | "integer":
                return _number(kind, parts)
            case "boolean":
                return True
        return None

    def _object(self, parts: list[Node], level: int) -> dict[str, Any]:
        declared: dict[str, list[Node]] = {}
        for part in parts:
            for name, schema in part.get("properties", {}).items():
                declared.setdefault(name, []).append(schema)
        required = list(dict.fromkeys(name for part in parts for name in part.get("required", ())))
        optional = [name for name in declared if name not in required and name != SCHEMA_KEY and not level]
        least = tightest(parts, "minProperties", max) or 0
        shown = optional[: _OPTIONAL_SHOWN if not required else max(0, least - len(required))]
        made = {name: self.sample(*declared.get(name, [{}]), level=level + 1) for name in (*required, *shown)}
        return {name: value for name, value in made.items() if value is not None or name in required}

    def _array(self, parts: list[Node], level: int) -> list[Any]:
        least = tightest(parts, "minItems", max) or 0
        most = tightest(parts, "maxItems", min)
        prefix: list[Node] = next((part["prefixItems"] for part in parts if "prefixItems" in part), [])
        items = [part["items"] for part in parts if "items" in part]
        length = max(least, len(prefix) or (1 if level < _MOST_LEVELS // 2 else 0))
        length = min(length, _MOST_ITEMS, length if most is None else most)
        return [
            self.sample(*([prefix[index]] if index < len(prefix) else items), level=level + 1)
            for index in range(length)
        ]


def _text(parts: Iterable[Node]) -> str:
    form = next((part["format"] for part in parts if part.get("format") in _BY_FORMAT), None)
    if form is not None:
        return _BY_FORMAT[form]
    least = tightest(parts, "minLength", max) or 0
    most = tightest(parts, "maxLength", min)
    text = "text"
    if len(text) < least <= _MOST_TEXT:
        text = (text * least)[:least]
    return text if most is None else text[:most]


def _number(kind: str, parts: Iterable[Node]) -> int | float:
    low = max((part.get("minimum", -math.inf) for part in parts), default=-math.inf)
    high = min((part.get("maximum", math.inf) for part in parts), default=math.inf)
    above = max((part.get("exclusiveMinimum", -math.inf) for part in parts), default=-math.inf)
    below = min((part.get("exclusiveMaximum", math.inf) for part in parts), default=math.inf)
    step = next((part["multipleOf"] for part in parts if "multipleOf" in part), None)
    if kind == "integer" or step is not None:
        step = step or 1
        first = max(
            math.ceil(low / step) if low > -math.inf else -math.inf,
            math.floor(above / step) + 1 if above > -math.inf else -math.inf,
        )
        last = min(
            math.floor(high / step) if high < math.inf else math.inf,
            math.ceil(below / step) - 1 if below < math.inf else math.inf,
        )
        count = min(max(1, first), last)
        return count * step if step != 1 else int(count)
    low, high = max(low, above), min(high, below)
    if low < 1.0 < high:
        return 1.0
    if math.isfinite(low) and math.isfinite(high):
        return low if low == high else low + (high - low) / 2
    return low + 1 if math.isfinite(low) else high - 1
