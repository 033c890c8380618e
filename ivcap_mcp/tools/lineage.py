"""`trace_lineage`: where from, used by, and how to run it again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import mcp_types as t

from ivcap_client.later import later
from ivcap_client.urns import is_urn
from ivcap_mcp import outside
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.moments import AS_OF, moment_of
from ivcap_mcp.results import next_call
from ivcap_mcp.text import clip, one_line
from ivcap_mcp.tools.builtin import MAX_BYTES, READS, Builtin, output, schema, text

if TYPE_CHECKING:
    from ivcap_mcp import lineage
    from ivcap_mcp.request import Request
else:
    lineage = later("ivcap_mcp.lineage")

SPARE = 4.0
HEADINGS = {True: "Where it comes from", False: "What used it"}


async def trace_lineage(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    urn, direction, depth = given["urn"], given.get("direction", "both"), given.get("depth", 3)
    if not is_urn(urn):
        raise ToolError("invalid_input", f"{clip(urn, 200)!r} is no URN.", "Give an artifact's, job's or other URN.")
    at = moment_of(given.get("as_of"))
    walk = lineage.Walk(backend.ivcap, at, time.monotonic() + max(1.0, request.left - SPARE))
    graph = await walk.trace(urn, direction, depth)
    for service, label in graph.nodes.items():
        entry = await backend.catalog.of_service(service) if label["kind"] == "service" else None
        if entry is not None:
            label["name"] = entry.name
    if backend.settings.read_only:
        graph.rerun = None
    return _told(graph, direction, given.get("max_bytes", 20_000))


def _told(graph: lineage.Graph, direction: str, most: int) -> t.CallToolResult:
    told = lineage.structured(graph, lambda value: one_line(value, 300))
    if graph.notes:
        told["notes"] = [one_line(note, 400) for note in graph.notes[:10]]
    if graph.rerun is not None:
        rerun = next_call("run_service", service=graph.rerun["service"], input=graph.rerun["input"])
        told["rerun"] = {"job": graph.rerun["job"], "next": rerun}
    if not graph.edges:
        told["note"] = f"{lineage.NOTHING} about {graph.root}."
    lines = [outside.LEAD]
    if not graph.edges:
        known = graph.nodes[graph.root].get("note")
        lines.append(f"{told['note']}" + (f" It is {known}." if known else ""))
    for up in (True, False):
        if graph.edges and direction in ("both", "from" if up else "used_by"):
            branches = lineage.tree(graph, up)
            lines += [f"{HEADINGS[up]}:", *(branches if len(branches) > 1 else [f"{lineage.NOTHING}."]), ""]
    lines += told.get("notes", [])
    if graph.rerun is not None:
        call = json.dumps(told["rerun"]["next"]["arguments"], ensure_ascii=False, default=str)
        lines.append(f"To run {graph.rerun['job']} again call run_service with {call}")
    told = _within(told, most)
    shown = _cut(lines, most)
    return t.CallToolResult(content=[t.TextContent(text=shown)], structured_content=told | outside.MARK)


def _within(told: dict[str, Any], most: int) -> dict[str, Any]:
    """The graph with as many edges as fit, and the nodes these need."""
    total = len(told["edges"])
    while len(json.dumps(told, default=str)) > most and told["edges"]:
        edges = told["edges"][: len(told["edges"]) * 2 // 3]
        ends = {told["urn"]} | {end for edge in edges for end in (edge["from"], edge["to"])}
        nodes = [node for node in told["nodes"] if node["urn"] in ends]
        told = told | {"edges": edges, "nodes": nodes, "shortened": True, "edge_count": total}
        if not edges:
            told.pop("rerun", None)
    return told


def _cut(lines: list[str], most: int) -> str:
    whole = "\n".join(lines).rstrip()
    size = len(whole.encode())
    if size <= most:
        return whole
    return whole.encode()[: most - 80].decode("utf-8", "ignore") + f"\n… (shortened; {size} bytes in all)"


TOOLS = (
    Builtin(
        t.Tool(
            name="trace_lineage",
            description=(
                "Where an artifact, job or other thing comes from, what used it, and how to run it again. Each step "
                "names the record it is taken from."
            ),
            input_schema=schema(
                ("urn",),
                urn=text("URN to start from"),
                direction=text(
                    "from: what it was made of; used_by: what it was used for",
                    enum=["from", "used_by", "both"],
                    default="both",
                ),
                depth={"type": "integer", "minimum": 1, "maximum": 8, "default": 3, "description": "Steps to follow"},
                as_of=AS_OF,
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(
                nodes={"type": "array", "items": {"type": "object"}},
                edges={"type": "array", "items": {"type": "object"}},
                rerun={"type": "object"},
            ),
            annotations=READS,
        ),
        trace_lineage,
    ),
)
