"""Fixture tools of the tasks extension.

Those that a job can stand for are real calls of a real service, so that their tasks are jobs on the platform and the
real server's throughout. A job of the platform never asks for input and never fails as a protocol error: the tasks that
must do so are kept here, behind the real server's own gate.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import mcp_types as t
from mcp.server.context import ServerRequestContext

from ivcap_mcp import tasks
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.tasks import TaskParams, UpdateParams
from tests.conformance import asking
from tests.conformance.content import text

Context = ServerRequestContext[Any, Any]
Handler = Callable[[Context, Any], Awaitable[Any]]

SERVICE = "plain"
"""The service behind the fixtures: `tests/local/tools/plain_tool.py`, which says what it can be asked to do."""
SCHEMAS: dict[str, dict[str, Any]] = {
    "greet": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "slow_compute": {"type": "object", "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}}},
    "confirm_delete": {"type": "object", "properties": {"filename": {"type": "string"}}},
}


class Kept:
    """A task that waits for answers, or has failed."""

    def __init__(self, ask: dict[str, t.ElicitRequest], error: str | None = None) -> None:
        self.id, self.ask, self.error, self.cancelled = str(uuid.uuid4()), ask, error, False
        self.began = datetime.now(UTC).isoformat()

    def told(self) -> dict[str, Any]:
        common = {"taskId": self.id, "createdAt": self.began, "lastUpdatedAt": self.began, "ttlMs": 60_000}
        if self.cancelled:
            return {**common, "status": "cancelled"}
        if self.error is not None:
            return {**common, "status": "failed", "error": {"code": t.INTERNAL_ERROR, "message": self.error}}
        if self.ask:
            asks = {key: one.model_dump(by_alias=True, mode="json", exclude_none=True) for key, one in self.ask.items()}
            return {**common, "status": "input_required", "inputRequests": asks}
        result = t.CallToolResult(content=[text("all answered")])
        return {**common, "status": "completed", "result": result.model_dump(by_alias=True, exclude_none=True)}


class TaskFixtures:
    """The tools, and the extension's methods for the tasks that are kept here."""

    def __init__(self, server: IvcapServer, call_tool: Handler) -> None:
        self._call_tool = call_tool
        self._kept: dict[str, Kept] = {}
        self._real = server.tasks
        server.add_request_handler("tasks/get", TaskParams, self.get)
        server.add_request_handler("tasks/update", UpdateParams, self.update)
        server.add_request_handler("tasks/cancel", TaskParams, self.cancel)

    def tools(self) -> dict[str, Handler]:
        return {
            "greet": self.greet,
            "slow_compute": self.slow_compute,
            "failing_job": self.failing_job,
            "protocol_error_job": self.protocol_error_job,
            "confirm_delete": self.confirm_delete,
            "multi_input": self.multi_input,
            "test_tool_with_task": self.tool_with_task,
        }

    async def greet(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        return t.CallToolResult(content=[text(f"Hello, {(params.arguments or {}).get('name')}!")])

    async def slow_compute(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        return await self._job(ctx, params, do="sleep", seconds=(params.arguments or {}).get("seconds", 0))

    async def failing_job(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        if not tasks.declared(ctx):
            raise tasks.undeclared()  # it stands for a tool that works as a task only
        return await self._job(ctx, params, do="value")

    async def tool_with_task(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        name = asking.field(params, "user_name", "name")
        if name is None:
            return asking.need("asked", user_name=asking.form("What is your name?", "name"))
        return await self._job(ctx, params, do="echo", name=name)

    async def protocol_error_job(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        return self._keep(Kept({}, "failed as a protocol error, as asked"))

    async def confirm_delete(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        return self._keep(Kept({"confirm": asking.form("Delete it?", "confirm", "boolean")}))

    async def multi_input(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        asks = {"name": asking.form("What is your name?", "name"), "go": asking.form("Go on?", "confirm", "boolean")}
        return self._keep(Kept(asks))

    async def _job(self, ctx: Context, params: t.CallToolRequestParams, **asked: Any) -> Any:
        return await self._call_tool(ctx, params.model_copy(update={"name": SERVICE, "arguments": asked}))

    def _keep(self, task: Kept) -> dict[str, Any]:
        self._kept[task.id] = task
        told = {name: value for name, value in task.told().items() if name not in ("error", "inputRequests")}
        return {**told, "status": "working", "resultType": "task"}

    def _known(self, ctx: Context, task_id: str) -> Kept | None:
        tasks.gate(ctx, task_id)
        return self._kept.get(task_id)

    async def get(self, ctx: Context, params: TaskParams) -> Any:
        task = self._known(ctx, params.task_id)
        return {"resultType": "complete", **task.told()} if task else await self._real.get(ctx, params)

    async def update(self, ctx: Context, params: UpdateParams) -> Any:
        task = self._known(ctx, params.task_id)
        if task is None:
            return await self._real.update(ctx, params)
        for key in params.input_responses or {}:
            task.ask.pop(key, None)
        return {"resultType": "complete"}

    async def cancel(self, ctx: Context, params: TaskParams) -> Any:
        task = self._known(ctx, params.task_id)
        if task is None:
            return await self._real.cancel(ctx, params)
        task.cancelled = True
        return {"resultType": "complete"}
