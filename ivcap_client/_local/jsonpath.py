"""The part of PostgreSQL's JSONPath that clients use, evaluated without ever taking more than linear time in a pattern.

    path       ::= ["lax"] expression
    expression ::= "$" step* | comparison, "&&", "||", "!( )", exists( ), ( … ) is unknown
    step       ::= .name | ."name" | .* | [*] | [n], [n to m], [last] | ? (condition) with "@" as the item

Lax rules: a member of an array is looked up in each element, `[*]` of something that is no array is the thing itself,
a comparison holds if it holds for any pair, and comparing what cannot be compared is neither true nor false.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .jsonpath_parse import read
from .jsonpath_tree import (
    Accessor,
    And,
    BadPath,
    Compare,
    Exists,
    Filter,
    Index,
    IsUnknown,
    Literal,
    Member,
    Not,
    Or,
    Predicate,
    Query,
    Regex,
    StartsWith,
    Wild,
    WildMember,
    needed,
)

__all__ = ["BadPath", "Path", "compile"]

MOST_STEPS = 200_000
"""Values looked at in one content before a path is given up."""

Truth = bool | None
"""`None` is "unknown"."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path ready to be matched.

    Attributes:
        text: As it was given.
        needs: Pieces of ASCII JSON text that any content it matches contains; a cheap first test.
    """

    text: str
    needs: tuple[str, ...]
    _root: Query | Predicate

    def matches(self, content: Any) -> bool:
        """Whether the path finds anything, or, if it is a condition, whether that is true.

        Raises:
            BadPath: It takes more than `MOST_STEPS` steps to find out.
        """
        run = _Run(content)
        if isinstance(self._root, Query):
            return run.finds(self._root, content)
        return run.test(self._root, content) is True


def compile(text: str) -> Path:
    """Read a path.

    Raises:
        BadPath: It is none, or uses what is not supported; the message names it.
    """
    root = read(text)
    return Path(text, needed(root), root)


_NOTHING = object()


class _Run:
    """One path on one content. Counts its steps, because conditions within conditions can multiply."""

    def __init__(self, root: Any) -> None:
        self._root, self._left = root, MOST_STEPS

    def finds(self, query: Query, item: Any) -> bool:
        return next(self._select(query, item), _NOTHING) is not _NOTHING

    def _select(self, query: Query, item: Any) -> Iterator[Any]:
        items: Iterator[Any] = iter((self._root if query.absolute else item,))
        for step in query.steps:
            items = self._step(step, items)
        return items

    def _step(self, step: Accessor, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            for found in self._children(step, item):
                self._left -= 1
                if self._left < 0:
                    raise BadPath("the path takes too long on this content")
                if not isinstance(step, Filter) or self.test(step.condition, found) is True:
                    yield found

    def _children(self, step: Accessor, item: Any) -> Iterator[Any]:
        elements = item if isinstance(item, list) else [item]
        match step:
            case Member(name):
                for one in elements:
                    if isinstance(one, dict) and name in one:
                        yield one[name]
            case WildMember():
                for one in elements:
                    if isinstance(one, dict):
                        yield from one.values()
            case Index(ranges):
                # Each position once: what is found twice is still found.
                for at in range(len(elements)):
                    if any(_within(at, first, last, len(elements)) for first, last in ranges):
                        yield elements[at]
            case Wild() | Filter():
                yield from elements

    def test(self, condition: Predicate, item: Any) -> Truth:
        match condition:
            case And(left, right):
                first = self.test(left, item)
                if first is False:
                    return False
                second = self.test(right, item)
                return False if second is False else (None if first is None or second is None else True)
            case Or(left, right):
                first = self.test(left, item)
                if first is True:
                    return True
                second = self.test(right, item)
                return True if second is True else (None if first is None or second is None else False)
            case Not(inner):
                truth = self.test(inner, item)
                return None if truth is None else not truth
            case IsUnknown(inner):
                return self.test(inner, item) is None
            case Exists(query):
                return self.finds(query, item)
            case Compare(a, op, b):
                return _any(_compare(x, op, y) for x in self._operand(a, item) for y in self._operand(b, item))
            case StartsWith(query, start):
                return _any(x.startswith(start) if isinstance(x, str) else None for x in self._operand(query, item))
            case Regex(query, pattern):
                fits = _matcher(pattern)
                return _any(fits(x) if isinstance(x, str) else None for x in self._operand(query, item))

    def _operand(self, operand: Query | Literal, item: Any) -> Iterator[Any]:
        if isinstance(operand, Literal):
            yield operand.value
            return
        for one in self._select(operand, item):
            for element in one if isinstance(one, list) else (one,):
                self._left -= 1
                if self._left < 0:
                    raise BadPath("the path takes too long on this content")
                yield element


def _within(at: int, first: int, last: int, length: int) -> bool:
    start = first if first >= 0 else length + first
    end = last if last >= 0 else length + last
    return start <= at <= end


def _any(truths: Iterator[Truth]) -> Truth:
    unknown = False
    for truth in truths:
        if truth:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


_OPS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _compare(left: Any, op: str, right: Any) -> Truth:
    a, b = _kind(left), _kind(right)
    if a == "null" or b == "null":
        return (op in ("==", "<=", ">=")) if a == b else op == "!="
    if a != b or a == "structure":
        return None
    return _OPS[op](left, right)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "structure"


_matchers: dict[str, Callable[[str], bool]] = {}


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test for a pattern, by an engine whose time is linear: text and pattern both come from outside."""
    known = _matchers.get(pattern)
    if known is None:
        from pydantic_core import SchemaValidator, core_schema

        schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
        known = SchemaValidator(schema).isinstance_python
        if len(_matchers) > 64:
            _matchers.clear()
        _matchers[pattern] = known
    return known


def check_pattern(pattern: str) -> None:
    """Raise `BadPath` for a pattern that the engine does not know (look-around, back references) or finds too large."""
    from pydantic_core import SchemaError

    try:
        _matcher(pattern)
    except SchemaError as problem:
        said = re.sub(r"\s+", " ", str(problem))[:200]
        raise BadPath(f"like_regex: the pattern cannot be used: {said}") from problem
