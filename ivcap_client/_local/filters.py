"""The filter language of list requests: `name ~= 'Scott%' and status = ready`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MOST_TEXT = 4096
MOST_TERMS = 64

# Longest first, so that "!=" is not read as a word and "=".
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")|(?P<op>~=|!=|<=|>=|==|=|<|>)|(?P<mark>[()])"""
    r"""|(?P<word>[^\s'"()=!~<>]+))"""
)
_WORDS = {"eq": "=", "ne": "!=", "==": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class BadFilter(ValueError):
    """A filter that is none; the message says where and what is possible."""


@dataclass(frozen=True, slots=True)
class Term:
    """`field op value`; `op` is one of `=`, `!=`, `~=`, `<`, `<=`, `>`, `>=`."""

    field: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Both:
    """All of several conditions (`every`) or any of them."""

    parts: tuple[Term | Both, ...]
    every: bool


Condition = Term | Both


def parse(text: str, fields: frozenset[str] | set[str]) -> Condition | None:
    """Read a filter.

    Args:
        text: `<field> <op> <value>` joined by `and`, `or` (which binds less) and parentheses; quotes are optional,
            `%` in a value of `~=` stands for any text. Empty: no filter.
        fields: Names that may be asked for, with `-`; `_` is read as `-`.

    Raises:
        BadFilter: Anything else.

    Source: rest-api §6.4.
    """
    if not text.strip():
        return None
    if len(text) > MOST_TEXT:
        raise BadFilter(f"a filter has at most {MOST_TEXT} characters")
    reader = _Reader(_tokens(text), fields)
    condition = reader.any()
    if reader.left:
        raise BadFilter(f"'and' or 'or' expected before {reader.left[0][1]!r}")
    return condition


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadFilter(f"cannot read {text[at:].strip()[:40]!r}")
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "text":
            quote = value[0]
            value = re.sub(r"\\(.)", r"\1", value[1:-1].replace("''", "'") if quote == "'" else value[1:-1])
        tokens.append((kind, value))
        at = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], fields: frozenset[str] | set[str]) -> None:
        self.left, self._fields = tokens, fields
        if (
            sum(kind == "op" for kind, _ in tokens) > MOST_TERMS
            or sum(value == "(" for _, value in tokens) > MOST_TERMS
        ):
            raise BadFilter(f"a filter has at most {MOST_TERMS} conditions")

    def any(self) -> Condition:
        return self._joined("or", self._all)

    def _all(self) -> Condition:
        return self._joined("and", self._one)

    def _joined(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self.left and self.left[0][0] == "word" and self.left[0][1].lower() == word:
            self.left.pop(0)
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), every=word == "and")

    def _one(self) -> Condition:
        if not self.left:
            raise BadFilter("a condition is missing at the end")
        kind, value = self.left.pop(0)
        if (kind, value) == ("mark", "("):
            inner = self.any()
            if not self.left or self.left.pop(0) != ("mark", ")"):
                raise BadFilter("a ')' is missing")
            return inner
        field = value.replace("_", "-")
        if kind != "word" or field not in self._fields:
            raise BadFilter(f"{value!r} is no field; there are {', '.join(sorted(self._fields))}")
        if len(self.left) < 2:
            raise BadFilter(f"{value!r} needs an operator (=, !=, ~=, eq, ne) and a value")
        kind, op = self.left.pop(0)
        op = _WORDS.get(op.lower(), op)
        if op not in {"=", "!=", "~=", "<", "<=", ">", ">="}:
            raise BadFilter(f"{op!r} is no operator; there are =, !=, ~=, eq, ne")
        kind, value = self.left.pop(0)
        if kind not in ("text", "word"):
            raise BadFilter(f"a value is expected after {field} {op}")
        return Term(field, op, value)


def sql(condition: Condition, columns: Mapping[str, str]) -> tuple[str, list[str]]:
    """Write a condition as SQL.

    Args:
        condition: What `parse` returned.
        columns: SQL expression of each field.

    Returns:
        Expression and its parameters.
    """
    if isinstance(condition, Both):
        parts = [sql(part, columns) for part in condition.parts]
        joined = (" AND " if condition.every else " OR ").join(f"({text})" for text, _ in parts)
        return joined, [value for _, values in parts for value in values]
    column = columns[condition.field]
    if condition.op == "~=":
        return f"{column} GLOB ?", [glob(condition.value)]
    if condition.op == "!=":
        return f"{column} IS NOT ?", [condition.value]
    return f"{column} {condition.op} ?", [condition.value]


def glob(pattern: str) -> str:
    """Turn a pattern with `%` into SQLite's GLOB, which, like the platform's LIKE, minds case; `_` is just itself."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", pattern).replace("%", "*")


def matches(condition: Condition, record: Mapping[str, object]) -> bool:
    """Whether a record fits; a field it lacks fits only `!=`."""
    if isinstance(condition, Both):
        return (all if condition.every else any)(matches(part, record) for part in condition.parts)
    value = record.get(condition.field)
    if condition.op == "!=":
        return value is None or str(value) != condition.value
    if value is None:
        return False
    return _OPS[condition.op](str(value), condition.value)


def like(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern in which `%` stands for any text. Takes time in proportion to both lengths."""
    first, *rest = pattern.split("%")
    if not rest:
        return text == pattern
    if not text.startswith(first):
        return False
    at = len(first)
    *middle, last = rest
    for part in middle:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - at >= len(last) and text.endswith(last)


_OPS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "~=": like,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
