"""Why a job failed, as far as its surroundings tell: the nearest input that worked, and what differs from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ivcap_mcp.text import one_line

K = TypeVar("K")

MOST_DIFFERENCES = 30
MOST_COMPARED = 5_000
"""Values compared before two inputs count as just different."""
MOST_VALUE = 160
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two values differ. `at` is a JSON Pointer; `here` and `there` are the values in words."""

    at: str
    here: str
    there: str

    def told(self, other: str) -> dict[str, str]:
        return {"at": self.at or "/", "here": self.here, other: self.there}


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
                    yield Difference(below, _word(one, key), _word(other, key))
                else:
                    waiting.append((below, one[key], other[key]))
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                yield Difference(at, f"a list of {len(one)}", f"a list of {len(other)}")
            waiting.extend((f"{at}/{number}", a, b) for number, (a, b) in enumerate(zip(one, other, strict=False)))
        elif type(one) is not type(other) or one != other:
            numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
            if not (numbers and not isinstance(one, bool) and not isinstance(other, bool) and one == other):
                yield Difference(at, in_words(one), in_words(other))


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
