"""The datafabric: typed statements about any URN."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import mcp_types as t

from ivcap_client import Aspect
from ivcap_client._core.wire import moment
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.request import Request
from ivcap_mcp.results import answer, fitted
from ivcap_mcp.text import clip
from ivcap_mcp.tools.builtin import ADDS, CURSOR, LIMIT, MAX_BYTES, READS, Builtin, output, schema, text

PLATFORM_SCHEMAS = re.compile(r"urn:ivcap:schema.*|urn:sd-core:schema.*ai-tool.*", re.IGNORECASE)
"""Schemas that belong to the platform: through these a model could register or falsify services and jobs."""


async def query_aspects(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    limit = given.get("limit", 10)
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
    shown, size = fitted(found, given.get("max_bytes", 20_000))
    told: dict[str, Any] = {"aspects": shown}
    if listed.cursor is not None:
        told["cursor"] = listed.cursor
    if size is not None:
        told |= {"shortened": True, "size": size}
    return answer(told, lead="" if found else "No aspect fits.")


def moment_of(given: str | None) -> datetime | None:
    """A time as a model writes it.

    Raises:
        ToolError: It is none.
    """
    if given is None:
        return None
    value = moment(given)
    if value is None:
        raise ToolError(
            "invalid_input", f"as_of: {clip(given, 60)!r} is no time.", "Write it like 2026-01-31T12:00:00Z."
        )
    return value


def facts(aspect: Aspect) -> dict[str, Any]:
    told = {
        "aspect": aspect.urn,
        "entity": aspect.entity,
        "schema": aspect.schema,
        "valid_from": str(aspect.valid_from) if aspect.valid_from else None,
        "valid_to": str(aspect.valid_to) if aspect.valid_to else None,
        "content": aspect.record.content,
    }
    return {key: value for key, value in told.items() if value is not None}


async def add_aspect(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    refuse_platform_schema(given["schema"])
    said = given["content"]
    declared = said.get("$schema")
    if isinstance(declared, str):
        refuse_platform_schema(declared)
    aspect = await backend.ivcap.add_aspect_async(
        given["entity"], said, schema=given["schema"], policy=given.get("policy")
    )
    return answer({"aspect": aspect.urn, "entity": aspect.entity, "schema": aspect.schema})


def refuse_platform_schema(urn: str) -> None:
    """Refuse what only the platform, or a program with the SDK, should state."""
    if PLATFORM_SCHEMAS.fullmatch(urn):
        raise ToolError(
            "not_permitted",
            f"{clip(urn, 200)} belongs to the platform: statements under it register services and jobs.",
            "Use a schema of your own; a person can write it with the SDK's IVCAP().add_aspect().",
        )


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
                as_of=text("What held at this time (RFC 3339)"),
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
            name="add_aspect",
            description="State something about an entity. Statements are never overwritten; this adds one.",
            input_schema=schema(
                ("entity", "schema", "content"),
                entity=text("URN the statement is about"),
                schema=text("URN of the schema of the content"),
                content={"type": "object", "description": "The statement"},
                policy=text("URN of a policy"),
            ),
            output_schema=output(aspect=text("URN"), entity=text("URN"), schema=text("URN")),
            annotations=ADDS,
        ),
        add_aspect,
    ),
)
