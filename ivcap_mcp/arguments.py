"""Arguments of a service tool: understood, checked against the original schema, and complained about usefully.

All of it is pure and may take a moment for large inputs, so callers run it in a worker thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ivcap_client.schemas.limits import sizes_of, too_much
from ivcap_client.schemas.reading import Schema, read

from .schema import WRAPPED, PublishedSchema, restore
from .schemas.examples import Sampler
from .schemas.renaming import Renaming
from .schemas.repairing import Repair
from .schemas.telling import MOST_COMPLAINTS, Complaint, Teller
from .schemas.undeclared import undeclared
from .text import clip, one_line

__all__ = [
    "Complaint",
    "check",
    "complaint_text",
    "example",
    "repair",
    "unchecked",
    "undeclared_text",
    "understand",
    "wrong_places",
]

MOST_TEXT: Final = 10_000
"""Longest error text, in bytes."""
_MOST_EXAMPLE: Final = 2_000
_MOST_TRIES: Final = 6


def understand(arguments: Mapping[str, Any], published: PublishedSchema, original: Schema) -> Any:
    """Return the service's input for a tool's arguments: names restored, JSON text parsed where an object was meant.

    This is what is checked and then submitted. The arguments are not changed.
    """
    repaired = repair(restore(arguments, published, original), original)
    return Renaming(read(original), published.renames).restored(repaired)  # parsed text has published names too


def repair(arguments: Any, original: Schema) -> Any:
    """Parse JSON text that stands where only an object or an array can, at any depth.

    A field that accepts text, be it as one of several alternatives, is never touched; nor is text that is no JSON or
    holds another kind of value.
    """
    if too_much(arguments) is not None:
        return arguments
    doc = read(original)
    return Repair(doc).repaired(arguments, (doc.root,))


def check(arguments: Any, original: Schema, *, published: PublishedSchema | None = None) -> list[Complaint]:
    """Check an input, as `understand` returns it, against the service's own schema.

    What cannot be checked (a pattern no linear-time engine takes, a reference that leads nowhere, a schema whose
    alternatives multiply until its budget is spent) is left to the service.

    Args:
        arguments: The input.
        original: The service's schema, of any draft.
        published: Its published form, so that complaints call fields by the names the caller knows.

    Returns:
        At most five complaints, the outermost first; none if the service may be called.
    """
    refused = too_much(arguments)
    if refused is not None:
        return [Complaint("", *refused)]
    from ivcap_client.schemas.checking import (
        errors,  # jsonschema takes 0.1 s to import, which listing tools need not wait for
    )

    doc = read(original)
    found, _ = errors(doc, arguments, sizes_of(arguments))
    names = {old: new for new, old in published.renames.items()} if published else {}
    teller = Teller(doc, names, WRAPPED if published and published.wrapped else "")
    complaints = {str(each): each for error in found for each in teller.complaints(error)}
    ordered = sorted(complaints.values(), key=lambda each: each.field.count(".") + each.field.count("["))
    return ordered[:MOST_COMPLAINTS]


def undeclared_text(arguments: Any, original: Schema, published: PublishedSchema) -> str:
    """What is to be said about fields that the service accepts and does not declare; empty if there is none.

    Args:
        arguments: The input, checked.
        original: The service's schema.
        published: Its published form: fields are called by the names the caller knows.
    """
    names = {old: new for new, old in published.renames.items()}
    found = undeclared(arguments, read(original), names, WRAPPED if published.wrapped else "")
    return " ".join(str(each) for each in found)


def wrong_places(arguments: Any, original: Schema) -> list[str]:
    """JSON Pointers of what of an input the service's own schema does not accept; a missing property's own place."""
    if too_much(arguments) is not None:
        return []
    from ivcap_client.schemas.checking import errors

    found, _ = errors(read(original), arguments, sizes_of(arguments))
    places: list[str] = []
    for error in found:
        path = [str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path]
        here = "".join(f"/{step}" for step in path)
        if error.validator == "required" and isinstance(error.validator_value, list):
            given: Any = error.instance
            missing = [str(name) for name in error.validator_value if name not in given]
            places += [f"{here}/{name.replace('~', '~0').replace('/', '~1')}" for name in missing]
        else:
            places.append(here)
    return list(dict.fromkeys(places))


def example(original: Schema) -> Any:
    """Return a small input that the schema accepts, the same each time, or `None` if none was found.

    It has what is required, or a few of the optional properties if nothing is; values are the schema's own examples,
    defaults and listed values where there are any. In original names: `ivcap_mcp.schema.present` makes a call of it.
    """
    from ivcap_client.schemas.checking import errors

    doc = read(original)
    for choice in range(_MOST_TRIES):
        value = Sampler(doc).sample(doc.root, choice=choice)
        if value is None or too_much(value) is not None:
            continue
        found, complete = errors(doc, value, sizes_of(value))
        if not complete:
            return None
        if not found:
            return value
    return None


def unchecked(original: Schema) -> list[str]:
    """Return what of a schema `check` leaves to the service, one sentence each, for describe_service."""
    from ivcap_client.schemas.checking import unchecked_patterns

    doc = read(original)
    told = [f"the pattern {one_line(pattern, 100)} is not checked here" for pattern in unchecked_patterns(doc)[:10]]
    return [*doc.notes, *told]


def complaint_text(tool: str, complaints: Sequence[Complaint], *, example: Any = None, again: str = "") -> str:
    """Write complaints as the text of a tool error, at most 10 kB.

    Args:
        tool: Name of the tool that was called.
        complaints: From `check`.
        again: Name of the tool to call again, if that is another one: `run_service` calls others.
        example: Arguments of a call that would be accepted, in published names; left out where it is too long.
    """
    lines = [f"{tool} was not called: its arguments do not fit. Nothing was submitted."]
    lines += [f"- {clip(str(each), 1_200)}" for each in complaints]
    lines.append(f"Correct {'this' if len(complaints) == 1 else 'these'} and call {again or tool} again.")
    if example is not None:
        text = json.dumps(example, ensure_ascii=False)
        if len(text) <= _MOST_EXAMPLE:
            lines.append(f"A call that fits: {text}")
    told = "\n".join(lines)
    while len(told.encode(errors="replace")) > MOST_TEXT:
        told = clip(told, len(told) * 9 // 10)
    return told
