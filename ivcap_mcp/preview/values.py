"""JSON and lines of JSON: what shape the values have, also where only the beginning is there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ivcap_mcp.preview.bounds import Unreadable

ELEMENTS = 100
"""Elements of a list from which its shape is told."""
KEYS = 40
DEPTH = 6
MOST_LINES = 2_000
DEEP = "it is nested too deeply to be read"


def _finite(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=str)


def parsed(text: str) -> Any:
    """A whole document. Numbers that JSON cannot say back stay text.

    Raises:
        Unreadable: It is none; the message says where and why.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise Unreadable(DEEP) from None
    except ValueError as error:
        raise Unreadable(f"it is no JSON: {error}") from None


def document(text: str, whole: bool) -> dict[str, Any]:
    """Shape and beginning of a document.

    Raises:
        Unreadable: It is no JSON, or nested too deeply.
    """
    if whole:
        value = parsed(text)
        return {"shape": shape(value), "beginning": value}
    value = prefix(text)
    if value is None or value in ([], {}):
        raise Unreadable("its beginning holds no complete value")
    return {"shape": shape(value), "beginning": value, "note": "Only the beginning was read; counts are of that."}


def lines(text: str, whole: bool) -> dict[str, Any] | None:
    """Shape of a text with a JSON value on each line; `None` where the lines hold something else."""
    listed = [line for line in text.splitlines() if line.strip()]
    if not whole:
        listed = listed[:-1]
    values = []
    for line in listed[:MOST_LINES]:
        try:
            values.append(parsed(line))
        except Unreadable:
            return None
    if not values:
        return None
    told = {"record": shape(values).get("of", "nothing"), "first": values[:5]}
    return told | ({"record_count": len(listed)} if whole else {"records_read": len(listed)})


def prefix(text: str, depth: int = 8) -> Any:
    """What is complete at the beginning of a document that was cut; `None` if nothing is."""
    text = text.lstrip("\ufeff \t\r\n")
    try:
        if text.startswith("["):
            return _elements(text, depth)
        if text.startswith("{"):
            return _members(text, depth)
    except RecursionError:
        raise Unreadable(DEEP) from None
    return None


def _elements(text: str, depth: int) -> list[Any]:
    found: list[Any] = []
    at = 1
    while len(found) < MOST_LINES:
        at = _next(text, at)
        try:
            value, at = _DECODER.raw_decode(text, at)
        except ValueError:
            rest = prefix(text[at:], depth - 1) if depth and not found else None
            return found if rest is None else [*found, rest]
        at = _next(text, at)
        if at >= len(text):
            return found  # a number may go on behind the cut
        found.append(value)
        if text[at] != ",":
            return found
        at += 1
    return found


def _members(text: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 1
    while len(found) < MOST_LINES:
        at = _next(text, at)
        try:
            key, at = _DECODER.raw_decode(text, at)
            at = _next(text, at)
            if not isinstance(key, str) or text[at : at + 1] != ":":
                return found
            at = _next(text, at + 1)
        except ValueError:
            return found
        try:
            value, end = _DECODER.raw_decode(text, at)
        except ValueError:
            rest = prefix(text[at:], depth - 1) if depth else None
            return found if rest is None else {**found, key: rest}
        at = _next(text, end)
        if at >= len(text):
            return found
        found[key] = value
        if text[at] != ",":
            return found
        at += 1
    return found


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def shape(value: Any, depth: int = DEPTH) -> Any:
    """What a value is made of: `{"object": {key: shape}}`, `{"list": length, "of": shape}`, or a word."""
    if isinstance(value, Mapping):
        if depth == 0:
            return {"object": f"{len(value)} keys"}
        keys = {str(key)[:100]: shape(value[key], depth - 1) for key in list(value)[:KEYS]}
        return {"object": keys} | ({"keys": len(value)} if len(value) > KEYS else {})
    if isinstance(value, list):
        if not value or depth == 0:
            return {"list": len(value)}
        return {"list": len(value), "of": _merged([shape(one, depth - 1) for one in value[:ELEMENTS]])}
    return {bool: "truth", int: "integer", float: "number", str: "text", type(None): "null"}.get(type(value), "text")


def _merged(shapes: Sequence[Any]) -> Any:
    """One shape for several values: keys of all objects, `?` behind those not all have; else the different ones."""
    distinct: list[Any] = []
    for one in shapes:
        if one not in distinct:
            distinct.append(one)
    if len(distinct) == 1:
        return distinct[0]
    if all(isinstance(one, dict) and isinstance(one.get("object"), dict) for one in distinct):
        names = list(dict.fromkeys(name for one in distinct for name in one["object"]))[:KEYS]
        keys = {}
        for name in names:
            there = [one["object"][name] for one in shapes if name in one["object"]]
            keys[name if len(there) == len(shapes) else f"{name}?"] = _merged(there)
        return {"object": keys}
    if all(isinstance(one, dict) and "list" in one for one in distinct):
        inner = [one["of"] for one in distinct if "of" in one]
        lengths = [int(length) for one in distinct for length in str(one["list"]).split(" to ")]
        told: dict[str, Any] = {"list": f"{min(lengths)} to {max(lengths)}"}
        return told | ({"of": _merged(inner)} if inner else {})
    if all(one in ("integer", "number") for one in distinct):
        return "number"
    return {"one_of": distinct[:6]}
