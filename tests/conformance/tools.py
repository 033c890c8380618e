"""Fixture tools that answer by themselves, or by asking the client over the open line (handshake era)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from ivcap_mcp.changes import Bus
from tests.conformance import content, tasks
from tests.conformance.asking import ASKING, Asked
from tests.conformance.content import text

Context = ServerRequestContext[Any, Any]
Tool = Callable[[Context, t.CallToolRequestParams], Awaitable[Asked]]

# Logging and sampling are deprecated, and asked for by the suite all the same.
warnings.filterwarnings("ignore", category=MCPDeprecationWarning)

BEAT = 0.05
"""Seconds between two messages, as the suite wants them."""
OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


def _texts(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}


SCHEMAS: dict[str, dict[str, Any]] = {
    **tasks.SCHEMAS,
    "test_sampling": _texts("prompt"),
    "test_elicitation": _texts("message"),
    "json_schema_2020_12_tool": content.SCHEMA_2020_12,
    "test_header": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
}


def answer(*blocks: t.ContentBlock) -> t.CallToolResult:
    return t.CallToolResult(content=list(blocks))


async def simple_text(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return answer(text("This is a simple text response for testing."))


async def image_content(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return answer(content.image())


async def audio_content(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return answer(t.AudioContent(data=content.wav(), mime_type="audio/wav"))


async def embedded_resource(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    words = "This is an embedded resource content."
    return answer(content.embedded("test://embedded-resource", "text/plain", words))


async def multiple_content_types(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    mixed = content.embedded("test://mixed-content-resource", "application/json", content.MIXED)
    return answer(text("Multiple content types test:"), content.image(), mixed)


async def tool_with_logging(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", words, related_request_id=ctx.request_id)
        await anyio.sleep(BEAT)
    return answer(text("logged three times"))


async def error_handling(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    words = "This tool intentionally returns an error for testing"
    return t.CallToolResult(content=[text(words)], is_error=True)


async def tool_with_progress(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100)
        await anyio.sleep(BEAT)
    return answer(text("done"))


async def sampling(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    able = ctx.session.client_capabilities
    if able is None or able.sampling is None:
        return t.CallToolResult(content=[text("the client offers no sampling")], is_error=True)
    message = t.SamplingMessage(role="user", content=text(str((params.arguments or {}).get("prompt"))))
    reply = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    return answer(text(f"LLM response: {getattr(reply.content, 'text', reply.content)}"))


async def _elicited(ctx: Context, message: str, schema: dict[str, Any], told: str) -> Asked:
    able = ctx.session.client_capabilities
    if able is None or able.elicitation is None:
        return t.CallToolResult(content=[text("the client offers no elicitation")], is_error=True)
    reply = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return answer(text(f"{told}: action={reply.action}, content={json.dumps(reply.content)}"))


async def elicitation(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return await _elicited(ctx, str((params.arguments or {}).get("message")), content.USER, "User response")


async def elicitation_sep1034_defaults(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return await _elicited(ctx, "Please check these values", content.DEFAULTS, "Elicitation completed")


async def elicitation_sep1330_enums(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return await _elicited(ctx, "Please choose", content.ENUMS, "Elicitation completed")


async def reconnection(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    # Without an event store there is nothing to reconnect to, and the SDK offers no way to close the stream.
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
    await anyio.sleep(BEAT)
    return answer(text("reconnection test completed"))


async def missing_capability(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    able = ctx.session.client_capabilities
    if able is None or able.sampling is None:
        wanted: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(t.MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs sampling", wanted)
    return answer(text("sampling was declared"))


async def echo_arguments(ctx: Context, params: t.CallToolRequestParams) -> Asked:
    return answer(text(json.dumps(params.arguments or {})))


class Triggers:
    """Tools that make a list change, announced over the real server's bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tool_change(self, ctx: Context, params: t.CallToolRequestParams) -> Asked:
        await self._bus.publish(ToolsListChanged())
        return answer(text("the tools changed"))

    async def prompt_change(self, ctx: Context, params: t.CallToolRequestParams) -> Asked:
        await self._bus.publish(PromptsListChanged())
        return answer(text("the prompts changed"))


def tools(bus: Bus) -> dict[str, Tool]:
    """Every fixture tool by its name, except for those of the tasks extension."""
    named: tuple[Tool, ...] = (
        simple_text, image_content, audio_content, embedded_resource, multiple_content_types, tool_with_logging,
        error_handling, tool_with_progress, sampling, elicitation, elicitation_sep1034_defaults,
        elicitation_sep1330_enums, reconnection, missing_capability,
    )  # fmt: skip
    triggers = Triggers(bus)
    found: dict[str, Tool] = {f"test_{getattr(tool, '__name__', '')}": tool for tool in named}
    found |= {
        "json_schema_2020_12_tool": echo_arguments,
        "test_header": echo_arguments,
        "test_logging_tool": tool_with_logging,
        "test_trigger_tool_change": triggers.tool_change,
        "test_trigger_prompt_change": triggers.prompt_change,
    }
    for name, ask in ASKING.items():
        found[name] = _later(ask)
    return found


def _later(ask: Callable[[Context, Any], Asked]) -> Tool:
    async def tool(ctx: Context, params: t.CallToolRequestParams) -> Asked:
        return ask(ctx, params)

    return tool


def definition(name: str) -> t.Tool:
    told = f"A fixture of the conformance suite: {name}"
    return t.Tool(name=name, description=told, input_schema=SCHEMAS.get(name, OBJECT))
