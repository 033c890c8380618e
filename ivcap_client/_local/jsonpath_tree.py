"""The tree of a JSONPath."""

from __future__ import annotations

import json
from dataclasses import dataclass


class BadPath(ValueError):
    """Not a path, or one that uses what is not supported."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str


@dataclass(frozen=True, slots=True)
class WildMember:
    pass


@dataclass(frozen=True, slots=True)
class Wild:
    pass


@dataclass(frozen=True, slots=True)
class Index:
    """Ranges of positions, both ends included; negative ones count from the end, -1 the last."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    condition: Predicate


Accessor = Member | WildMember | Wild | Index | Filter


@dataclass(frozen=True, slots=True)
class Query:
    """Steps from the whole content (`$`, absolute) or from the item at hand (`@`)."""

    absolute: bool
    steps: tuple[Accessor, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Compare:
    left: Query | Literal
    op: str
    right: Query | Literal


@dataclass(frozen=True, slots=True)
class StartsWith:
    query: Query
    start: str


@dataclass(frozen=True, slots=True)
class Regex:
    query: Query
    pattern: str


@dataclass(frozen=True, slots=True)
class Exists:
    query: Query


@dataclass(frozen=True, slots=True)
class And:
    left: Predicate
    right: Predicate


@dataclass(frozen=True, slots=True)
class Or:
    left: Predicate
    right: Predicate


@dataclass(frozen=True, slots=True)
class Not:
    inner: Predicate


@dataclass(frozen=True, slots=True)
class IsUnknown:
    inner: Predicate


Predicate = Compare | StartsWith | Regex | Exists | And | Or | Not | IsUnknown


def needed(root: Query | Predicate) -> tuple[str, ...]:
    """Return pieces of ASCII JSON text without which nothing can match, to test before a content is parsed."""
    return tuple(sorted(_of_query(root) if isinstance(root, Query) else _of(root)))


def _of_query(query: Query) -> set[str]:
    pieces: set[str] = set()
    for step in query.steps:
        if isinstance(step, Member):
            pieces.add(json.dumps(step.name))
        elif isinstance(step, Filter):
            pieces |= _of(step.condition)
    return pieces


def _of(condition: Predicate) -> set[str]:
    match condition:
        case Compare(left, op, right):
            pieces: set[str] = set()
            for side, other in ((left, right), (right, left)):
                if isinstance(side, Query):
                    pieces |= _of_query(side)
                elif op == "==" and isinstance(side.value, str) and isinstance(other, Query):
                    pieces.add(json.dumps(side.value))
            return pieces
        case StartsWith(query, start):
            return _of_query(query) | {json.dumps(start)[:-1]}
        case Regex(query) | Exists(query):
            return _of_query(query)
        case And(left_part, right_part):
            return _of(left_part) | _of(right_part)
        case Or(left_part, right_part):
            return _of(left_part) & _of(right_part)
        case _:
            return set()
