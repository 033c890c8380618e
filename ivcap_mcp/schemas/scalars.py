"""Published strings and numbers, and what several schemas for one value come to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from ivcap_client.schemas.keywords import Node, equal_key
from ivcap_client.schemas.kinds import allows
from ivcap_client.schemas.patterns import is_portable

from .shapes import is_clean, shown

# Formats every client knows or ignores; others are said in words.
_FORMATS: Final = frozenset(
    {"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"}
)


def values(kind: str, parts: Iterable[Node]) -> list[Any] | None:
    """Return the values of one type that all `enum` and `const` of a schema allow; `None` where nothing lists any."""
    allowed: dict[str, Any] | None = None
    for part in parts:
        for offered in (part.get("enum"), [part["const"]] if "const" in part else None):
            if offered is not None:
                own = {equal_key(value): value for value in offered}
                allowed = own if allowed is None else {key: allowed[key] for key in allowed if key in own}
    if allowed is None:
        return None
    kinds = frozenset({"number", "integer"} if kind == "number" else {kind})
    return [value for value in allowed.values() if allows(kinds, value)]


def string(parts: Iterable[Node]) -> Node:
    """Publish a string: lengths, and formats and patterns as far as they mean the same to everyone."""
    made: Node = {"type": "string"}
    said: list[str] = []
    for part in parts:
        if part.get("minLength"):
            made["minLength"] = max(made.get("minLength", 0), int(part["minLength"]))
        if "maxLength" in part:
            made["maxLength"] = min(made.get("maxLength", math.inf), int(part["maxLength"]))
        form = part.get("format")
        if form in _FORMATS and "format" not in made:
            made["format"] = form
        elif form is not None and form != made.get("format"):
            said.append(f"Format: {shown([form], 60)}.")
        pattern = part.get("pattern")
        if pattern is not None and "pattern" not in made and is_portable(pattern) and is_clean(pattern):
            made["pattern"] = pattern
        elif pattern is not None and pattern != made.get("pattern"):
            said.append(f"Must match {shown([pattern], 120)}.")
    return {**made, "additions": said} if said else made


def number(kind: str, parts: Iterable[Node]) -> Node:
    """Publish a number. Exclusive bounds, which some hosts drop, become inclusive ones and a word about it."""
    low, high, step = -math.inf, math.inf, None
    said: list[str] = []
    strict_low, strict_high = -math.inf, math.inf
    for part in parts:
        low = max(low, part.get("minimum", -math.inf))
        high = min(high, part.get("maximum", math.inf))
        strict_low = max(strict_low, part.get("exclusiveMinimum", -math.inf))
        strict_high = min(strict_high, part.get("exclusiveMaximum", math.inf))
        step = part.get("multipleOf") if step is None else step
    if strict_low >= low and math.isfinite(strict_low):
        low = math.floor(strict_low) + 1 if kind == "integer" else strict_low
        said += [] if kind == "integer" else [f"Greater than {strict_low}."]
    if strict_high <= high and math.isfinite(strict_high):
        high = math.ceil(strict_high) - 1 if kind == "integer" else strict_high
        said += [] if kind == "integer" else [f"Less than {strict_high}."]
    made: Node = {"type": kind}
    if math.isfinite(low):
        made["minimum"] = low
    if math.isfinite(high):
        made["maximum"] = high
    if step is not None:
        made["multipleOf"] = step
    return {**made, "additions": said} if said else made


def tightest(parts: Iterable[Node], keyword: str, choose: Any) -> int | None:
    """Return the strictest of the whole numbers the parts give for a keyword."""
    found = [int(part[keyword]) for part in parts if keyword in part]
    return choose(found) if found else None
