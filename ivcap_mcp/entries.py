"""A service that is a tool: made of its description alone."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as t

from ivcap_client import Aspect
from ivcap_mcp.gate import admissible
from ivcap_mcp.schema import PublishedSchema, SchemaRefused, publish
from ivcap_mcp.search import Document
from ivcap_mcp.text import clip, stripped

MOST_DESCRIPTION = 2_000
RUNS = t.ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Entry:
    """A service that is a tool.

    Attributes:
        name: The tool's name.
        service: URN of the service.
        service_name: What the tool aspect calls it.
        description: Cleaned, not cut.
        original: The service's own input schema, against which calls are checked.
        published: What clients are shown, and the way back.
        aspect: URN of the tool aspect.
        tool: The definition that is listed.
    """

    name: str
    service: str
    service_name: str
    description: str
    original: Mapping[str, Any]
    published: PublishedSchema
    aspect: str
    tool: t.Tool

    def document(self) -> Document:
        """What search looks into."""
        return Document(
            self.name, f"{self.name} {self.service_name}", " ".join(_names(self.original)), self.description
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A service that is no tool, and why."""

    service: str
    reason: str


_alike: weakref.WeakValueDictionary[bytes, Entry] = weakref.WeakValueDictionary()
"""Entries that callers with the same description of a service have in common, by a hash of all they are made of."""


def known_entry(name: str, urn: str, aspect: Aspect, content: Mapping[str, Any]) -> Entry | Problem:
    """`entry_of`, made once for all callers who were given the very same description.

    An entry is made of these arguments alone, so who finds one here could have made it: nothing is learned of others.
    """
    told = json.dumps([name, urn, aspect.id, content], sort_keys=True, default=str)
    key = hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()
    made: Entry | Problem | None = _alike.get(key)
    if made is None:
        made = entry_of(name, urn, aspect, content)
        if isinstance(made, Entry):
            _alike[key] = made
    return made


def entry_of(name: str, urn: str, aspect: Aspect, content: Mapping[str, Any]) -> Entry | Problem:
    """The tool that a description makes, or why it makes none.

    Args:
        name: The tool's name.
        urn: The service.
        aspect: Its tool aspect.
        content: What that says.
    """
    original = schema_in(content)
    described = content.get("description")
    description = stripped(described if isinstance(described, str) else "").partition("\nArguments:")[0].strip()
    called = clip(stripped(str(content.get("name") or name)), 200)
    try:
        published = publish(original)
    except SchemaRefused as error:
        return Problem(urn, str(error))
    tool = t.Tool(
        name=name,
        description=clip(description, MOST_DESCRIPTION) or f"Run the IVCAP service {called}.",
        input_schema=dict(published.schema),
        annotations=RUNS,
    )
    refused = admissible(tool)
    if refused is not None:
        return Problem(urn, f"clients would refuse its definition: {clip(refused, 500)}")
    return Entry(name, urn, called, description, original, published, aspect.id, tool)


def is_reading(tool: t.Tool) -> bool:
    """Whether a built-in tool says of itself that it changes nothing."""
    return tool.annotations is not None and tool.annotations.read_only_hint is True


def schema_in(content: Mapping[str, Any]) -> Any:
    """The input schema of a description, under either of the names it goes by."""
    return content.get("fn_schema", content.get("fn-schema"))


def is_own(service_id: Any, urn: str) -> bool:
    """Whether a description may stand for this service: it names it, or leaves the name open."""
    return service_id is None or service_id == urn or service_id == "" or service_id == "#SERVICE_ID#"


def _names(schema: Mapping[str, Any]) -> list[str]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return []
    told = [str(name) for name in properties]
    return told + [str(p["description"]) for p in properties.values() if isinstance(p, Mapping) and "description" in p]
