"""A client of the tasks extension, on the SDK's own client: calls that become tasks, and questions about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

import anyio
import mcp_types as t
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from pydantic import ConfigDict, TypeAdapter

from tests.mcp.clients import until

ANY: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
ENDED = ("completed", "failed", "cancelled")


class Created(t.Result):
    """What a call is answered with that became a task."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = "task"

    @property
    def id(self) -> str:
        return str(self.told["taskId"])

    @property
    def told(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True)


class Asked(t.RequestParams):
    model_config = ConfigDict(extra="allow")


class About(t.Request[Asked, str]):
    """`tasks/get`, `tasks/update` or `tasks/cancel`; the SDK writes the routing header."""

    name_param: ClassVar[str | None] = "taskId"


class Told(t.NotificationParams):
    model_config = ConfigDict(extra="allow")


class Tasking(ClientExtension):
    """Declares the extension; a task is polled to its end where the caller does not want to see it."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self) -> None:
        self.pushed: list[dict[str, Any]] = []

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    def notifications(self) -> list[NotificationBinding[Any]]:
        return [NotificationBinding(method="notifications/tasks", params_type=Told, handler=self._push)]

    async def _push(self, params: Told) -> None:
        self.pushed.append(params.model_dump(by_alias=True))

    async def _resolve(self, created: Created, ctx: ClaimContext) -> t.CallToolResult:
        async def over() -> dict[str, Any] | None:
            told = await ask(ctx.session, "get", created.id)
            return told if told["status"] in ENDED else None

        told = await until(over, "the task's end")
        return t.CallToolResult.model_validate(told["result"])


async def ask(session: Any, what: str, task: str, **more: Any) -> dict[str, Any]:
    """Ask about a task."""
    request = About(method=f"tasks/{what}", params=Asked(**{"taskId": task, **more}))
    told: dict[str, Any] = await session.send_request(request, ANY)
    return told


async def started(client: Client, tool: str, **arguments: Any) -> Created:
    """Call a tool and get the task that it becomes."""
    found = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(found, Created), found
    return found


async def ended(client: Client, task: str) -> dict[str, Any]:
    """The task, once it has ended."""

    async def over() -> dict[str, Any] | None:
        told = await ask(client.session, "get", task)
        return told if told["status"] in ENDED else None

    told: dict[str, Any] = await until(over, "the task's end")
    return told


@asynccontextmanager
async def listening(client: Client, **asked: Any) -> AsyncIterator[None]:
    """A `subscriptions/listen` with a filter the SDK's own helper cannot send."""
    chosen = t.SubscriptionFilter(**asked)
    request = t.SubscriptionsListenRequest(params=t.SubscriptionsListenRequestParams(notifications=chosen))
    send: Any = client.session.send_request
    async with anyio.create_task_group() as group:
        group.start_soon(send, request, ANY)
        yield
        group.cancel_scope.cancel()
