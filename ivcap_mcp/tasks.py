"""The tasks extension (`io.modelcontextprotocol/tasks`): a task is a job, its id the job's URN.

Nothing is kept here that is needed later: every question is answered from the platform, so any process can answer it,
also one that was started after the task. Only clients that declared the extension with their request ever see a task.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

from ivcap_client import Event, Job
from ivcap_client.exception import IvcapError
from ivcap_client.later import later
from ivcap_client.urns import kind_of
from ivcap_mcp import followers, results
from ivcap_mcp.changes import TaskChanged
from ivcap_mcp.errors import ToolError, as_result, read_only
from ivcap_mcp.followers import Followers
from ivcap_mcp.text import clip, stripped

if TYPE_CHECKING:
    from ivcap_mcp import arguments, progress, watch
    from ivcap_mcp.backend import Backend
    from ivcap_mcp.ordering import Ordered
    from ivcap_mcp.watch import News
else:
    arguments = later("ivcap_mcp.arguments")
    progress = later("ivcap_mcp.progress")
    watch = later("ivcap_mcp.watch")

log = logging.getLogger("ivcap_mcp.tasks")

ID = "io.modelcontextprotocol/tasks"
READ_FOR = 2.0
"""Seconds for which a call that becomes a task waits to learn when its job was ordered."""
MOST_BEGAN = 1000
"""Tasks of which it is remembered when they were created, where their platform does not say so at once."""
Context = ServerRequestContext[Any, Any]
LINGER = 5
"""Poll intervals for which a task that is polled is watched on, so that the next answer can say how far it is."""
MOST_POLLED = 200
"""Tasks watched because they are polled; more of them are answered without a message about progress."""


class TaskParams(t.RequestParams):
    """Params of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateParams(TaskParams):
    """Params of `tasks/update`."""

    input_responses: dict[str, Any] | None = None


class _Notification(BaseModel):
    method: str = "notifications/tasks"
    params: dict[str, Any]


def declared(ctx: Context) -> bool:
    """Whether this request may be answered with a task."""
    able = ctx.session.client_capabilities
    modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    return modern and able is not None and able.extensions is not None and ID in able.extensions


def gate(ctx: Context, task_id: str) -> None:
    """Refuse who may not ask for tasks at all; in the order that the extension names.

    Raises:
        MCPError: Another era, the extension not declared, or a routing header that names another task.
    """
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(t.METHOD_NOT_FOUND, "Method not found", ctx.method)
    if not declared(ctx):
        raise undeclared()
    if ctx.request is not None:
        # The SDK compares this header for the core's methods only.
        named = decode_header_value(ctx.request.headers.get(MCP_NAME_HEADER))
        if named != task_id:
            raise MCPError(t.HEADER_MISMATCH, f"{MCP_NAME_HEADER} header does not match the request's taskId")


def undeclared() -> MCPError:
    """The error for what only clients with the extension can be served."""
    wanted: dict[str, Any] = {"requiredCapabilities": {"extensions": {ID: {}}}}
    return MCPError(t.MISSING_REQUIRED_CLIENT_CAPABILITY, f"The client has not declared {ID}", wanted)


def unknown(task_id: str) -> MCPError:
    """The error for a task that there is not, or not for this caller."""
    return MCPError(t.INVALID_PARAMS, f"Unknown task: {clip(stripped(task_id), 200)}")


async def notify(ctx: Context, event: TaskChanged, meta: Mapping[str, Any]) -> None:
    """Send `notifications/tasks` on the stream of this request."""
    told: Any = _Notification(params={**event.told, "_meta": dict(meta)})
    await ctx.session.send_notification(told, related_request_id=ctx.request_id)


class Tasks:
    """Answers the extension's requests."""

    def __init__(self, backend: Backend, held: Followers) -> None:
        self._backend, self._followers = backend, held
        self._messages: dict[str, str] = {}
        self._began: dict[str, datetime] = {}
        self._polled: dict[str, anyio.CancelScope] = {}

    async def created(self, made: Ordered, note: str, left: float) -> dict[str, Any]:
        """The answer to a call whose job was just ordered.

        Args:
            made: The order.
            note: What the caller must know about its input.
            left: Seconds that the call may still take.
        """
        job = made.job
        self._backend.note(job.urn, "handle")
        if job.requested_at is None:
            # When a job was ordered only its platform knows, and every process must tell of the same moment.
            with anyio.move_on_after(min(READ_FOR, left - self._backend.settings.reserve)):
                try:
                    seen = self._backend.ivcap.job(job.urn, job.record.service)
                    self._keep_began(job.urn, (await seen.refresh_async()).requested_at)
                except IvcapError as error:
                    log.info("when job %s was ordered could not be read: %s", job.urn, error)
        told = self._working(job)
        told["statusMessage"] = ". ".join(part for part in (told["statusMessage"], made.note, note) if part)
        return {"resultType": "task", **told}

    async def get(self, ctx: Context, params: TaskParams) -> dict[str, Any]:
        """`tasks/get`: where the task stands, with its result once it has ended."""
        job = await self._known(ctx, params.task_id)
        if not job.ended:
            self._keep_watching(job)
        return {"resultType": "complete", **await self.state(job)}

    async def update(self, ctx: Context, params: UpdateParams) -> dict[str, Any]:
        """`tasks/update`: acknowledged; a job of the platform asks for nothing while it runs."""
        await self._known(ctx, params.task_id)
        return {"resultType": "complete"}

    async def cancel(self, ctx: Context, params: TaskParams) -> dict[str, Any]:
        """`tasks/cancel`: acknowledged, and done where the platform can."""
        job = await self._known(ctx, params.task_id)
        if self._backend.settings.read_only:
            raise MCPError(t.INVALID_REQUEST, str(read_only("tasks/cancel")))
        if not job.ended:
            try:
                await job.cancel_async()
            except IvcapError as error:
                log.info("job %s goes on, since it could not be cancelled: %s", job.urn, error)
        return {"resultType": "complete"}

    async def find(self, task_id: str) -> Job | None:
        """The job of a task, as the platform knows it now; `None` if there is none for this caller."""
        if kind_of(task_id) != "job":
            return None
        try:
            return await self._backend.job(task_id)
        except ToolError:
            return None

    async def state(self, job: Job) -> dict[str, Any]:
        """All there is to say about a task, the same in answers and notifications."""
        if not job.ended:
            return self._working(job)
        told = self._common(job)
        if job.cancelled:
            return {**told, "status": "cancelled", "statusMessage": clip(stripped(job.error or ""), 200)}
        note = await self._note(job)
        # The tool failing is an outcome like another: the protocol's `failed` is for errors of the protocol.
        try:
            about = {"note": note} if note else None
            outcome = await results.finished(self._backend.ivcap, self._backend.settings, job, about)
        except ToolError as error:
            outcome = as_result(ToolError(error.code, f"{error.message} {note}".strip(), error.next))
        self._backend.note(job.urn, "delivered")
        result = outcome.model_dump(by_alias=True, mode="json", exclude_none=True)
        return {**told, "status": "completed", "result": result}

    async def follow(self, job: Job) -> None:
        """Announce what a task does: every change of its status, its progress now and then."""
        heard, sent = progress.Progress(), 0.0
        gap = self._backend.settings.task_poll / 2

        async def tell(news: News) -> None:
            nonlocal sent
            if isinstance(news, watch.Ended):
                await self._backend.changes.task_changed(job.urn, await self.state(news.job))
            elif isinstance(news, Event) and news.status not in ("succeeded", "failed", "error"):
                step = heard.of(news)
                share = f"{step.progress:.0f} %: " if step.total else ""
                self._messages[job.urn] = share + step.message
                if news.status is not None or time.monotonic() - sent >= gap:
                    sent = time.monotonic()
                    await self._backend.changes.task_changed(job.urn, self._working(job))

        try:
            await followers.follow_job(self._backend, job, tell)
        finally:
            self._messages.pop(job.urn, None)

    def _working(self, job: Job) -> dict[str, Any]:
        message = self._messages.get(job.urn, job.status(refresh=False).value)
        return {**self._common(job), "status": "working", "statusMessage": message}

    async def _note(self, job: Job) -> str:
        """What its caller must know about its input: asked of the job, so that any process can tell it."""
        entry = await self._backend.catalog.of_service(job.record.service) if job.record.service else None
        if entry is None or job.request is None:
            return ""
        return await anyio.to_thread.run_sync(arguments.undeclared_text, job.request, entry.original, entry.published)

    def _keep_began(self, urn: str, began: datetime | None) -> datetime:
        """When a task was created, as it is told from now on."""
        if len(self._began) >= MOST_BEGAN:
            del self._began[next(iter(self._began))]
        return self._began.setdefault(urn, began or datetime.now(UTC))

    def _common(self, job: Job) -> dict[str, Any]:
        began = self._began.get(job.urn) or job.requested_at or self._keep_began(job.urn, None)
        return {
            "taskId": job.urn,
            "createdAt": began.isoformat(),
            "lastUpdatedAt": (job.finished_at or job.started_at or began).isoformat(),
            "ttlMs": None,  # the platform keeps jobs for as long as it likes
            "pollIntervalMs": max(1, int(self._backend.settings.task_poll * 1000)),
        }

    async def _known(self, ctx: Context, task_id: str) -> Job:
        gate(ctx, task_id)
        try:
            job = await self.find(task_id)
        except IvcapError as error:
            raise MCPError(t.INTERNAL_ERROR, str(error)) from None
        if job is None:
            raise unknown(task_id)
        return job

    def _keep_watching(self, job: Job) -> None:
        """Watch a task for as long as it is polled, and a little longer."""
        until = anyio.current_time() + LINGER * self._backend.settings.task_poll
        scope = self._polled.get(job.urn)
        if scope is not None:
            scope.deadline = until
        elif len(self._polled) < MOST_POLLED:
            scope = self._polled[job.urn] = anyio.CancelScope(deadline=until)
            self._followers.hold(("task", job.urn), partial(self.follow, job))
            self._backend.tasks.start_soon(self._until_forgotten, job.urn, scope)

    async def _until_forgotten(self, urn: str, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await anyio.sleep_forever()
        finally:
            del self._polled[urn]
            self._followers.release(("task", urn))
