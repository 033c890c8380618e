"""What the conformance suite wants to find, put in front of the real server's handlers.

Names the suite knows are answered here; everything else falls through to the real handler, and paging, cache hints,
transport, headers and errors are the real server's throughout. `logging/setLevel`, which only the suite's own logging
tool is about, stands alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as t
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

from ivcap_mcp.server import IvcapServer
from tests.conformance import prompts, resources
from tests.conformance.tasks import TaskFixtures
from tests.conformance.tools import Context, definition, tools

Handler = Callable[[Context, Any], Awaitable[Any]]


def install(server: IvcapServer) -> None:
    """Put the fixtures in front of `server`'s own handlers."""
    _tools(server)
    _resources(server)
    _prompts(server)
    _rest(server)


def _real(server: IvcapServer, method: str) -> Handler | None:
    entry = server.get_request_handler(method)
    return None if entry is None else entry.handler


def _first(params: t.PaginatedRequestParams | None) -> bool:
    return params is None or params.cursor is None


def _tools(server: IvcapServer) -> None:
    list_tools, call_tool = _real(server, "tools/list"), _real(server, "tools/call")
    schema_of = server.get_tool_input_schema
    assert list_tools is not None
    assert call_tool is not None
    assert schema_of is not None
    fixtures = tools(server.backend.changes.bus) | TaskFixtures(server, call_tool).tools()
    definitions = [definition(name) for name in sorted(fixtures)]
    schemas = {tool.name: tool.input_schema for tool in definitions}

    async def listed(ctx: Context, params: t.PaginatedRequestParams) -> t.ListToolsResult:
        real: t.ListToolsResult = await list_tools(ctx, params)
        # On the first page: some scenarios look no further.
        return real.model_copy(update={"tools": [*definitions, *real.tools]}) if _first(params) else real

    async def called(ctx: Context, params: t.CallToolRequestParams) -> Any:
        fixture = fixtures.get(params.name)
        return await (fixture or call_tool)(ctx, params)

    def schema(name: str) -> Mapping[str, Any] | None:
        return schemas.get(name) or schema_of(name)

    server.add_request_handler("tools/list", t.PaginatedRequestParams, listed)
    server.add_request_handler("tools/call", t.CallToolRequestParams, called)
    server.get_tool_input_schema = schema
    if not any(isinstance(one, RequestStateBoundary) for one in server.middleware):
        # Without --confirm the server asks nothing of its clients, and does not seal what it would give them to carry.
        server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=server.name))


def _resources(server: IvcapServer) -> None:
    list_resources, list_templates = _real(server, "resources/list"), _real(server, "resources/templates/list")
    read_resource = _real(server, "resources/read")
    assert list_resources is not None
    assert list_templates is not None
    assert read_resource is not None

    async def listed(ctx: Context, params: t.PaginatedRequestParams) -> t.ListResourcesResult:
        real: t.ListResourcesResult = await list_resources(ctx, params)
        return real.model_copy(update={"resources": [*resources.listed(), *real.resources]}) if _first(params) else real

    async def templates(ctx: Context, params: t.PaginatedRequestParams) -> t.ListResourceTemplatesResult:
        real: t.ListResourceTemplatesResult = await list_templates(ctx, params)
        found = [resources.template(), *real.resource_templates]
        return real.model_copy(update={"resource_templates": found}) if _first(params) else real

    async def read(ctx: Context, params: t.ReadResourceRequestParams) -> Any:
        found = resources.read(str(params.uri))
        if found is None:
            return await read_resource(ctx, params)
        return t.ReadResourceResult(contents=[found], ttl_ms=0, cache_scope="private")

    server.add_request_handler("resources/list", t.PaginatedRequestParams, listed)
    server.add_request_handler("resources/templates/list", t.PaginatedRequestParams, templates)
    server.add_request_handler("resources/read", t.ReadResourceRequestParams, read)


def _prompts(server: IvcapServer) -> None:
    list_prompts, get_prompt = _real(server, "prompts/list"), _real(server, "prompts/get")
    assert list_prompts is not None
    assert get_prompt is not None

    async def listed(ctx: Context, params: t.PaginatedRequestParams) -> t.ListPromptsResult:
        real: t.ListPromptsResult = await list_prompts(ctx, params)
        return real.model_copy(update={"prompts": [*prompts.PROMPTS, *real.prompts]}) if _first(params) else real

    async def got(ctx: Context, params: t.GetPromptRequestParams) -> Any:
        return prompts.get(ctx, params) if params.name in prompts.NAMES else await get_prompt(ctx, params)

    server.add_request_handler("prompts/list", t.PaginatedRequestParams, listed)
    server.add_request_handler("prompts/get", t.GetPromptRequestParams, got)


def _rest(server: IvcapServer) -> None:
    complete = _real(server, "completion/complete")
    assert complete is not None

    async def completed(ctx: Context, params: t.CompleteRequestParams) -> Any:
        if isinstance(params.ref, t.PromptReference) and params.ref.name in prompts.NAMES:
            return t.CompleteResult(completion=t.Completion(values=["paris", "park", "party"], total=3, has_more=False))
        return await complete(ctx, params)

    async def nothing(ctx: Context, params: Any) -> t.EmptyResult:
        return t.EmptyResult()

    server.add_request_handler("completion/complete", t.CompleteRequestParams, completed)
    server.add_request_handler("logging/setLevel", t.SetLevelRequestParams, nothing)
    _subscribing(server, "resources/subscribe", t.SubscribeRequestParams)
    _subscribing(server, "resources/unsubscribe", t.UnsubscribeRequestParams)


def _subscribing(
    server: IvcapServer, method: str, kind: type[t.SubscribeRequestParams] | type[t.UnsubscribeRequestParams]
) -> None:
    real = _real(server, method)
    assert real is not None

    async def subscribing(ctx: Context, params: Any) -> Any:
        return t.EmptyResult() if resources.read(str(params.uri)) is not None else await real(ctx, params)

    server.add_request_handler(method, kind, subscribing)
