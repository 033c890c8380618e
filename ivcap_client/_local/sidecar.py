"""What a running tool may ask and report: its own base address, `/s/<secret>`, and nothing outside it.

Source: service-contract §4, setup A: the tool is told `IVCAP_BASE_URL=http://127.0.0.1:<port>/s/<secret>`, sends
`Ivcap-Job-Id` where its library can, and never an `Authorization` we could rely on.
"""

from __future__ import annotations

import json
import logging
import re
from urllib.parse import unquote

from . import batch, failures, secrets_kept
from .dispatch import Dispatcher, Run
from .exchanges import Answer, Exchange, Gone, TooLarge, fail, send_json
from .identity import as_urn
from .platform import LocalPlatform
from .reach_rules import sees_job
from .streams import HELD_WHOLE
from .tool_http import ToolUnreachable
from .tools import Tool

log = logging.getLogger(__name__)

MOST_EVENT = 60 * 1024
"""Bytes of an event that are kept; clients read event lines of less than 64 KiB (rest-api §2.10)."""

_JOB_ROUTE = re.compile(r"/1/services2/[^/]+/jobs/([^/]+)(?:/.*)?\Z")
_OPEN_ROUTE = re.compile(r"/1/(?:artifacts|aspects|queues)(?:/.*)?\Z|/1/services2(?:/[^/]+(?:/jobs)?)?\Z")


class Sidecar:
    """Answers the tools of one dispatcher. `answer` answers what is data, from the platform as the tool sees it."""

    def __init__(self, dispatcher: Dispatcher, answer: Answer, platform: LocalPlatform) -> None:
        self._dispatcher, self._answer, self._platform = dispatcher, answer, platform

    async def __call__(self, exchange: Exchange, secret: str, path: str) -> None:
        """Answer one request below `/s/<secret>`; `path` is what follows, still quoted."""
        tool = self._dispatcher.fleet.by_secret.get(secret)
        if tool is None:
            await fail(exchange, 404, "no such address")
            return
        # The library keeps only the path of a data-href and puts its base URL in front of it again.
        prefix = f"/s/{secret}"
        while path.startswith(prefix):
            path = path[len(prefix) :]
        plain = unquote(path)
        method = exchange.method
        if method == "POST" and plain.startswith("/events/"):
            await self._event(exchange, tool, plain[len("/events/") :])
        elif method == "POST" and plain.startswith("/results/"):
            await self._result(exchange, tool, plain[len("/results/") :])
        elif method == "GET" and plain == "/1/secret":
            await self._secret(exchange, tool)
        elif method == "GET" and plain == "/next_job" and tool.spec.kind == "batch":
            await self._next_job(exchange, tool)
        elif plain.startswith("/1/"):
            await self._data(exchange, tool, path, plain, prefix)
        else:
            await fail(exchange, 501, f"the local platform does not answer {method} {plain} to tools")

    async def _event(self, exchange: Exchange, tool: Tool, job: str) -> None:
        try:
            body = await exchange.read_whole(HELD_WHOLE)
            data = json.loads(body)
        except (TooLarge, ValueError):
            await fail(exchange, 400, "an event is a JSON object of at most 1 MiB")
            return
        run = self._dispatcher.run_of(tool, job)
        if run is None and not _was_given(tool, job):
            await fail(exchange, 404, "not a job of this process")
            return
        if run is not None and isinstance(data, dict):
            # Each post blocks the tool until it is answered, and the library ignores what we say (service-contract §5).
            await self._dispatcher.event(run, data if len(body) <= MOST_EVENT else _shortened(data))
        await exchange.reply(204, {})

    async def _next_job(self, exchange: Exchange, tool: Tool) -> None:
        found = [self._dispatcher.run_of(tool, job) for job in tool.jobs]
        run = next((item for item in found if item is not None and not item.fetched), None)
        if run is None:
            await send_json(exchange, 200, batch.DONE)
            return
        run.fetched = True
        body = await self._dispatcher.request_body(run)
        try:
            await send_json(exchange, 200, batch.envelope(run.job.urn, run.job.request_content_type, body))
        except ValueError as problem:
            await self._dispatcher.finish(run, "failed", message=f"the input was not accepted: {problem}")
            await send_json(exchange, 200, batch.DONE)

    async def _result(self, exchange: Exchange, tool: Tool, job: str) -> None:
        run = self._dispatcher.run_of(tool, job)
        if run is None and not _was_given(tool, job):
            await fail(exchange, 404, "not a job of this process")
            return
        if run is None or run.inline:
            async for _ in exchange.pieces():  # ended already, or being stored from the inline reply: this is its twin
                continue
        else:
            try:
                await self._ends(exchange, run)
            except ToolUnreachable as problem:  # the library sends it again
                raise Gone(str(problem)) from problem
        await exchange.reply(204, {})

    async def _ends(self, exchange: Exchange, run: Run) -> None:
        kind = exchange.headers.get("content-type", "application/json")
        size = int(exchange.headers.get("content-length") or HELD_WHOLE + 1)
        if exchange.headers.get("is-error", "").lower() == "true":
            try:
                body = await exchange.read_whole(HELD_WHOLE)
            except TooLarge:
                body = b'{"$schema": "urn:ivcap:schema.service.error.1", "error": "an error too large to keep"}'
            text = failures.reported(body)
            await self._dispatcher.finish(run, "failed", content_type=kind, body=body, message=text)
        elif size <= HELD_WHOLE:
            body = await exchange.read_whole(HELD_WHOLE)
            await self._dispatcher.finish(run, "succeeded", content_type=kind, body=body)
        else:
            await self._dispatcher.finish_from(run, "succeeded", kind, exchange.pieces())

    async def _secret(self, exchange: Exchange, tool: Tool) -> None:
        query = dict(exchange.query)
        name = query.get("secret-name", "")
        if name not in tool.spec.secrets:
            told = (
                f"the service {tool.spec.name} does not declare the secret {name!r}; it gets none it does not declare"
            )
            await fail(exchange, 403, told)
            return
        found = await self._dispatcher.disk(
            secrets_kept.find, self._dispatcher.base_dir, name, query.get("secret-type")
        )
        if found is None:
            await fail(
                exchange,
                404,
                f"there is no secret {name!r}; its user sets it with POST /1/secrets",
                id=as_urn("secret", name),
            )
        else:
            await tool.confide(found.value)
            told_of = {"secret-name": name, "secret-value": found.value, "expiry-time": found.expires}
            await send_json(exchange, 200, told_of)

    async def _data(self, exchange: Exchange, tool: Tool, path: str, plain: str, prefix: str) -> None:
        job = self._job_of(exchange, tool)
        asked = _JOB_ROUTE.match(plain)
        if asked is not None:
            found = await self._dispatcher.find(asked[1])
            if found is None or not sees_job(tool.reach, found):
                await fail(exchange, 404, "no such job, or not one of this process", id=as_urn("job", asked[1]))
                return
        elif not _OPEN_ROUTE.match(plain):
            await fail(exchange, 501, f"the local platform does not answer {exchange.method} {plain} to tools")
            return
        exchange.headers.pop("ivcap-job-id", None)
        if job is not None:
            exchange.headers["ivcap-job-id"] = f"urn:ivcap:job:{job}"
        await self._answer(exchange, path, exchange.own_base + prefix, self._platform.within(tool.reach))

    def _job_of(self, exchange: Exchange, tool: Tool) -> str | None:
        """The job a request belongs to; threads a tool starts itself send no id, but often there is only one job."""
        told = exchange.headers.get("ivcap-job-id", "").rpartition(":")[2]
        if told in tool.jobs:
            return told
        return next(iter(tool.jobs)) if not told and len(tool.jobs) == 1 else None


def _was_given(tool: Tool, job: str) -> bool:
    return job.rpartition(":")[2] in tool.reportable


def _shortened(data: dict[str, object]) -> dict[str, object]:
    """An event that fits a line, with what a reader would miss least taken away."""
    kept = {name: value for name, value in data.items() if name in ("$schema", "name", "context", "error")}
    kept = {name: value[:1000] if isinstance(value, str) else None for name, value in kept.items()}
    return {**kept, "options": {"message": "(an event too large to keep)"}}
