"""`build_server`: handlers wired to the SDK's low-level server, which takes tools as data. Wiring only."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import anyio
import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.shared.exceptions import MCPError

from ivcap_client import IVCAP, __version__
from ivcap_client.exception import IvcapError
from ivcap_mcp import arguments, calls, resources
from ivcap_mcp.backend import Backend
from ivcap_mcp.catalog import Entry
from ivcap_mcp.errors import ToolError, as_result, no_resource, tool_error, unknown_tool
from ivcap_mcp.inputs import request_for
from ivcap_mcp.instructions import instructions
from ivcap_mcp.progress import Telling
from ivcap_mcp.request import Request
from ivcap_mcp.settings import Settings
from ivcap_mcp.tools import BUILTINS, Builtin

Context = ServerRequestContext[Any, Any]


class IvcapServer(Server[dict[str, Any]]):
    """The SDK's server; legacy HTTP clients learn from it too that lists change."""

    backend: Backend

    def create_initialization_options(self, *args: Any, **kwargs: Any) -> InitializationOptions:
        if not args and "notification_options" not in kwargs:
            kwargs["notification_options"] = NotificationOptions(tools_changed=True)
        return super().create_initialization_options(*args, **kwargs)


def build_server(ivcap: IVCAP, settings: Settings) -> IvcapServer:
    """An MCP server for a platform.

    Args:
        ivcap: The platform, as the one whose tools these are. The server never closes it.
        settings: Everything else.

    Returns:
        A low-level server of the MCP SDK, for `serve_stdio`, `http_app` or an in-process client.
    """
    builtins = {tool.definition.name: tool for tool in BUILTINS}
    backend = Backend(ivcap, settings, [tool.definition for tool in BUILTINS])
    handlers = _Handlers(backend, builtins)
    server = IvcapServer(
        "ivcap",
        version=__version__,
        title="IVCAP",
        instructions=instructions(settings),
        lifespan=backend.running,
        get_tool_input_schema=backend.catalog.schema_of,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_subscriptions_listen=backend.changes.listen,
    )
    server.add_notification_handler("notifications/initialized", t.NotificationParams, backend.changes.joined)
    server.backend = backend
    return server


class _Handlers:
    def __init__(self, backend: Backend, builtins: dict[str, Builtin]) -> None:
        self._backend, self._builtins = backend, builtins

    async def list_tools(self, ctx: Context, params: t.PaginatedRequestParams | None) -> t.ListToolsResult:
        await self._backend.catalog.ready()
        tools = self._backend.catalog.listed()
        page = self._backend.settings.page
        start = _start(params.cursor if params else None, [tool.name for tool in tools])
        shown = tools[start : start + page]
        after = _cursor(shown[-1].name) if start + page < len(tools) else None
        ttl = int(self._backend.settings.refresh * 1000)
        return t.ListToolsResult(tools=shown, next_cursor=after, ttl_ms=ttl, cache_scope="private")

    async def call_tool(self, ctx: Context, params: t.CallToolRequestParams) -> t.CallToolResult:
        settings = self._backend.settings
        now = time.monotonic()
        request = Request(ctx, now + settings.max_wait, Telling(now, settings.progress_gap, settings.heartbeat))
        builtin = self._builtins.get(params.name)
        entry = None if builtin else await self._backend.catalog.find(params.name)
        if builtin is None and entry is None:
            raise unknown_tool(params.name)
        try:
            with anyio.fail_after(settings.max_wait):
                if entry is not None:
                    return await request.told(self._service(request, entry, params.arguments or {}))
                assert builtin is not None
                return await request.told(self._builtin(request, builtin, params.arguments or {}))
        except TimeoutError as error:
            if isinstance(error, IvcapError):
                return as_result(tool_error(error))
            return as_result(ToolError("timeout", "This took longer than a call may take.", "Try again later."))
        except MCPError:
            raise
        except Exception as error:
            return as_result(tool_error(error))

    async def _service(self, request: Request, entry: Entry, given: dict[str, Any]) -> t.CallToolResult:
        body = await request_for(entry, given)
        return await calls.run(self._backend, request, entry.service, body, self._backend.settings.wait)

    async def _builtin(self, request: Request, builtin: Builtin, given: dict[str, Any]) -> t.CallToolResult:
        schema = builtin.definition.input_schema
        repaired = arguments.repair(given, schema)
        complaints = arguments.check(repaired, schema)
        if complaints:
            raise ToolError("invalid_input", arguments.complaint_text(builtin.definition.name, complaints))
        return await builtin.run(self._backend, request, repaired)

    async def list_resources(self, ctx: Context, params: t.PaginatedRequestParams | None) -> t.ListResourcesResult:
        try:
            found = await resources.recent(self._backend)
        except IvcapError as error:
            raise MCPError(t.INTERNAL_ERROR, str(error)) from None
        return t.ListResourcesResult(resources=found, ttl_ms=5_000, cache_scope="private")

    async def list_templates(
        self, ctx: Context, params: t.PaginatedRequestParams | None
    ) -> t.ListResourceTemplatesResult:
        found = resources.templates()
        return t.ListResourceTemplatesResult(resource_templates=found, ttl_ms=3_600_000, cache_scope="public")

    async def read_resource(self, ctx: Context, params: t.ReadResourceRequestParams) -> t.ReadResourceResult:
        uri = str(params.uri)
        try:
            contents = await resources.read(self._backend, uri)
        except IvcapError as error:
            raise MCPError(t.INTERNAL_ERROR, str(error)) from None
        if contents is None:
            raise no_resource(uri, ctx.protocol_version)
        return t.ReadResourceResult(contents=contents, ttl_ms=0, cache_scope="private")


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": name}).encode()).decode()


def _start(cursor: str | None, names: list[str]) -> int:
    """Where a page begins. A cursor names the last tool seen, so it survives tools that come and go."""
    if cursor is None:
        return 0
    try:
        after = json.loads(base64.urlsafe_b64decode(cursor))["after"]
    except (ValueError, KeyError, TypeError):
        raise MCPError(t.INVALID_PARAMS, "Invalid cursor: take it from the page before, or start anew") from None
    if after in names:
        return names.index(after) + 1
    later = [place for place, name in enumerate(names) if isinstance(after, str) and name > after]
    return later[0] if later else len(names)
