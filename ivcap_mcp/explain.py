"""Why a job failed, as far as its surroundings tell: the nearest input that worked, and what differs from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ivcap_mcp.text import one_line

K = TypeVar("K")

MOST_DIFFERENCES = 30
MOST_COMPARED = 5_000
"""Values compared before two inputs count as just different."""
MOST_VALUE = 160
ABSENT = "(absent)"


NAMED, WRONG = "the error names it", "it does not fit the service's schema"
_SHORTEST_NAMED = 4
"""Characters from which on a value that stands in an error's text stands there hardly by chance."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two values differ.

    Attributes:
        at: JSON Pointer.
        here: The value in words.
        there: The other value in words.
        retyped: The two are of different types.
        text: What is here, if it is text.
        why: Why this place is suspicious, where something beside the comparison says so.
    """

    at: str
    here: str
    there: str
    retyped: bool = False
    text: str = ""
    why: str = ""

    def told(self, other: str) -> dict[str, str]:
        return {"at": self.at or "/", "here": self.here, other: self.there} | ({"why": self.why} if self.why else {})


def differences(here: Any, there: Any) -> Iterator[Difference]:
    """Where two JSON values differ, outermost first; a whole object that only one of them has counts once."""
    waiting: list[tuple[str, Any, Any]] = [("", here, there)]
    compared = 0
    while waiting:
        at, one, other = waiting.pop(0)
        compared += 1
        if compared > MOST_COMPARED:
            return
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for key in dict.fromkeys([*one, *other]):
                below = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
                if key not in one or key not in other:
                    yield Difference(below, _word(one, key), _word(other, key), text=_text(one.get(key)))
                else:
                    waiting.append((below, one[key], other[key]))
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                yield Difference(at, f"a list of {len(one)}", f"a list of {len(other)}")
            waiting.extend((f"{at}/{number}", a, b) for number, (a, b) in enumerate(zip(one, other, strict=False)))
        elif type(one) is not type(other) or one != other:
            numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
            if not (numbers and not isinstance(one, bool) and not isinstance(other, bool) and one == other):
                yield Difference(at, in_words(one), in_words(other), kind_of(one) != kind_of(other), _text(one))


def ranked(found: Iterable[Difference], error: str, wrong: Collection[str] = ()) -> list[Difference]:
    """Differences, the ones that are most likely to explain a failure first.

    That is: what the error names, what the schema does not accept, what has another type, what has another value, what
    only this input has, what it leaves out. Of equally suspicious ones the order stays.

    Args:
        found: From `differences`, the failed input being the first value.
        error: What the job said about its failure.
        wrong: JSON Pointers of values that do not fit the service's schema.
    """
    told: list[tuple[int, Difference]] = []
    for one in found:
        if _names(error, one):
            told.append((0, replace(one, why=NAMED)))
        elif any(place == one.at or place.startswith(f"{one.at}/") for place in wrong):
            told.append((1, replace(one, why=WRONG)))
        else:
            told.append((5 if one.here == ABSENT else 4 if one.there == ABSENT else 2 if one.retyped else 3, one))
    return [one for _, one in sorted(told, key=lambda pair: pair[0])]


def _names(error: str, one: Difference) -> bool:
    """Whether an error's text names a place: its field, or the value that stands there."""
    field = next((part for part in reversed(one.at.split("/")) if part and not part.isdigit()), "")
    field = field.replace("~1", "/").replace("~0", "~")
    if len(one.text) >= _SHORTEST_NAMED and one.text[:MOST_VALUE] in error:
        return True
    if not field:
        return False
    word = re.escape(field)
    if one.here == ABSENT and "_" not in field:
        # A word such as "input" stands in many errors; a field that is missing is named as one.
        return re.search(rf"[`'\"./]{word}[`'\"]|(?<!\w){word}:", error) is not None
    return re.search(rf"(?<!\w){word}(?!\w)", error, re.IGNORECASE) is not None


def kind_of(value: Any) -> str:
    """The JSON type of a value; whole numbers are numbers."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def nearest(wanted: Any, known: Sequence[tuple[K, Any]]) -> tuple[K, list[Difference]] | None:
    """The input that differs in the fewest places; of equal ones the first, so give the newest first."""
    best: tuple[K, list[Difference]] | None = None
    for key, value in known:
        found = list(differences(wanted, value))
        if best is None or len(found) < len(best[1]):
            best = key, found
        if not found:
            break
    return best


def in_words(value: Any) -> str:
    """A value, short."""
    import json

    if isinstance(value, str) and len(value) > MOST_VALUE:
        return f"{one_line(value, MOST_VALUE)} ({len(value)} characters)"
    return one_line(json.dumps(value, ensure_ascii=False, default=str)[: 4 * MOST_VALUE], MOST_VALUE)


def _word(value: Mapping[Any, Any], key: Any) -> str:
    return in_words(value[key]) if key in value else ABSENT
