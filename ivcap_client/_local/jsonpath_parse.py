"""Text of a JSONPath → its tree. What PostgreSQL can do beyond this is refused by name."""

from __future__ import annotations

import json
import re

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
)

MOST_TEXT = 4096
MOST_DEPTH = 40
MOST_PATTERN = 512


_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<mark>\*\*|&&|\|\||==|!=|<>|<=|>=|[$@.\[\]()?*,<>!+\-/%=:])|(?P<name>[^\W\d][\w$]*))"""
)


def read(text: str) -> Query | Predicate:
    """Read a path or a condition. Raises `BadPath`."""
    if len(text) > MOST_TEXT:
        raise BadPath(f"a path has at most {MOST_TEXT} characters")
    return _Reader(_tokens(text)).all()


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadPath(f"cannot read {text[at:].strip()[:40]!r}")
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "text":
            value = _unquoted(value)
        tokens.append((kind, value))
        at = match.end()
    return tokens


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if text[0] == "'":
        inner = re.sub(r'(?<!\\)"', r"\"", inner.replace("\\'", "'"))
    inner = re.sub(r"\\x([0-9a-fA-F]{2})", r"\\u00\1", inner)
    try:
        value = json.loads(f'"{inner}"', strict=False)
    except ValueError as problem:
        raise BadPath(f"cannot read the text {text[:40]}") from problem
    return str(value)


class _Reader:
    """Recursive descent with one token of look-ahead; `!` binds most, then `&&`, then `||`."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def all(self) -> Query | Predicate:
        if self._name("strict"):
            raise BadPath("strict mode is not supported; leave it out, or say lax")
        if self._name("lax"):
            self._at += 1
        found = self._or()
        if self._at < len(self._tokens):
            raise self._unsupported()
        if isinstance(found, Literal):
            raise BadPath("a path starts with $")
        return found

    def _or(self) -> Query | Literal | Predicate:
        left = self._and()
        while self._mark("||"):
            self._at += 1
            left = Or(self._predicate(left), self._predicate(self._and()))
        return left

    def _and(self) -> Query | Literal | Predicate:
        left = self._one()
        while self._mark("&&"):
            self._at += 1
            left = And(self._predicate(left), self._predicate(self._one()))
        return left

    def _one(self) -> Query | Literal | Predicate:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise BadPath(f"conditions may be nested {MOST_DEPTH} deep")
        try:
            if self._mark("!"):
                self._at += 1
                if not (self._mark("(") or self._name("exists") or self._mark("!")):
                    raise BadPath("after ! a condition in parentheses is expected")
                return Not(self._predicate(self._one()))
            if self._name("exists") and self._peek(1) == ("mark", "("):
                self._at += 2
                query = self._or()
                self._expect(")")
                if not isinstance(query, Query):
                    raise BadPath("exists( ) takes a path")
                return Exists(query)
            if self._mark("("):
                self._at += 1
                inner = self._or()
                self._expect(")")
                if isinstance(inner, Query):
                    return self._compared(Query(inner.absolute, (*inner.steps, *self._steps())))
                if self._name("is") and self._peek(1) == ("name", "unknown"):
                    self._at += 2
                    return IsUnknown(self._predicate(inner))
                return inner
            return self._compared(self._operand())
        finally:
            self._depth -= 1

    def _compared(self, left: Query | Literal) -> Query | Literal | Predicate:
        kind, value = self._peek()
        if kind == "mark" and value in ("==", "=", "!=", "<>", "<", "<=", ">", ">="):
            self._at += 1
            op = {"=": "==", "<>": "!="}.get(value, value)
            inner = self._mark("(")
            self._at += inner
            right = self._operand()
            if inner:
                self._expect(")")
            return Compare(left, op, right)
        if kind == "name" and value == "starts" and self._peek(1) == ("name", "with"):
            self._at += 2
            return StartsWith(self._query(left), self._text("starts with"))
        if kind == "name" and value == "like_regex":
            self._at += 1
            return Regex(self._query(left), self._pattern())
        return left

    def _pattern(self) -> str:
        from .jsonpath import check_pattern

        pattern, flags = self._text("like_regex"), ""
        if len(pattern) > MOST_PATTERN:
            raise BadPath(f"like_regex: a pattern has at most {MOST_PATTERN} characters")
        if self._name("flag"):
            self._at += 1
            flags = self._text("flag")
            unknown = set(flags) - set("ismxq")
            if unknown:
                raise BadPath(f"like_regex: flag {sorted(unknown)[0]!r} is not supported; there are i, s, m, x, q")
        if "q" in flags:
            pattern = re.sub(r"[\\.+*?()|\[\]{}^$#&\-~\s]", lambda found: "\\" + found[0], pattern)
        letters = "".join(letter for letter in "ismx" if letter in flags and not ("q" in flags and letter == "x"))
        pattern = f"(?{letters}){pattern}" if letters else pattern
        check_pattern(pattern)
        return pattern

    def _operand(self) -> Query | Literal:
        kind, value = self._peek()
        self._at += 1
        if kind == "text":
            return Literal(value)
        if kind == "number":
            return Literal(float(value) if re.search(r"[.eE]", value) else int(value))
        if kind == "name" and value in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[value])
        if kind == "mark" and value in "$@" and value:
            if value == "$" and self._peek()[0] in ("name", "text"):
                raise BadPath(f"variables (${self._peek()[1]}) are not supported")
            return Query(value == "$", self._steps())
        self._at -= 1
        raise self._unsupported()

    def _steps(self) -> tuple[Accessor, ...]:
        steps: list[Accessor] = []
        while True:
            if self._mark("."):
                self._at += 1
                steps.append(self._member())
            elif self._mark("["):
                self._at += 1
                steps.append(self._index())
            elif self._mark("?"):
                self._at += 1
                self._expect("(")
                condition = self._predicate(self._or())
                self._expect(")")
                steps.append(Filter(condition))
            else:
                return tuple(steps)

    def _member(self) -> Accessor:
        kind, value = self._peek()
        self._at += 1
        if (kind, value) == ("mark", "*"):
            return WildMember()
        if (kind, value) == ("mark", "**"):
            raise BadPath(".** (any depth) is not supported")
        if kind == "name" and self._peek() == ("mark", "("):
            raise BadPath(f"the method .{value}() is not supported")
        if kind in ("name", "text"):
            return Member(value)
        raise BadPath("a name is expected after the dot")

    def _index(self) -> Accessor:
        if self._mark("*"):
            self._at += 1
            self._expect("]")
            return Wild()
        ranges = []
        while True:
            first = last = self._position()
            if self._name("to"):
                self._at += 1
                last = self._position()
            ranges.append((first, last))
            if self._mark(","):
                self._at += 1
                continue
            self._expect("]")
            return Index(tuple(ranges))

    def _position(self) -> int:
        kind, value = self._peek()
        self._at += 1
        if kind == "number" and value.isdecimal():
            return int(value)
        if (kind, value) == ("name", "last"):
            kind, value = self._peek()
            if kind == "number" and re.fullmatch(r"-\d+", value):
                self._at += 1
                return int(value) - 1
            if (kind, value) == ("mark", "-") and self._peek(1)[0] == "number" and self._peek(1)[1].isdecimal():
                self._at += 2
                return -int(self._peek(-1)[1]) - 1
            return -1
        raise BadPath("in [ ] there may be *, numbers, last, and ranges with 'to'")

    def _text(self, after: str) -> str:
        kind, value = self._peek()
        if kind != "text":
            raise BadPath(f"a text in quotes is expected after {after}")
        self._at += 1
        return value

    def _query(self, found: Query | Literal) -> Query:
        if isinstance(found, Literal):
            raise BadPath("a path with $ or @ is expected on the left")
        return found

    def _predicate(self, found: Query | Literal | Predicate) -> Predicate:
        if isinstance(found, Query | Literal):
            raise BadPath("a condition is expected, such as @.size > 1 or exists(@.name)")
        return found

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self._at + ahead
        return self._tokens[at] if 0 <= at < len(self._tokens) else ("", "")

    def _mark(self, value: str) -> bool:
        return self._peek() == ("mark", value)

    def _name(self, value: str) -> bool:
        return self._peek() == ("name", value)

    def _expect(self, value: str) -> None:
        if not self._mark(value):
            raise self._unsupported(f"{value!r} expected")
        self._at += 1

    def _unsupported(self, wanted: str = "") -> BadPath:
        kind, value = self._peek()
        if not kind:
            return BadPath(f"the path ends too early{': ' + wanted if wanted else ''}")
        if (kind == "mark" and value in "+-*/%") or (kind == "number" and value.startswith("-")):
            return BadPath(f"arithmetic ({value}) is not supported")
        return BadPath(f"cannot go on at {value!r}{': ' + wanted if wanted else ''}")
