"""Edits one member of a JSON document and leaves every other byte as it is: comments, order, indentation, line ends.

Clients keep their servers in JSON that people edit by hand, some with comments and trailing commas (JSONC). Reading
such a file and writing it anew would throw these away. So the text is read into spans, and only spans change. Pure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

DEEPEST = 100
_BLANK = re.compile(r"[ \t\r\n\ufeff]+|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


class NotJson(ValueError):
    """The text is no JSON, not even with comments. The message says where."""


@dataclass(slots=True)
class Value:
    """A value and where it stands. `members` of an object; `plain` is what it means."""

    start: int
    end: int
    plain: Any
    members: list[Member] | None = None


@dataclass(slots=True)
class Member:
    """One member of an object: from its key to its value, and the comma after it, if there is one."""

    key: str
    start: int
    value: Value
    comma: int | None = None


def parsed(text: str) -> Value:
    """The document.

    Raises:
        NotJson: It is none.
    """
    reader = _Reader(text)
    value = reader.value(0)
    reader.skip()
    if reader.at < len(text):
        raise reader.wrong("something follows the end")
    return value


def with_member(text: str, path: tuple[str, ...], value: object) -> str:
    """The document with a member set, its parents made where they are missing.

    Args:
        text: The document; an empty one counts as `{}`.
        path: Keys from the outermost to the member's own.
        value: What JSON can say.

    Raises:
        NotJson: The document is no JSON.
        TypeError: Something on the path is there and is no object.
    """
    if _blank(text):
        lead = text if not text or text.endswith(("\n", "\r")) else text + _line_end(text)
        return lead + _written({path[0]: _nested(path[1:], value)}, "", "  ", _line_end(text)) + _line_end(text)
    root = parsed(text)
    at, depth = root, 0
    while True:
        if at.members is None:
            named = ".".join(path[:depth]) or "the document"
            raise TypeError(f"{named} is no object")
        # Readers take the last of several with one name.
        there = next((member for member in reversed(at.members) if member.key == path[depth]), None)
        rest = path[depth + 1 :]
        if there is None:
            return _added(text, at, path[depth], _nested(rest, value))
        if not rest and json.dumps(there.value.plain) == json.dumps(value):
            return text
        if not rest or there.value.plain is None:
            new = _written(_nested(rest, value), _indent_of(text, there.start), _unit(text), _line_end(text))
            return text[: there.value.start] + new + text[there.value.end :]
        at, depth = there.value, depth + 1


def without_member(text: str, path: tuple[str, ...]) -> str:
    """The document without a member; as it is if the member is not there.

    Raises:
        NotJson: The document is no JSON.
    """
    while not _blank(text):
        at: Value | None = parsed(text)
        for key in path[:-1]:
            found = [member for member in (at.members or [] if at else []) if member.key == key]
            at = found[-1].value if found else None
        members = at.members or [] if at else []
        index = next((number for number, member in enumerate(members) if member.key == path[-1]), None)
        if index is None or at is None:
            return text
        text = _removed(text, at, index)
    return text


def member(text: str, path: tuple[str, ...]) -> Any:
    """What a member says; `None` where it is not there.

    Raises:
        NotJson: The document is no JSON.
    """
    at: Any = {} if _blank(text) else parsed(text).plain
    for key in path:
        at = at.get(key) if isinstance(at, dict) else None
    return at


def _blank(text: str) -> bool:
    reader = _Reader(text)
    reader.skip()
    return reader.at == len(text)


def _added(text: str, at: Value, key: str, value: object) -> str:
    assert at.members is not None
    unit, line_end = _unit(text), _line_end(text)
    last = at.members[-1] if at.members else None
    before_brace = _content_end(text, at)
    inline = last is not None and "\n" not in text[at.start : at.end]
    if inline:
        assert last is not None
        new = json.dumps(key, ensure_ascii=False) + ": " + json.dumps(value, ensure_ascii=False)
        comma = "" if last.comma is not None else ","
        return text[: last.value.end] + comma + text[last.value.end : before_brace] + " " + new + text[before_brace:]
    outer = _indent_of(text, at.start)
    indent = _indent_of(text, last.start) if last is not None and _begins_line(text, last.start) else outer + unit
    new = indent + json.dumps(key, ensure_ascii=False) + ": " + _written(value, indent, unit, line_end)
    if last is None:
        # What stands in an empty object is blank or comment; the brace goes to a line of its own.
        return text[:before_brace] + line_end + new + line_end + outer + text[at.end - 1 :]
    if last.comma is not None:
        return text[:before_brace] + line_end + new + "," + text[before_brace:]
    end = last.value.end
    return text[:end] + "," + text[end:before_brace] + line_end + new + text[before_brace:]


def _removed(text: str, at: Value, index: int) -> str:
    assert at.members is not None
    gone = at.members[index]
    before = at.members[index - 1] if index else None
    end = gone.value.end if gone.comma is None else gone.comma + 1
    start = gone.start
    while start > at.start + 1 and text[start - 1] in " \t\r\n":
        start -= 1
    if before is not None and gone.comma is None and before.comma is not None:
        # The last one goes, and takes the comma that its predecessor had for it.
        return text[: before.comma] + text[before.comma + 1 : start] + text[end:]
    rest = text[end : at.end - 1]
    if len(at.members) == 1 and not text[at.start + 1 : start].strip() and not rest.strip():
        return text[: at.start + 1] + text[at.end - 1 :]
    return text[:start] + text[end:]


def _content_end(text: str, at: Value) -> int:
    """Where the last thing before an object's brace ends: a value, a comma, a comment."""
    reader = _Reader(text, at.start + 1)
    if at.members:
        last = at.members[-1]
        reader.at = last.value.end if last.comma is None else last.comma + 1
    end = reader.at
    while found := _BLANK.match(text, reader.at):
        reader.at = found.end()
        if not found[0].isspace():
            end = found.end()
    return end


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip(" \t\ufeff")


def _indent_of(text: str, at: int) -> str:
    """The blanks with which the line of a place begins."""
    line = text[text.rfind("\n", 0, at) + 1 :].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """One step of indentation, as the first indented line has it."""
    found = re.search(r"\n([ \t]+)[^\s]", text)
    return found[1] if found and len(found[1]) <= 8 else "  "


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _nested(path: tuple[str, ...], value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _written(value: object, indent: str, unit: str, line_end: str) -> str:
    lines = json.dumps(value, ensure_ascii=False, indent=unit).split("\n")
    return (line_end + indent).join(lines)


@dataclass(slots=True)
class _Reader:
    """Reads values and where they stand, over comments and trailing commas."""

    text: str
    at: int = 0

    def skip(self) -> None:
        while found := _BLANK.match(self.text, self.at):
            self.at = found.end()

    def wrong(self, what: str) -> NotJson:
        before = self.text[: self.at]
        line, column = before.count("\n") + 1, self.at - before.rfind("\n")
        return NotJson(f"line {line}, column {column}: {what}")

    def value(self, depth: int) -> Value:
        self.skip()
        if depth > DEEPEST:
            raise self.wrong(f"nested deeper than {DEEPEST}")
        start, sign = self.at, self.text[self.at : self.at + 1]
        if sign == "{":
            return self._object(start, depth)
        if sign == "[":
            return self._list(start, depth)
        if sign == '"':
            said = self._string()
            return Value(start, self.at, said)
        found = _SCALAR.match(self.text, self.at)
        if found is None:
            raise self.wrong("a value is wanted" if sign else "the text ends too early")
        self.at = found.end()
        return Value(start, self.at, json.loads(found[0]))

    def _string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise self.wrong("a name or text in double quotes is wanted")
        try:
            said: str = json.loads(found[0])
        except ValueError:
            raise self.wrong("a text with an escape that is none") from None
        self.at = found.end()
        return said

    def _object(self, start: int, depth: int) -> Value:
        self.at += 1
        members: list[Member] = []
        while not self._closed("}"):
            if members and members[-1].comma is None:
                raise self.wrong("a comma or } is wanted")
            began, key = self.at, self._string()
            self.skip()
            if self.text[self.at : self.at + 1] != ":":
                raise self.wrong("a colon is wanted")
            self.at += 1
            members.append(Member(key, began, self.value(depth + 1)))
            members[-1].comma = self._comma()
        return Value(start, self.at, {one.key: one.value.plain for one in members}, members)

    def _list(self, start: int, depth: int) -> Value:
        self.at += 1
        items: list[Any] = []
        comma: int | None = 0
        while not self._closed("]"):
            if comma is None:
                raise self.wrong("a comma or ] is wanted")
            items.append(self.value(depth + 1).plain)
            comma = self._comma()
        return Value(start, self.at, items)

    def _closed(self, sign: str) -> bool:
        self.skip()
        if self.text[self.at : self.at + 1] != sign:
            return False
        self.at += 1
        return True

    def _comma(self) -> int | None:
        self.skip()
        if self.text[self.at : self.at + 1] != ",":
            return None
        self.at += 1
        return self.at - 1
