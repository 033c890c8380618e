"""A `tools/call` request → who answers it: a service's job, a task, a built-in tool, or first of all the user."""

from __future__ import annotations

import json
import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from ivcap_client.exception import IvcapError, NotSignedIn
from ivcap_client.later import later
from ivcap_mcp import logs, profiles, tasks
from ivcap_mcp.backend import Backend
from ivcap_mcp.entries import Entry, is_reading
from ivcap_mcp.errors import ToolError, as_result, read_only, tool_error, unknown_tool
from ivcap_mcp.tasks import Tasks
from ivcap_mcp.text import clip
from ivcap_mcp.tools import Builtin
from ivcap_mcp.tools.services import known, not_ready

if TYPE_CHECKING:
    from ivcap_client.schemas import reading
    from ivcap_mcp import arguments, calls, confirm, inputs, ordering, progress, telemetry
    from ivcap_mcp import request as calling
    from ivcap_mcp.request import Request
    from ivcap_mcp.schemas import undeclared
else:
    arguments = later("ivcap_mcp.arguments")
    calls = later("ivcap_mcp.calls")
    calling = later("ivcap_mcp.request")
    confirm = later("ivcap_mcp.confirm")
    inputs = later("ivcap_mcp.inputs")
    ordering = later("ivcap_mcp.ordering")
    progress = later("ivcap_mcp.progress")
    reading = later("ivcap_client.schemas.reading")
    telemetry = later("ivcap_mcp.telemetry")
    undeclared = later("ivcap_mcp.schemas.undeclared")

log = logging.getLogger("ivcap_mcp.calls")

Context = ServerRequestContext[Any, Any]


class Dispatch:
    """Takes every tool call."""

    def __init__(self, backend: Backend, builtins: dict[str, Builtin], of_tasks: Tasks) -> None:
        self._backend, self._builtins, self._tasks = backend, builtins, of_tasks

    async def call_tool(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        """The tool's result; or the question that comes before it, or the task that it becomes."""
        name = (
            params.name if params.name in self._builtins or self._backend.catalog.schema_of(params.name) else "unknown"
        )
        began, named = time.monotonic(), logs.TOOL.set(name)
        outcome, job = "failed", None
        try:
            answer = await self._called(ctx, params)
            outcome, job = _outcome(answer)
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled"
            raise
        finally:
            seconds = time.monotonic() - began
            telemetry.called(name, outcome, seconds, job)
            about = {"job": job, "outcome": outcome, "seconds": round(seconds, 3)}
            log.info("call of %s: %s after %.3f s", name, outcome, seconds, extra=about)
            logs.TOOL.reset(named)
        return answer

    async def _called(self, ctx: Context, params: t.CallToolRequestParams) -> Any:
        settings, given = self._backend.settings, params.arguments or {}
        builtin = self._builtins.get(params.name)
        try:
            if (asked := await self._sign_in(ctx, params)) is not None:
                return asked
            began = time.monotonic()
            entry = None
            if builtin is None:
                with anyio.fail_after(settings.max_wait):
                    entry = await self._backend.catalog.find(params.name)
            left = began + settings.max_wait - time.monotonic()
            if builtin is None and entry is None:
                raise await self._unknown(params.name)
            if settings.read_only and not (builtin and is_reading(builtin.definition)):
                raise read_only(f"The tool {clip(params.name, 100)!r}")
            shown = builtin.definition.input_schema if builtin else entry.tool.input_schema if entry else {}
            given = profiles.taken(given, shown, profiles.of(settings.schema_profile, ctx.session))
            if settings.confirm and self.asks(params.name):
                given, question = await self._confirmed(ctx, params, builtin, entry, given)
                if question is not None:
                    return question
            # The person's time to think is over before the call's time begins.
            now = time.monotonic()
            request = calling.Request(ctx, now + left, progress.Telling(now, settings.progress_gap, settings.heartbeat))
            with anyio.fail_after(left):
                if entry is not None:
                    return await request.told(self._service(request, entry, given))
                assert builtin is not None
                return await request.told(self._builtin(request, builtin, given))
        except TimeoutError as error:
            if isinstance(error, IvcapError):
                return as_result(tool_error(error))
            return as_result(ToolError("timeout", "This took longer than a call may take.", "Try again later."))
        except MCPError:
            raise
        except Exception as error:
            return as_result(tool_error(error))

    async def _sign_in(self, ctx: Context, params: t.CallToolRequestParams) -> t.InputRequiredResult | None:
        """Where callers have logins of their own: have this one sign in, and find their services when they have."""
        backend = self._backend
        if backend.desk is None:
            return None
        asked = await backend.desk.needed(ctx, params, backend.settings.public_url)
        if asked is None and isinstance(backend.catalog.failure, NotSignedIn):
            backend.tasks.start_soon(backend.catalog.refresh)
        return asked

    async def _unknown(self, name: str) -> Exception:
        """There is no such tool; or not yet; or nobody knows, while the platform cannot be read."""
        failure = self._backend.catalog.failure
        if failure is None:
            there = [*self._builtins, *(entry.name for entry in self._backend.catalog.all())]
            return await not_ready(self._backend, name) or unknown_tool(name, undeclared.near(name, there))
        told = tool_error(failure)
        return ToolError(
            told.code, f"Whether there is a tool {clip(name, 100)!r} is not known: {told.message}", told.next
        )

    def asks(self, name: str) -> bool:
        """Whether the user is asked before this tool is called, where asking is on."""
        return name in confirm.QUESTIONS if name in self._builtins else True

    async def _confirmed(
        self,
        ctx: Context,
        params: t.CallToolRequestParams,
        builtin: Builtin | None,
        entry: Entry | None,
        given: dict[str, Any],
    ) -> tuple[dict[str, Any], Any]:
        """The arguments without the consent, and the question if it has to be asked first."""
        own = builtin.definition.input_schema if builtin else entry.tool.input_schema if entry else {}
        given, told = confirm.split(given, own)
        # Nobody is asked about a call that would be refused anyway.
        if entry is not None:
            await inputs.request_for(entry, given)
        elif builtin is not None:
            _checked(builtin, given)
            if builtin.definition.name == "run_service":
                entry = await known(self._backend, given["service"])
                await inputs.request_for(entry, given["input"], by=given["service"])
        asked = confirm.question(params.name, given, service=entry.name if entry else None)
        return given, await confirm.agreed(ctx, params, asked, told, self._backend.settings.ask)

    async def _service(
        self,
        request: Request,
        entry: Entry,
        given: dict[str, Any],
        *,
        by: str = "",
        key: str | None = None,
        resubmit: bool = False,
    ) -> Any:
        asked = await inputs.request_for(entry, given, by=by)
        if tasks.declared(request.ctx):
            made = await ordering.ordered(self._backend, request, entry.service, asked.body, key=key, resubmit=resubmit)
            return await self._tasks.created(made, asked.note, request.left)
        return await calls.run(self._backend, request, entry.service, asked, self._backend.settings.wait)

    async def _builtin(self, request: Request, builtin: Builtin, given: dict[str, Any]) -> Any:
        repaired = _checked(builtin, given)
        if builtin.definition.name == "run_service" and "wait" not in given and tasks.declared(request.ctx):
            # Who says how long to wait wants the job's handle after that, and no task.
            entry = await known(self._backend, repaired["service"])
            order = {name: repaired[name] for name in ("key", "resubmit") if name in repaired}
            return await self._service(request, entry, repaired["input"], by=repaired["service"], **order)
        return await builtin.run(self._backend, request, repaired)


def _outcome(answer: Any) -> tuple[str, str | None]:
    """In a word how a call was answered, and the job it was about."""
    if isinstance(answer, t.InputRequiredResult):
        return "question", None
    if isinstance(answer, dict):
        return "task", answer.get("taskId")
    if not isinstance(answer, t.CallToolResult):
        return "answer", None
    job = (answer.meta or {}).get("ivcap/job") or (answer.structured_content or {}).get("job")
    return "error" if answer.is_error else "answer", job if isinstance(job, str) else None


Name = tuple[str, Any]
"""A built-in tool, and how long its calls may be asked to wait: servers differ in that alone."""
_read: dict[Name, reading.Doc] = {}
"""Schemas of built-in tools, read at their first call: start-up need not wait for it."""
MOST_KEPT, MOST_FITTED = 2000, 500
"""Of how many arguments it is remembered that they fit, and how many characters each may have."""
_fitted: OrderedDict[tuple[Name, str], str] = OrderedDict()
_strictly = json.JSONEncoder(allow_nan=False).encode


def _checked(builtin: Builtin, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a built-in tool, repaired.

    Raises:
        ToolError: They do not fit.
    """
    try:
        text = _strictly(given)
    except (TypeError, ValueError, RecursionError):
        text = ""
    own = builtin.definition.input_schema
    name = builtin.definition.name, own["properties"].get("wait", {}).get("maximum")
    if (name, text) in _fitted:
        # A job is looked at again and again, each time with the same arguments. They are read anew, so that nobody
        # can change what is remembered.
        found: dict[str, Any] = json.loads(_fitted[name, text])
        return found
    doc = _read.get(name) or _read.setdefault(name, reading.read(own))
    repaired: dict[str, Any] = arguments.repair(given, doc)
    complaints = arguments.check(repaired, doc)
    if complaints:
        raise ToolError("invalid_input", arguments.complaint_text(builtin.definition.name, complaints))
    if text and len(text) <= MOST_KEPT:
        _fitted[name, text] = json.dumps(repaired)
        while len(_fitted) > MOST_FITTED:
            _fitted.popitem(last=False)
    return repaired
