"""What services say about themselves, kept by the hash of their files: listing tools starts nothing twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..urns import TOOL_SCHEMA
from . import places
from .approvals import write_private
from .specs import ServiceSpec

SERVICE_SCHEMA = "urn:ivcap:schema.service.2"
MOST_TOOLS = 64
"""Tools of one program that become services."""

POLICY = "urn:ivcap:policy:ivcap.open.service"


class BadDescription(Exception):
    """A tool answered, but not with a description of itself."""


def cached(digest: str) -> dict[str, Any] | None:
    """The description kept for a digest, or `None`."""
    try:
        found = json.loads(_file(digest).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("digest") == digest else None


def keep(description: dict[str, Any]) -> None:
    """Keep a description under its digest."""
    path = _file(str(description["digest"]))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps(description).encode())


def compose(spec: ServiceSpec, tool: object, api: object, path: str) -> dict[str, Any]:
    """A description from what a running tool says.

    Args:
        spec: Its service.
        tool: Reply to `GET <path>`: the ai-tool aspect.
        api: Its `/openapi.json`, or anything else if it has none. Asking the process that will run the first job spares
            the second start that `--print-service-description` costs, and works for both generations of the library.
        path: Where jobs are posted.

    Returns:
        `{"tool", "service", "path", "digest", "described_at"}`; of a program with several tools the first is described
        so, and the others follow as `parts`, each with its `name`.

    Raises:
        BadDescription: The reply is not an ai-tool aspect.
    """
    if not isinstance(tool, dict) or not isinstance(tool.get("fn_schema"), dict):
        raise BadDescription(f"{spec.name} does not describe itself as an AI tool (no fn_schema in GET {path})")
    tool = {**tool, "$schema": tool.get("$schema", TOOL_SCHEMA), "service-id": spec.urn}
    text = str(tool.get("description") or "")
    info = api.get("info") if isinstance(api, dict) else None
    info = info if isinstance(info, dict) else {}
    kind = f"urn:ivcap:schema.service.{spec.kind}.1"
    service = {
        "$schema": SERVICE_SCHEMA,
        "$id": spec.urn,
        "name": spec.name,
        "description": text.split("\nArguments:")[0].strip() or str(info.get("description") or spec.name),
        "parameters": [],
        "contact": info.get("contact"),
        "license": info.get("license"),
        "policy": POLICY,
        "controller-schema": kind,
        "controller": {"$schema": kind, "path": path, "command": [Path(word).name for word in spec.command]},
        "request-schema": tool["fn_schema"],
        "result-schema": _result_schema(api, path),
    }
    return {
        "tool": tool,
        "service": {name: value for name, value in service.items() if value is not None},
        "path": path,
        "digest": spec.digest,
        "described_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def part_name(spec: ServiceSpec, tool: object, path: str, taken: Container[str]) -> str:
    """Name of a further tool's service: `<service>-<tool>`, as its library names it. Source: service-contract §0."""
    told = tool.get("name") if isinstance(tool, dict) else None
    for word in (str(told or ""), path, path + hashlib.sha256(path.encode()).hexdigest()[:6]):
        slug = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")
        if slug and (name := f"{spec.name}-{slug}") not in taken:
            return name
    raise BadDescription(f"{spec.name} has two tools at {path}")


def tool_paths(api: object) -> list[str]:
    """Where a program takes jobs, one path for each of its tools, at most `MOST_TOOLS`.

    They are the POST paths with a sibling `…/jobs/{job_id}`; `/` where there are none. Source: service-contract §7.
    """
    found = []
    paths = api.get("paths") if isinstance(api, dict) else None
    if isinstance(paths, dict):
        for path, methods in paths.items():
            sibling = f"{path.rstrip('/')}/jobs/"
            if isinstance(methods, dict) and "post" in methods and any(other.startswith(sibling) for other in paths):
                found.append(str(path))
    return found[:MOST_TOOLS] or ["/"]


def _result_schema(api: object, path: str) -> dict[str, Any] | None:
    try:
        found = api["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]  # type: ignore[index] # any shape but this one means: not told
        schemas = api["components"]["schemas"]  # type: ignore[index] # as above
        if set(found) == {"$ref"}:
            found = schemas[found["$ref"].rpartition("/")[2]]
    except (KeyError, TypeError, IndexError):
        return None
    if not isinstance(found, dict) or not found:
        return None
    return _local_references(found, schemas)


def _local_references(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema with what it refers to under its own `$defs`."""
    definitions: dict[str, Any] = {}
    text = json.dumps(schema)
    waiting = set(re.findall(r'"#/components/schemas/([^"/]+)"', text))
    while waiting:
        name = waiting.pop()
        if name in definitions or name not in schemas:
            continue
        definitions[name] = schemas[name]
        waiting |= set(re.findall(r'"#/components/schemas/([^"/]+)"', json.dumps(schemas[name])))
    if definitions:
        text = json.dumps({**schema, "$defs": definitions})
    result: dict[str, Any] = json.loads(text.replace("#/components/schemas/", "#/$defs/"))
    return result


def _file(digest: str) -> Path:
    return places.cache_dir() / "descriptions" / f"{digest}.json"
