"""What a reviewer would say of a service before it is deployed. Pure: from what was seen to findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import mcp_types as t

from ivcap_client.platform import InspectedService
from ivcap_mcp import profiles
from ivcap_mcp.gate import admissible
from ivcap_mcp.naming import MOST_NAME, marked_name, wanted_name
from ivcap_mcp.schema import SchemaRefused, publish
from ivcap_mcp.text import clip, stripped

Level = Literal["error", "warning", "note"]

SHORT: Final = 40
"""Characters below which a description cannot say what a tool does, on what, and what comes out."""
LONG: Final = 2_000
"""Characters after which a tool's description is cut in lists."""
SLOW: Final = 10.0
"""Seconds after which a start is slow: the first caller waits that long, and each one after an idle minute."""
MOST_NAMED: Final = 8
_STAGES: Final = {
    "environment": ("environment", "its environment cannot be built"),
    "start": ("start", "it does not start"),
    "health": ("health", "it runs, but GET /_healtz is never answered with 200, so it would never be given a job"),
    "description": ("description", "it does not say what it is"),
}
# Words of JSON Schema that a target's form of the schema may lack; each is a promise to callers that becomes mere text.
_WORDS: Final = frozenset(
    """oneOf anyOf allOf not if then else pattern patternProperties additionalProperties propertyNames prefixItems
    contains minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf format const default
    uniqueItems minItems maxItems minProperties maxProperties dependentRequired dependentSchemas""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Attributes:
        level: `error`: it will not work; `warning`: it will work badly; `note`: good to know.
        about: What it concerns, in a word or two.
        message: What is the matter, and what would be better.
    """

    level: Level
    about: str
    message: str


def review(seen: InspectedService, names: Mapping[str, str], builtins: Collection[str]) -> list[Finding]:
    """Everything there is to say of a service, the worst first.

    Args:
        seen: What was seen of it.
        names: Tool names of other services, each with the service's name.
        builtins: Names of built-in tools.
    """
    order = {"error": 0, "warning": 1, "note": 2}
    found = list(_all(seen, names, builtins))
    for part in seen.parts:
        one = replace(seen, name=part["name"], tool=part["tool"], service=part["service"], seconds=None, steps=None)
        found += [replace(each, about=f"{part['name']}: {each.about}") for each in _all(one, names, builtins)]
    return sorted(found, key=lambda one: order[one.level])


def _all(seen: InspectedService, names: Mapping[str, str], builtins: Collection[str]) -> Iterator[Finding]:
    if seen.stage:
        about, what = _STAGES[seen.stage]
        yield Finding("error", about, f"{what}: {clip(stripped(seen.failure), 2_000)}")
        return
    yield from _described(seen)
    yield from _named(seen, names, builtins)
    yield from _parameters(seen)
    yield from _published(seen)
    if not isinstance(seen.service.get("result-schema"), Mapping):
        yield Finding("warning", "result", "its result has no schema: return a model with described fields, not a dict")
    if seen.steps is False:
        yield Finding("warning", "steps", "it reports no steps, so whoever waits sees nothing: use ctxt.report.step(…)")
    if seen.seconds is not None and seen.seconds > SLOW:
        told = f"it takes {seen.seconds:.0f} s to start; import heavy packages and load models in the first job instead"
        yield Finding("warning", "start", told)


def _described(seen: InspectedService) -> Iterator[Finding]:
    told = seen.tool.get("description")
    text = (told if isinstance(told, str) else "").partition("\nArguments:")[0].strip()
    if not text:
        yield Finding("error", "description", "there is none, and agents choose by it: write a docstring")
    elif len(text) < SHORT:
        better = "say what it does, on what, and what comes out"
        yield Finding("warning", "description", f"{len(text)} characters ({text!r}) tell an agent little: {better}")
    elif len(text) > LONG:
        yield Finding("warning", "description", f"{len(text)} characters; lists show the first {LONG}")
    if text != stripped(text):
        yield Finding("warning", "description", "it holds invisible characters, which are taken out")


def _named(seen: InspectedService, names: Mapping[str, str], builtins: Collection[str]) -> Iterator[Finding]:
    told = seen.tool.get("name")
    wanted = wanted_name(told if isinstance(told, str) else None, seen.name)
    marked = marked_name(wanted or "service", seen.urn)
    if not wanted:
        yield Finding("warning", "name", f"nothing of {told!r} can stand in a tool's name; it will be called {marked}")
    elif len(wanted) > MOST_NAME:
        yield Finding("warning", "name", f"{wanted!r} is longer than {MOST_NAME}; it will be called {marked}")
    elif wanted in builtins:
        yield Finding("warning", "name", f"{wanted!r} is a built-in tool; it will be called {marked}")
    elif wanted in names:
        which = f"the service {names[wanted]!r} has the tool name {wanted!r} too"
        yield Finding("warning", "name", f"{which}; the newer of them will be called {marked}, or the like")


def _parameters(seen: InspectedService) -> Iterator[Finding]:
    schema = seen.tool.get("fn_schema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or not properties:
        yield Finding("note", "parameters", "it takes none")
        return
    definitions = schema.get("$defs") if isinstance(schema, Mapping) else None
    bare = [name for name, one in properties.items() if name != "$schema" and not _says(one, definitions)]
    if bare:
        shown = ", ".join(bare[:MOST_NAMED]) + (f" and {len(bare) - MOST_NAMED} more" if len(bare) > MOST_NAMED else "")
        yield Finding("warning", "parameters", f"without a description: {shown}. Use Field(description=…), with units")


def _says(one: Any, definitions: object) -> bool:
    if not isinstance(one, Mapping):
        return False
    if one.get("description"):
        return True
    reference = str(one.get("$ref", "")).rpartition("/")[2]
    named = definitions.get(reference) if isinstance(definitions, Mapping) else None
    return isinstance(named, Mapping) and bool(named.get("description"))


def _published(seen: InspectedService) -> Iterator[Finding]:
    original = seen.tool.get("fn_schema")
    if not isinstance(original, Mapping):
        return
    try:
        published = publish(original)
    except SchemaRefused as problem:
        yield Finding("error", "schema", f"no client can be shown it: {problem}")
        return
    tool = t.Tool(name="checked", description="x", input_schema=dict(published.schema))
    refused = admissible(tool)
    if refused is not None:
        yield Finding("error", "schema", f"clients would refuse it: {clip(refused, 500)}")
        return
    for note in published.notes[:MOST_NAMED]:
        yield Finding("note", "schema", note)
    there = _words(published.schema)
    for profile in ("openai-strict", "gemini"):
        lost = sorted(there - _words(profiles.render(published.schema, profile)))
        if lost:
            yield Finding("note", "schema", f"{profile} does not take {', '.join(lost)}: there it is said in words")


def _words(schema: Any) -> set[str]:
    """The words of JSON Schema that a schema uses; names of properties are none."""
    found: set[str] = set()
    waiting: list[tuple[Any, bool]] = [(schema, False)]
    while waiting:
        one, named = waiting.pop()
        if isinstance(one, Mapping):
            for key, value in one.items():
                if not named and key in _WORDS:
                    found.add(key)
                if key not in ("default", "const", "enum", "examples"):
                    waiting.append((value, key == "properties" and not named))
        elif isinstance(one, list):
            waiting.extend((item, False) for item in one)
    return found
