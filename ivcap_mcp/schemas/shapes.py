"""Small pieces that published schemas are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ivcap_client.schemas.keywords import Node, equal_key
from ivcap_client.schemas.kinds import Kinds

from ..text import MOST_PARAMETER, clip, stripped

# Number stands for integer too; null is never published.
KINDS = ("string", "number", "integer", "boolean", "object", "array")


def anything() -> Node:
    """Return what is published for a schema that accepts anything: many clients refuse one without a type."""
    return {
        "anyOf": [
            {"type": "string"},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "object", "properties": {}},
            {"type": "array", "items": {}},
        ]
    }


def is_anything(schema: Node) -> bool:
    """Say whether a schema is `anything()`, whatever it is described as."""
    return schema.get("anyOf") == anything()["anyOf"] and schema.keys() <= {"anyOf", "description", "default"}


def bare(kinds: Kinds) -> Node:
    """Return a schema that accepts any value of the given types and has no depth."""
    wanted = plain_kinds(kinds)
    if not wanted or len(wanted) == 5:
        return anything()
    return any_of([_bare(kind) for kind in wanted])


def plain_kinds(kinds: Kinds) -> list[str]:
    """Return the types to publish, in a fixed order."""
    return [kind for kind in KINDS if kind in kinds and not (kind == "integer" and "number" in kinds)]


def any_of(branches: Iterable[Node]) -> Node:
    """Join published alternatives: nested ones are lifted, equal ones appear once, lists of values become one."""
    flat: list[Node] = []
    for branch in branches:
        # `anything()` stays whole, so that it is known again when what was published is published once more.
        lifted = branch.keys() == {"anyOf"} and not is_anything(branch)
        flat.extend(branch["anyOf"] if lifted else [branch])
    kept: dict[str, Node] = {}
    for branch in flat:
        kept.setdefault(equal_key(branch), branch)
    joined: list[Node] = []
    for branch in kept.values():
        twin = next((each for each in joined if _same_values(each, branch)), None)
        if twin is None:
            joined.append(branch)
        else:
            joined[joined.index(twin)] = {**twin, "enum": united(twin["enum"], branch["enum"])}
    return joined[0] if len(joined) == 1 else {"anyOf": joined}


def united(first: list[Any], second: list[Any]) -> list[Any]:
    """Return the values of both lists, each once."""
    return list({equal_key(value): value for value in (*first, *second)}.values())


def described(schema: Node, description: str, *additions: str) -> Node:
    """Return a schema with a description in which the additions, made by us, survive the cut."""
    said = " ".join(addition for addition in additions if addition)
    said = clip(stripped(said), MOST_PARAMETER)
    own = clip(stripped(description).strip(), MOST_PARAMETER - len(said) - 2 if said else MOST_PARAMETER)
    stop = "." if own and said and own[-1].isalnum() else ""
    text = f"{own}{stop} {said}".strip()
    rest = {key: value for key, value in schema.items() if key != "description"}
    if not text:
        return rest
    first = {"type": rest.pop("type")} if "type" in rest else {}
    return {**first, "description": text, **rest}


def shown(values: Iterable[Any], most: int = 200) -> str:
    """Write values as JSON, separated by commas, at most `most` characters."""
    pieces: list[str] = []
    length = 0
    for value in values:
        piece = clip(json.dumps(value, ensure_ascii=False), 80)
        length += len(piece) + 2
        if length > most:
            return ", ".join([*pieces, "…"])
        pieces.append(piece)
    return ", ".join(pieces)


def is_clean(value: Any) -> bool:
    """Say whether no text in a JSON value would be changed by stripping it."""
    if isinstance(value, str):
        return stripped(value) == value
    if isinstance(value, list):
        return all(map(is_clean, value))
    if isinstance(value, dict):
        return all(is_clean(key) and is_clean(each) for key, each in value.items())
    return True


def _bare(kind: str) -> Node:
    if kind == "object":
        return {"type": "object", "properties": {}}
    if kind == "array":
        return {"type": "array", "items": anything()}
    return {"type": kind}


def _same_values(first: Node, second: Node) -> bool:
    return first.keys() == second.keys() == {"type", "enum"} and first["type"] == second["type"]
