"""`build_server`: handlers wired to the SDK's low-level server, which takes tools as data. Wiring only."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ivcap_client import IVCAP, __version__
from ivcap_client.exception import IvcapError
from ivcap_client.later import later
from ivcap_mcp import profiles, tasks
from ivcap_mcp.backend import Backend
from ivcap_mcp.dispatch import Dispatch
from ivcap_mcp.errors import no_resource
from ivcap_mcp.followers import Followers
from ivcap_mcp.instructions import instructions
from ivcap_mcp.settings import Settings
from ivcap_mcp.subscriptions import Subscriptions
from ivcap_mcp.tasks import TaskParams, Tasks, UpdateParams
from ivcap_mcp.tools import BUILTINS
from ivcap_mcp.tools.builtin import MOST_WAIT, waiting

if TYPE_CHECKING:
    from ivcap_mcp import completion, confirm, prompts, resources
else:
    completion = later("ivcap_mcp.completion")
    confirm = later("ivcap_mcp.confirm")
    prompts = later("ivcap_mcp.prompts")
    resources = later("ivcap_mcp.resources")

Context = ServerRequestContext[Any, Any]


class IvcapServer(Server[dict[str, Any]]):
    """The SDK's server; legacy HTTP clients learn from it too that lists change, where they have sessions.

    Attributes:
        sessions: Legacy clients have a connection on which they can be told something; not over HTTP without sessions.
    """

    backend: Backend
    followers: Followers
    subscriptions: Subscriptions
    tasks: Tasks
    sessions: bool = True

    def create_initialization_options(self, *args: Any, **kwargs: Any) -> InitializationOptions:
        if not args and "notification_options" not in kwargs:
            kwargs["notification_options"] = NotificationOptions(tools_changed=self.sessions)
        return super().create_initialization_options(*args, **kwargs)

    def get_capabilities(self, *args: Any, **kwargs: Any) -> t.ServerCapabilities:
        found = super().get_capabilities(*args, **kwargs)
        if self.sessions or kwargs.get("protocol_version") in MODERN_PROTOCOL_VERSIONS or found.resources is None:
            return found
        return found.model_copy(update={"resources": found.resources.model_copy(update={"subscribe": False})})

    def without_sessions(self) -> None:
        """Promise legacy clients nothing that needs a connection of theirs."""
        self.sessions = self.subscriptions.sessions = False


def build_server(ivcap: IVCAP, settings: Settings) -> IvcapServer:
    """An MCP server for a platform.

    Args:
        ivcap: The platform, as the one whose tools these are. The server never closes it.
        settings: Everything else.

    Returns:
        A low-level server of the MCP SDK, for `serve_stdio`, `http_app` or an in-process client.
    """
    wait, most = settings.wait, settings.max_wait
    # To ask for more than this server waits is no mistake: prompts and habits speak of 45 seconds.
    taken = [replace(one, definition=waiting(one.definition, max(most, MOST_WAIT), wait)) for one in BUILTINS]
    builtins = {one.definition.name: one for one in taken}
    backend = Backend(ivcap, settings, [waiting(one.definition, most, wait) for one in BUILTINS])
    followers = Followers(backend)
    of_tasks = Tasks(backend, followers)
    subscriptions = Subscriptions(backend, followers, of_tasks)
    dispatch = Dispatch(backend, builtins, of_tasks)
    handlers = _Handlers(backend, dispatch)
    server = IvcapServer(
        "ivcap",
        version=__version__,
        title="IVCAP",
        instructions=instructions(settings),
        lifespan=backend.running,
        get_tool_input_schema=backend.catalog.schema_of,
        on_list_tools=handlers.list_tools,
        on_call_tool=dispatch.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_subscribe_resource=subscriptions.subscribe,
        on_unsubscribe_resource=subscriptions.unsubscribe,
        on_subscriptions_listen=subscriptions.listen,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
        on_completion=handlers.complete,
    )
    server.extensions[tasks.ID] = {}
    server.add_request_handler("tasks/get", TaskParams, of_tasks.get)
    server.add_request_handler("tasks/update", UpdateParams, of_tasks.update)
    server.add_request_handler("tasks/cancel", TaskParams, of_tasks.cancel)
    if settings.confirm:
        server.middleware.append(confirm.boundary(server.name, settings.state_dir, settings.secret))
    server.add_notification_handler("notifications/initialized", t.NotificationParams, backend.changes.joined)
    server.backend, server.followers, server.subscriptions, server.tasks = backend, followers, subscriptions, of_tasks
    return server


class _Handlers:
    def __init__(self, backend: Backend, dispatch: Dispatch) -> None:
        self._backend, self._dispatch = backend, dispatch
        self._profiled = profiles.Profiled()

    async def list_tools(self, ctx: Context, params: t.PaginatedRequestParams | None) -> t.ListToolsResult:
        await self._backend.catalog.ready()
        tools = self._backend.catalog.listed()
        page = self._backend.settings.page
        start = _start(params.cursor if params else None, [tool.name for tool in tools])
        shown = tools[start : start + page]
        after = _cursor(shown[-1].name) if start + page < len(tools) else None
        ttl = int(self._backend.settings.refresh * 1000)
        if self._backend.settings.confirm:
            shown = [confirm.with_argument(tool) if self._dispatch.asks(tool.name) else tool for tool in shown]
        profile = profiles.of(self._backend.settings.schema_profile, ctx.session)
        shown = [self._profiled.tool(tool, profile) for tool in shown]
        return t.ListToolsResult(tools=shown, next_cursor=after, ttl_ms=ttl, cache_scope="private")

    async def list_prompts(self, ctx: Context, params: t.PaginatedRequestParams | None) -> t.ListPromptsResult:
        found = [prompt.definition for prompt in prompts.offered(self._backend)]
        return t.ListPromptsResult(prompts=found, ttl_ms=3_600_000, cache_scope="public")

    async def get_prompt(self, ctx: Context, params: t.GetPromptRequestParams) -> t.GetPromptResult:
        return await prompts.get(self._backend, params.name, params.arguments or {})

    async def complete(self, ctx: Context, params: t.CompleteRequestParams) -> t.CompleteResult:
        typed = params.argument
        found = await completion.complete(self._backend, params.ref, typed.name, typed.value)
        return t.CompleteResult(completion=found)

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
