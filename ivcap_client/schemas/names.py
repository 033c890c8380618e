"""Python names for the properties and parts of a schema."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

MOST_NAME = 60


def field_names(properties: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """Property → attribute: itself where it is a free identifier, else something close that no other one has.

    Args:
        properties: Names as the schema has them.
        taken: Names that cannot be attributes, such as the methods of a model.

    Returns:
        `max-depth` → `max_depth`, `class` → `class_`, `$schema` → `schema_`, `2d` → `n2d`.
    """
    names = list(properties)
    used = {name for name in names if _usable(name, taken)}
    found: dict[str, str] = {}
    for name in names:
        if name in used:
            found[name] = name
            continue
        base = plain = _identifier(name, "field")
        if not _usable(plain, taken):
            plain = f"{base}_"
        number = 1
        while plain in used or plain in names or not _usable(plain, taken):
            number += 1
            plain = f"{base}_{number}"
        used.add(plain)
        found[name] = plain
    return found


def class_name(text: str, taken: Collection[str]) -> str:
    """A name for a class, told apart from those in `taken` by a number: `co2 trend` → `Co2Trend`."""
    words = re.split(r"[\W_]+", unicodedata.normalize("NFKC", text)[:200])
    base = "".join(word[:1].upper() + word[1:] for word in words)[:MOST_NAME]
    base = name = base if base.isidentifier() and not keyword.iskeyword(base) else f"Model{base}"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}{number}"
    return name


def _identifier(text: str, fallback: str) -> str:
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", text))[:MOST_NAME].strip("_")
    if plain and not plain.isidentifier():
        plain = f"n{plain}"
    return plain if plain.isidentifier() else fallback


def _usable(name: str, taken: Collection[str]) -> bool:
    ready = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    return ready and name == unicodedata.normalize("NFKC", name) and name not in taken
