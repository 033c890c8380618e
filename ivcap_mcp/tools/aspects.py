"""The datafabric: typed statements about any URN."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import mcp_types as t

from ivcap_client import Aspect
from ivcap_client.exception import NotInLocalMode
from ivcap_mcp import outside
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fit, leading
from ivcap_mcp.identifiers import checked
from ivcap_mcp.moments import AS_OF, moment_of, written
from ivcap_mcp.preview.texts import seen
from ivcap_mcp.rendering import rendered
from ivcap_mcp.results import answer
from ivcap_mcp.text import clip
from ivcap_mcp.tools.builtin import ADDS, CURSOR, LIMIT, MAX_BYTES, READS, Builtin, output, schema, text

if TYPE_CHECKING:
    from ivcap_mcp.request import Request

__all__ = ["PLATFORM_SCHEMAS", "TOOLS", "facts", "moment_of", "refuse_platform_schema"]

PLATFORM_SCHEMAS = re.compile(r"urn:ivcap:schema.*|urn:sd-core:schema.*ai-tool.*", re.IGNORECASE | re.DOTALL)
"""Schemas that belong to the platform: through these a model could register or falsify services and jobs."""

CLOSES = t.ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
RETRACTS = t.ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


async def query_aspects(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    most = given.get("max_bytes", 20_000)
    told = await _queried(backend, given, given.get("limit", 10))
    lead = outside.LEAD if told["aspects"] else "No aspect fits."
    room = leading(told, "aspects", most)
    if 0 < room < len(told["aspects"]):
        # A cursor of the platform goes on after a whole page, so the page is asked for that fits.
        size = len(rendered(told).encode())
        told = await _queried(backend, given, room) | {"shortened": True, "size": size}
    return answer(fit(told, "aspects", most), lead=lead)


async def _queried(backend: Backend, given: dict[str, Any], limit: int) -> dict[str, Any]:
    listed = backend.ivcap.list_aspects(
        entity=given.get("entity"),
        schema=given.get("schema"),
        content_path=given.get("content_path"),
        filter=given.get("filter"),
        at_time=moment_of(given.get("as_of")),
        order_by=given.get("order_by", "valid_from"),
        limit=limit,
        cursor=given.get("cursor"),
    )
    found = [facts(aspect) async for aspect in listed]
    return {"aspects": found} | ({"cursor": listed.cursor} if listed.cursor else {}) | outside.MARK


async def get_aspect(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    aspect = await backend.ivcap.get_aspect_async(checked("aspect", given["aspect"]))
    told = facts(aspect)
    told |= {
        name: value
        for name in ("asserter", "retracter", "replaces", "policy")
        if (value := getattr(aspect, name)) is not None
    }
    told |= outside.MARK | {"content": told.pop("content", None)}
    return answer(fit(told, "content", given.get("max_bytes", 20_000)), lead=outside.LEAD)


def facts(aspect: Aspect) -> dict[str, Any]:
    told = {
        "aspect": aspect.urn,
        "entity": aspect.entity,
        "schema": aspect.schema,
        "valid_from": written(aspect.valid_from),
        "valid_to": written(aspect.valid_to),
        "content": seen(aspect.record.content, depth=64),
    }
    return {key: value for key, value in told.items() if value is not None}


async def add_aspect(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    _refuse_said(given)
    aspect = await backend.ivcap.add_aspect_async(
        given["entity"], given["content"], schema=given["schema"], policy=given.get("policy")
    )
    return answer({"aspect": aspect.urn, "entity": aspect.entity, "schema": aspect.schema})


async def update_aspect(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    _refuse_said(given)
    before = [
        aspect.urn
        async for aspect in backend.ivcap.list_aspects(
            entity=given["entity"], schema=given["schema"], limit=5, include_content=False
        )
    ]
    if len(before) > 1:
        raise ToolError(
            "not_unique",
            f"{len(before)} statements about this entity hold under this schema ({', '.join(before)}), and an update "
            "replaces exactly one.",
            "Retract those that no longer hold with retract_aspect, or add another with add_aspect.",
        )
    aspect = await backend.ivcap.update_aspect_async(
        given["entity"], given["content"], schema=given["schema"], policy=given.get("policy")
    )
    told = {"aspect": aspect.urn, "entity": aspect.entity, "schema": aspect.schema}
    return answer(told | ({"replaced": before[0]} if before else {}))


async def retract_aspect(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    aspect = await backend.ivcap.get_aspect_async(checked("aspect", given["aspect"]))
    refuse_platform_schema(aspect.schema)
    told = {"aspect": aspect.urn, "entity": aspect.entity, "schema": aspect.schema}
    if aspect.valid_to is not None:
        return answer(told | {"valid_to": written(aspect.valid_to)}, lead="It had been retracted or replaced before.")
    await backend.ivcap.retract_aspect_async(aspect.urn)
    aspect = await aspect.refresh_async()
    return answer(told | {"valid_to": written(aspect.valid_to) or "now"})


async def search_datafabric(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    try:
        found = await backend.ivcap.search_async(
            given["query"],
            limit=given.get("limit", 10),
            at_time=moment_of(given.get("as_of")),
            cursor=given.get("cursor"),
        )
    except NotInLocalMode:
        raise ToolError(
            "not_in_local_mode",
            "Datalog queries need a deployment, and this is the embedded platform.",
            "Use query_aspects with entity, schema, content_path or filter.",
        ) from None
    items = seen(list(found.items), depth=64)
    told: dict[str, Any] = {"items": items} | outside.MARK
    if found.at_time is not None:
        told["at_time"] = written(found.at_time)
    if found.cursor is not None:
        told["cursor"] = found.cursor
    lead = outside.LEAD if items else "Nothing fits."
    return answer(fit(told, "items", given.get("max_bytes", 20_000)), lead=lead)


def _refuse_said(given: dict[str, Any]) -> None:
    refuse_platform_schema(given["schema"])
    declared = given["content"].get("$schema")
    if isinstance(declared, str):
        refuse_platform_schema(declared)


def refuse_platform_schema(urn: str) -> None:
    """Refuse what only the platform, or a program with the SDK, should state."""
    if PLATFORM_SCHEMAS.fullmatch(urn.strip()):
        raise ToolError(
            "not_permitted",
            f"{clip(urn, 200)} belongs to the platform: statements under it register services and jobs.",
            "Use a schema of your own; a person can write it with the SDK's IVCAP().add_aspect().",
        )


_STATEMENT = {
    "entity": text("URN the statement is about"),
    "schema": text("URN of the schema of the content"),
    "content": {"type": "object", "description": "The statement"},
    "policy": text("URN of a policy"),
}
_ASPECT = text("URN of the aspect")

TOOLS = (
    Builtin(
        t.Tool(
            name="query_aspects",
            description="Find aspects: what is stated about an entity, under a schema, or as of a time.",
            input_schema=schema(
                (),
                entity=text("URN the aspects are about"),
                schema=text("URN of their schema; % is a wildcard"),
                content_path=text("PostgreSQL JSONPath the content must match, such as $.size ? (@ > 10)"),
                filter=text("Filter expression, such as name ~= 'x%'"),
                as_of=AS_OF,
                order_by=text("Field to order by", default="valid_from"),
                limit=LIMIT,
                cursor=CURSOR,
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(aspects={}, cursor=text("Go on here")),
            annotations=READS,
        ),
        query_aspects,
    ),
    Builtin(
        t.Tool(
            name="get_aspect",
            description="One aspect in full, also one that no longer holds.",
            input_schema=schema(("aspect",), aspect=_ASPECT, max_bytes=MAX_BYTES),
            output_schema=output(aspect=text("URN"), entity=text("URN"), schema=text("URN"), content={}),
            annotations=READS,
        ),
        get_aspect,
    ),
    Builtin(
        t.Tool(
            name="add_aspect",
            description="State something about an entity. Statements are never overwritten; this adds one.",
            input_schema=schema(("entity", "schema", "content"), **_STATEMENT),
            output_schema=output(aspect=text("URN"), entity=text("URN"), schema=text("URN")),
            annotations=ADDS,
        ),
        add_aspect,
    ),
    Builtin(
        t.Tool(
            name="update_aspect",
            description=(
                "Replace the one statement about an entity under a schema, or state it first. The one before stays "
                "readable as of its time."
            ),
            input_schema=schema(("entity", "schema", "content"), **_STATEMENT),
            output_schema=output(aspect=text("URN"), entity=text("URN"), replaced=text("URN")),
            annotations=CLOSES,
        ),
        update_aspect,
    ),
    Builtin(
        t.Tool(
            name="retract_aspect",
            description="Close an aspect: it no longer holds from now on, and stays readable as of before.",
            input_schema=schema(("aspect",), aspect=_ASPECT),
            output_schema=output(aspect=text("URN"), valid_to=text("Since when it does not hold")),
            annotations=RETRACTS,
        ),
        retract_aspect,
    ),
    Builtin(
        t.Tool(
            name="search_datafabric",
            description="Ask the datafabric a Datalog (Mangle) query. Deployments only; elsewhere use query_aspects.",
            input_schema=schema(
                ("query",),
                query=text("Datalog program"),
                as_of=AS_OF,
                limit=LIMIT,
                cursor=CURSOR,
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(items={"type": "array", "items": {}}, cursor=text("Go on here")),
            annotations=READS,
        ),
        search_datafabric,
    ),
)
