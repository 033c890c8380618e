"""Finding services and running any of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client.later import later
from ivcap_mcp.backend import Backend
from ivcap_mcp.entries import Entry
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fitted, leading
from ivcap_mcp.moments import written
from ivcap_mcp.rendering import rendered
from ivcap_mcp.results import answer, next_call
from ivcap_mcp.text import clip, one_line
from ivcap_mcp.tools.builtin import (
    CURSOR,
    DEFAULT_WAIT,
    LIMIT,
    MAX_BYTES,
    READS,
    RUNS,
    Builtin,
    output,
    schema,
    text,
    waited,
)

if TYPE_CHECKING:
    from ivcap_mcp import arguments, calls, finding, inputs
    from ivcap_mcp.request import Request
else:
    arguments = later("ivcap_mcp.arguments")
    calls = later("ivcap_mcp.calls")
    finding = later("ivcap_mcp.finding")
    inputs = later("ivcap_mcp.inputs")

UNSURE = "Perhaps no service does this: these come nearest. Read what they do before you run one."


async def search_services(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    await backend.catalog.ready()
    entries = {entry.name: entry for entry in backend.catalog.all()}
    query = given.get("query", "")
    found_out = await finding.find(backend, query)
    ranked = [one for one in found_out.ranked if one[0] in entries]
    start = _place(given.get("cursor"))
    limit = given.get("limit", 10)
    shown = ranked[start : start + limit]
    found = [_line(entries[name], score) for name, score in shown]
    told: dict[str, Any] = {"services": found, "total": len(ranked), "confident": found_out.confident and bool(found)}
    if start + limit < len(ranked):
        told["cursor"] = str(start + limit)
    if backend.catalog.failure is not None:
        told["warning"] = f"The catalogue could not be refreshed: {backend.catalog.failure}"
    if backend.catalog.problems:
        told["unavailable"] = [{"service": p.service, "reason": p.reason} for p in backend.catalog.problems[:10]]
    states = await backend.states()
    if states:
        told["preparing"] = states[:10]
    lead = _nothing(backend, query, states) if not found else "" if found_out.confident else UNSURE
    return answer(_within(told, start, given.get("max_bytes", 20_000)), lead=lead)


def _within(told: dict[str, Any], start: int, most: int) -> dict[str, Any]:
    """The answer with as many services as there is room for; what is said beside them gives way before the last one."""
    size = len(rendered(told).encode())
    if size <= most:
        return told
    found, shorter = told["services"], dict(told)
    for part in ("unavailable", "preparing", "warning"):
        if found and part in told and leading(shorter, "services", most) == 0:
            shorter[part] = fitted(told[part], 100)[0]
    room = max(1, leading(shorter, "services", most))
    if room < len(found):
        shorter |= {"services": found[:room], "cursor": str(start + room)}
    return shorter | {"shortened": True, "size": size}


def _line(entry: Entry, score: float) -> dict[str, Any]:
    first = entry.description.strip().split("\n\n")[0]
    return {
        "tool": entry.name,
        "service": entry.service,
        "description": clip(" ".join(first.split()), 300),
        "score": score,
    }


def _nothing(backend: Backend, query: str, states: list[dict[str, Any]]) -> str:
    if backend.catalog.all():
        return f"No service fits {one_line(query, 100)!r}. An empty query lists all {len(backend.catalog.all())}."
    if backend.catalog.failure is not None:
        return "The services could not be listed; `warning` says why."
    if states:
        return "No service can be called yet; `preparing` says what is being made ready, and what failed."
    if backend.settings.local:
        return (
            "There is no service yet. The user adds one with `ivcap-mcp services add PATH`, or --service PATH at start."
        )
    return "This platform offers no service with a tool description."


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdigit() or len(cursor) > 9:
        raise ToolError(
            "invalid_input", f"cursor {clip(cursor, 50)!r} is not one of ours.", "Take it from the answer before."
        )
    return int(cursor)


async def describe_service(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    entry = await known(backend, given["service"])
    told: dict[str, Any] = {
        "tool": entry.name,
        "service": entry.service,
        "description": entry.description,
        "input_schema": dict(entry.original),
        "loosened": [*entry.published.notes, *arguments.unchecked(entry.original)],
        "example": _example(backend, entry),
        "recent_jobs": [
            {"job": job.urn, "status": job.status(refresh=False).value, "requested_at": written(job.requested_at) or ""}
            async for job in backend.ivcap.list_jobs(entry.service, limit=5)
        ],
    }
    most = given.get("max_bytes", 20_000)
    if len(json.dumps(told, default=str)) > most:
        told["input_schema"], _ = fitted(told["input_schema"], most // 2)
        told["description"] = clip(entry.description, most // 4)
        told["whole"] = entry.aspect
    return answer(told)


def _example(backend: Backend, entry: Entry) -> Any:
    """A call that fits; its input alone where calls would be refused."""
    given = arguments.example(entry.original)
    return given if backend.settings.read_only else next_call("run_service", service=entry.service, input=given)


async def known(backend: Backend, named: str) -> Entry:
    """The service of this URN, name or tool name.

    Raises:
        ToolError: None; names the ones that are nearest.
    """
    entry = await backend.catalog.of_service(named)
    if entry is None:
        await backend.catalog.refresh()
        entry = await backend.catalog.of_service(named)
    if entry is None:
        if backend.catalog.failure is not None:
            raise backend.catalog.failure  # nothing is known of any service, and this is why
        if (stated := await not_ready(backend, named)) is not None:
            raise stated
        ranked = await anyio.to_thread.run_sync(lambda: backend.catalog.index().rank(named))
        near = [name for name, _ in ranked[:5]]
        hint = f"Did you mean {', '.join(near)}?" if near else "search_services lists what there is."
        raise ToolError("unknown_service", f"No service is known as {clip(named, 200)!r}.", hint)
    return entry


async def not_ready(backend: Backend, named: str) -> ToolError | None:
    """Why a service of the embedded platform that was named by URN or name is no tool yet; `None`: there is none."""
    one = next((one for one in await backend.states() if named in (one["service"], one["name"])), None)
    if one is None:
        return None
    if one["state"] == "failed":
        return ToolError(
            "service_failed",
            f"The service {one['name']} could not be started: {one['message']}",
            "Tell the user: the service has to be repaired; after that it is tried again.",
        )
    return ToolError(
        "not_ready", f"The service {one['name']} is being prepared: {one['message']}", "Call again in a few seconds."
    )


async def run_service(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    entry = await known(backend, given["service"])
    asked = await inputs.request_for(entry, given["input"], by=given["service"])
    wait = float(given.get("wait", backend.settings.wait))
    key, resubmit = given.get("key"), given.get("resubmit", False)
    return await calls.run(backend, request, entry.service, asked, wait, key=key, resubmit=resubmit)


TOOLS = (
    Builtin(
        t.Tool(
            name="search_services",
            description="Find services by what they do. An empty query lists all.",
            input_schema=schema(
                (),
                query=text("What is wanted, in words", default=""),
                limit=LIMIT,
                cursor=CURSOR,
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(
                services={"type": "array", "items": {"type": "object"}},
                total={"type": "integer"},
                confident={"type": "boolean", "description": "False: probably none fits"},
            ),
            annotations=READS,
        ),
        search_services,
    ),
    Builtin(
        t.Tool(
            name="describe_service",
            description="One service in full: description, input schema, an example call, recent jobs.",
            input_schema=schema(
                ("service",), service=text("URN, name or tool name of the service"), max_bytes=MAX_BYTES
            ),
            output_schema=output(tool=text("Name"), service=text("URN"), input_schema={"type": "object"}),
            annotations=READS,
        ),
        describe_service,
    ),
    Builtin(
        t.Tool(
            name="run_service",
            description=(
                "Run any service as a job and wait for its result. If it has not ended after `wait` seconds the answer "
                "names the job, which goes on: continue with get_job."
            ),
            input_schema=schema(
                ("service", "input"),
                service=text("URN, name or tool name of the service"),
                input={"type": "object", "description": "The service's input, as describe_service shows it"},
                wait=waited(DEFAULT_WAIT),
                key=text(
                    "Your own name for this run: the same key and input are the same job", minLength=1, maxLength=200
                ),
                resubmit={
                    "type": "boolean",
                    "default": False,
                    "description": "Order a fresh job, even if an earlier order has no known outcome; the user decides",
                },
            ),
            # It declares no property: a result's own keys may be any, also those that a handle uses.
            output_schema={
                "type": "object",
                "description": "The service's result; of a job that goes on: `job`, `status`, `progress`, `next`",
            },
            annotations=RUNS,
        ),
        run_service,
    ),
)
