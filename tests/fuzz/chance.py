"""Values and bytes by chance: plain ones, odd ones, and good ones with something wrong in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from random import Random
from typing import Any

ODD_TEXTS = (
    "", " ", "\n", "\0", "\ud800", "\ufeff", "\u202e", "\u200b" * 20, "é", "日本語", "😀" * 50, "a" * 300,
    "../../etc/passwd",
    "%00", "%s%n", "${x}", "{{7*7}}", "'; drop table x; --", "<script>alert(1)</script>", "null", "NaN", "1e999", "-0",
    "urn:", "urn:ivcap:", "urn:ivcap:artifact:", "urn:ivcap:job:00000000-0000-4000-8000-000000000002", "urn:x:%", "%%%",
    "http://127.0.0.1:9/x", "file:///etc/passwd", "[" * 100, "(((((a+)+)+)+)+$", "\\", "\"", "'", "/", "~", "$.a[*]",
    "2026-01-31T12:00:00Z", "9999-99-99", "0001-01-01T00:00:00Z", "\r\n\r\nHTTP/1.1 200 OK", "data: x\n\n", "\x1b[31m",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320, float("inf"), float("nan"),
)  # fmt: skip


def text(chance: Random) -> str:
    if chance.random() < 0.6:
        return chance.choice(ODD_TEXTS)
    return "".join(
        chr(chance.choice((chance.randrange(32, 127), chance.randrange(0xD7FF)))) for _ in range(chance.randrange(12))
    )


def scalar(chance: Random) -> Any:
    match chance.randrange(5):
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2:
            return chance.choice(ODD_NUMBERS)
        case 3:
            return chance.randrange(-100, 100)
        case _:
            return text(chance)


def value(chance: Random, depth: int = 3, names: Sequence[str] = ()) -> Any:
    """Any JSON value; some of an object's names are the given ones."""
    if depth <= 0 or chance.random() < 0.5:
        return scalar(chance)
    if chance.random() < 0.4:
        return [value(chance, depth - 1, names) for _ in range(chance.randrange(4))]
    named = [
        chance.choice(names) if names and chance.random() < 0.7 else text(chance) for _ in range(chance.randrange(5))
    ]
    return {name: value(chance, depth - 1, names) for name in named}


def deep(chance: Random) -> Any:
    """Something nested more deeply than an input may be; what Python cannot build is made of bytes, see `encoded`."""
    found: Any = scalar(chance)
    for _ in range(chance.choice((10, 65, 100))):
        found = [found] if chance.random() < 0.5 else {"a": found}
    return found


def mutated(chance: Random, good: Any, names: Sequence[str] = ()) -> Any:
    """A good value with a few things in it exchanged, taken away or added."""
    found = copy.deepcopy(good)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 6))):
        found = _once(chance, found, names)
    return found


def _once(chance: Random, found: Any, names: Sequence[str]) -> Any:
    places = list(_places(found))
    if not places or chance.random() < 0.03:
        return deep(chance) if chance.random() < 0.1 else value(chance, 3, names)
    holder, key = chance.choice(places)
    match chance.randrange(6):
        case 0 | 1 | 2:
            holder[key] = deep(chance) if chance.random() < 0.05 else value(chance, 2, names)
        case 3:
            del holder[key]
        case 4 if isinstance(holder, dict):
            holder[chance.choice(names) if names and chance.random() < 0.7 else text(chance)] = value(chance, 2, names)
        case 5 if isinstance(holder, list):
            holder.extend([copy.deepcopy(holder[key])] * chance.choice((1, 3, 100)))
        case _:
            holder[key] = [holder[key]]
    return found


def _places(found: Any) -> Any:
    """Every place in a value: what holds it, and under which name or number."""
    if isinstance(found, dict):
        for key in found:
            yield found, key
            yield from _places(found[key])
    elif isinstance(found, list):
        for at in range(len(found)):
            yield found, at
            yield from _places(found[at])


def damaged(chance: Random, good: bytes) -> bytes:
    """Good bytes with something wrong in them: exchanged, cut off, doubled, or put in."""
    found = bytearray(good)
    for _ in range(chance.choice((1, 1, 2, 3, 8, 30))):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(7):
            case 0 | 1 if at < len(found):
                found[at] = chance.randrange(256)
            case 2 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 3:
                found[at : at + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
            case 4:
                found[at:at] = found[at // 2 : at]
                del found[400_000:]
            case 5 if chance.random() < 0.3:
                del found[at:]
            case _:
                del found[at : at + chance.randrange(1, 20)]
    return bytes(found)


def encoded(chance: Random, found: Any) -> bytes:
    """A value as JSON, mostly as it should be."""
    said = json.dumps(found, ensure_ascii=chance.random() < 0.7).encode("utf-8", "surrogatepass")
    if chance.random() < 0.005:
        levels = chance.choice((200, 1_000, 5_000, 100_000))
        return b'{"a":' * levels + said + b"}" * levels
    return damaged(chance, said) if chance.random() < 0.15 and said else said
