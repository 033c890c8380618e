"""Property names: which clients can carry, what the others are called instead, and the `$schema` property."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import KindsOf, conjuncts
from ivcap_client.schemas.reading import Doc

SCHEMA_KEY: Final = "$schema"
"""The property by which IVCAP requests name their own type; fixed by the service, so a model need not see it."""

_PORTABLE: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_MOST: Final = 64
_MARK: Final = 8
_MISSING: Final = object()


def portable_names(doc: Doc) -> dict[str, str]:
    """Give each property name anywhere in a schema that clients refuse another one.

    One name has one substitute throughout the schema, and no substitute is a name the schema uses, so that a substitute
    can be told from a name wherever it turns up.

    Returns:
        Original name → portable name, for those that need one.
    """
    names: set[str] = set()
    for node in doc.nodes:
        names.update(node.get("properties", ()), node.get("required", ()))
        for needed in node.get("dependentRequired", {}).values():
            names.update(needed)
    taken = {name for name in names if _PORTABLE.fullmatch(name)}
    substitutes: dict[str, str] = {}
    for name in sorted(names - taken):
        substitutes[name] = _substitute(name, taken)
        taken.add(substitutes[name])
    return substitutes


def pin(schemas: Iterable[Node]) -> Any:
    """Return the one non-null value these schemas of a `$schema` property fix or default to; `None` if none does."""
    for each in schemas:
        if each.get("const") is not None:
            return each["const"]
        if len(each.get("enum", ())) == 1 and each["enum"][0] is not None:
            return each["enum"][0]
    for each in schemas:
        if each.get("default") is not None:
            return each["default"]
    return None


def required_pin(doc: Doc, kinds: KindsOf, node: Node, level: int = 0) -> Any:
    """Return the `$schema` value an object must have to satisfy `node`; `None` if it need not or may have several."""
    declared = conjuncts(doc, node)
    if any(SCHEMA_KEY in each.get("required", ()) for each in declared):
        own = [each["properties"][SCHEMA_KEY] for each in declared if SCHEMA_KEY in each.get("properties", {})]
        return pin(conjuncts(doc, *own))
    if level > 20:
        return None
    for each in declared:
        for keyword in ("anyOf", "oneOf"):
            branches = [branch for branch in each.get(keyword, ()) if "object" in kinds(branch)]
            wanted = [required_pin(doc, kinds, branch, level + 1) for branch in branches]
            if wanted and wanted[0] is not None and all(one == wanted[0] for one in wanted):
                return wanted[0]
    return None


def tells_apart(doc: Doc, kinds: KindsOf, branches: Iterable[Node]) -> bool:
    """Say whether it takes the `$schema` property to tell alternatives apart: then it must be published."""
    seen: list[tuple[bool, Any]] = []
    for branch in branches:
        if "object" not in kinds(branch):
            continue
        parts = conjuncts(doc, branch)
        own = [each["properties"][SCHEMA_KEY] for each in parts if SCHEMA_KEY in each.get("properties", {})]
        value = pin(conjuncts(doc, *own)) if own else _MISSING
        seen.append((any(SCHEMA_KEY in each.get("required", ()) for each in parts), value))
    return any(each != seen[0] for each in seen[1:])


def _substitute(name: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = re.sub(r"[^a-zA-Z0-9_.-]+", "_", plain).strip("_.-") or "field"
    if plain != "field" and len(plain) <= _MOST and plain not in taken:
        return plain
    turn = 0
    while True:
        text = f"{name}#{turn}" if turn else name
        mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_MARK]
        marked = f"{plain[: _MOST - _MARK - 1]}_{mark}"
        if marked not in taken:
            return marked
        turn += 1
