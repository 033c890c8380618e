"""From a tool that is ready to its answer: the job is handed over, and the result taken from whichever way it comes.

A tool may answer at once, say "not yet" and report through its own address, or do both; the first that ends the job
counts. Source: service-contract §2 and §7.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from . import failures
from .streams import HELD_WHOLE
from .tool_http import Reply, ToolUnreachable, exchange
from .tools import Tool

if TYPE_CHECKING:
    from .dispatch import Dispatcher, Run

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
"""Seconds after which a tool is asked for its result again, whatever it said."""


async def hand_over(dispatcher: Dispatcher, run: Run, tool: Tool, path: str) -> None:
    """Give a running tool a job at one of its paths, and follow it until its result is here or was reported.

    Raises:
        ToolUnreachable: The tool does not answer.
    """
    body = await dispatcher.request_body(run)
    # The request is held for a moment, because the inline reply comes 20 to 40 ms before the report through the
    # sidecar, for which the tool builds an HTTP client with a whole TLS context (service-contract §7, "Numbers").
    headers = {
        "job-id": run.job.urn,
        "Timeout": str(int(dispatcher.limits.hold)),
        "Content-Type": run.job.request_content_type or "application/json",
    }
    async with exchange(tool.port, "POST", path, headers=headers, body=body) as reply:
        where = reply.headers.get("location")
        pause = _pause(reply, dispatcher.limits.poll)
        if reply.status != 204:
            await _answered(dispatcher, run, reply)
            return
    await _poll(dispatcher, run, tool, where, pause)


async def _poll(dispatcher: Dispatcher, run: Run, tool: Tool, where: str | None, pause: float) -> None:
    """Wait for the report; ask now and then, in case it was lost (the library gives up after four tries)."""
    while not run.done.is_set():
        try:
            await asyncio.wait_for(run.done.wait(), pause)
        except TimeoutError:
            if where is None or not where.startswith("/"):
                continue
            try:
                async with asyncio.timeout(5.0), exchange(tool.port, "GET", where) as reply:
                    pause = _pause(reply, pause)
                    if reply.status not in (204, 404):
                        await _answered(dispatcher, run, reply)
            except (ToolUnreachable, TimeoutError) as problem:
                # A tool that is being stopped serves no HTTP for a while; its end or the deadline will tell.
                log.info("job %s: poll: %s", run.job.urn, problem)


async def _answered(dispatcher: Dispatcher, run: Run, reply: Reply) -> None:
    if reply.status == 200:
        run.inline = True
        try:
            kind = reply.headers.get("content-type", "application/octet-stream")
            if int(reply.headers.get("content-length", HELD_WHOLE + 1)) <= HELD_WHOLE:
                await dispatcher.finish(run, "succeeded", content_type=kind, body=await reply.read_whole())
            else:
                await dispatcher.finish_from(run, "succeeded", kind, reply.pieces())
        finally:
            run.inline = False
        return
    body = await reply.read_whole()
    if reply.status != 422:
        # The report says which exception it was; the inline error does not, nor the text for a missing result.
        try:
            await asyncio.wait_for(run.done.wait(), dispatcher.limits.report_grace)
        except TimeoutError:
            pass  # it was lost, so the inline error has to do
        else:
            return
    status, content, message = failures.inline(reply.status, body)
    await dispatcher.finish(run, status, content_type="application/json", body=content, message=message)


def _pause(reply: Reply, before: float) -> float:
    """Seconds after which a tool that said "not yet" wants to be asked again (service-contract §2, `Retry-Later`)."""
    try:
        told = float(reply.headers.get("retry-later", ""))
    except ValueError:
        return before
    return min(told, LONGEST_PAUSE) if told > 0 else before  # also where it is "nan"
