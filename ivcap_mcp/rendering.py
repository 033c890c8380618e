"""JSON as text for a model: one line for what is short, so that a row of a table takes a line and not ten."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SHORT = 110
"""Characters up to which an object or a list stays on its line."""
MOST_DEPTH = 40
"""Depth from which nothing is laid out any more."""


# One encoder for all: `json.dumps` makes a new one for each value that it is given options for.
_written = json.JSONEncoder(ensure_ascii=False, default=str).encode


def rendered(value: Any, depth: int = 0) -> str:
    """The value as JSON, laid out; its keys are texts."""
    flat = _written(value)
    if not value or len(flat) + depth <= SHORT or depth >= MOST_DEPTH:
        return flat
    inner = "\n" + " " * (depth + 1)
    if isinstance(value, Mapping):
        items = [f"{_written(str(key))}: {rendered(one, depth + 1)}" for key, one in value.items()]
        return "{" + inner + f",{inner}".join(items) + "\n" + " " * depth + "}"
    if isinstance(value, (list, tuple)):
        return "[" + inner + f",{inner}".join(rendered(one, depth + 1) for one in value) + "\n" + " " * depth + "]"
    return flat
