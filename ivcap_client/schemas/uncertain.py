"""Making a schema safe to check where part of it cannot be.

What cannot be checked is taken to fit. That is the looser reading where the part must fit, but the stricter one where
it must not: below `not`, as the condition of an `if`, as one of several in `oneOf`, where `maxContains` counts. There
the keyword around it gives way, so that no input is refused that the service might accept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .keywords import LIST, MAP, ONE, Node
from .patterns import matcher
from .reading import Doc


def checkable(doc: Doc) -> Node:
    """Return the schema as one document that a validator can be given; the nodes of `doc` are not changed."""
    # jsonschema asks Python's own engine which properties a pattern has seen, so it must not be asked at all.
    unsafe = any("patternProperties" in node for node in doc.nodes)
    uncertain = _spread(doc, unsafe)
    if not uncertain:
        return {**doc.root, "$defs": dict(doc.defs)}
    copies: dict[int, Node] = {id(node): {} for node in doc.nodes}
    for node in doc.nodes:
        copies[id(node)].update(_copied(_eased(node, uncertain, unsafe), copies))
    defs = {name: copies[id(node)] for name, node in doc.defs.items()}
    return {**copies[id(doc.root)], "$defs": defs}


def _spread(doc: Doc, unsafe: bool) -> set[int]:
    """Return the ids of all nodes that are, or contain or refer to, something that is not checked."""
    above: dict[int, list[Node]] = {}
    for node in doc.nodes:
        for child in _children(doc, node):
            above.setdefault(id(child), []).append(node)
    pending = [node for node in doc.nodes if id(node) in doc.lost or _is_unchecked(node, unsafe)]
    uncertain = {id(node) for node in pending}
    for node in pending:  # grows while it is walked
        for parent in above.get(id(node), ()):
            if id(parent) not in uncertain:
                uncertain.add(id(parent))
                pending.append(parent)
    return uncertain


def _is_unchecked(node: Node, unsafe: bool) -> bool:
    patterns = [*node.get("patternProperties", ()), *([node["pattern"]] if "pattern" in node else ())]
    unevaluated = "unevaluatedProperties" in node or "unevaluatedItems" in node
    return (unsafe and unevaluated) or any(matcher(pattern) is None for pattern in patterns)


def _eased(node: Node, uncertain: set[int], unsafe: bool) -> Node:
    eased = dict(node)
    if id(node.get("not")) in uncertain:
        del eased["not"]
    if id(node.get("if")) in uncertain:
        for keyword in ("if", "then", "else"):
            eased.pop(keyword, None)
    if id(node.get("contains")) in uncertain:
        eased.pop("maxContains", None)
    if any(id(branch) in uncertain for branch in node.get("oneOf", ())):
        one = {"anyOf": eased.pop("oneOf")}
        eased["allOf"] = [*eased.get("allOf", ()), one]
    if unsafe:
        eased.pop("unevaluatedProperties", None)
        eased.pop("unevaluatedItems", None)
    return eased


def _copied(node: Node, copies: dict[int, Node]) -> Node:
    def copied(child: Any) -> Any:
        known = copies.get(id(child))
        return known if known is not None else _copied(child, copies)

    made: Node = {}
    for key, value in node.items():
        if key in ONE:
            made[key] = copied(value)
        elif key in LIST:
            made[key] = [copied(each) for each in value]
        elif key in MAP:
            made[key] = {name: copied(each) for name, each in value.items()}
        else:
            made[key] = value
    return made


def _children(doc: Doc, node: Node) -> Iterator[Node]:
    if "$ref" in node:
        yield doc.defs[node["$ref"].removeprefix("#/$defs/")]
    for key, value in node.items():
        if key in ONE:
            yield value
        elif key in LIST:
            yield from value
        elif key in MAP:
            yield from value.values()
