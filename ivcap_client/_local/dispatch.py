"""Jobs to tools: each job is handed to its service's tool once, and ended once, by whoever comes first.

What can end a job: the tool's inline reply, its report through the sidecar, its deadline, a cancel, the end of its
process, the end of the runner. The store lets the first one win; here the losers are only kept from needless work.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from .._core.messages import Source
from . import failures, pending
from .changes import Changes
from .descriptions import BadDescription
from .environments import EnvironmentFailed
from .fleet import Fleet
from .handover import hand_over
from .job_record import LocalJob
from .job_store import JobStore
from .limits import Limits
from .specs import BadSpec, ServiceSpec
from .streams import Inflow
from .tool_http import ToolUnreachable
from .tools import Tool, ToolFailed

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

STREAMS = 128
"""Results and uploads that may be on their way to the disk at the same time; threads are made when they are needed."""

GENERIC_EVENT = "urn:ivcap:schema:service.event.generic.1"


@dataclass(eq=False, slots=True)
class Run:
    """One job on its way. `done` is set when it has ended; `inline` while the tool's own reply is being stored,
    `fetched` when a batch process has it. `said`: bytes in its tool's log when it began.
    """

    job: LocalJob
    spec: ServiceSpec
    tool: Tool | None = None
    offline: bool = False
    inline: bool = False
    fetched: bool = False
    deadline: asyncio.TimerHandle | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    noted: float = 0.0
    said: int = 0


class Dispatcher:
    """Runs the jobs of one base directory."""

    def __init__(self, base_dir: Path, store: JobStore, limits: Limits, changes: Changes) -> None:
        self.base_dir, self.limits, self.changes = base_dir, limits, changes
        self.runs: dict[str, Run] = {}
        self.last_active = time.monotonic()
        self.fleet = Fleet(base_dir, limits, on_end=self._tool_ended)
        self._jobs = store
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="jobs")  # short disk work; builds never come here
        # Bodies that are still coming have threads of their own, so that those that stall hold up one another at most.
        self._streams = ThreadPoolExecutor(STREAMS, thread_name_prefix="results")
        self._background: set[asyncio.Task[object]] = set()

    @property
    def busy(self) -> bool:
        """Whether a job runs, or a tool is being started or described."""
        return bool(self.runs) or self.fleet.working > 0

    async def submit(self, job_id: str, spec: ServiceSpec, *, offline: bool = False) -> None:
        """Run a scheduled job; one that runs already, or has ended, is left alone."""
        self.last_active = time.monotonic()
        job = None if job_id in self.runs else await self.disk(self._jobs.find, job_id)
        if job is None or job.status != "scheduled" or job_id in self.runs:
            return
        run = self.runs[job_id] = Run(job, spec, offline=offline)
        self.fleet.register(spec)
        run.task = asyncio.create_task(self._run(run))

    async def cancel(self, job_id: str, message: str = "cancelled on request") -> bool:
        """End a job now. Its process may still work on it, so it gets no new jobs and is killed after its others.

        Returns:
            False if the job had ended already.
        """
        run = self.runs.get(job_id)
        if run is None:
            job = await self.disk(self._jobs.find, job_id)
            if job is None:
                return False
            first = await self.disk(
                self._jobs.finish, job, status="error", content_type=None, body=None, message=message
            )
            self.changes.ring(job_id)
            return first
        first = await self.finish(run, "error", message=message, stuck=True)
        if run.tool is None and run.task is not None:
            run.task.cancel()
        return first

    async def event(self, run: Run, data: dict[str, object]) -> None:
        """Keep an event a tool reported, and tell who follows the job."""
        schema = str(data.get("$schema", GENERIC_EVENT))
        if run.tool is not None:
            data = run.tool.discretion.value(data)
        await self.disk(self._jobs.add_event, run.job, type="ivcap.job.event", schema=schema, data=data)
        self.changes.ring(run.job.id)

    async def finish(
        self,
        run: Run,
        status: failures.Ended,
        *,
        content_type: str | None = None,
        body: bytes | Source | None = None,
        message: str | None = None,
        stuck: bool = False,
    ) -> bool:
        """End a job; True if this was what ended it. `stuck`: its process may never let go of it."""
        store = partial(self._jobs.finish, run.job)
        if run.tool is not None:
            discretion = run.tool.discretion
            message = None if message is None else discretion.text(message)
            body = discretion.kept(body)
        threads = self._threads if body is None or isinstance(body, bytes) else self._streams
        try:
            first = await self._in(threads, store, status=status, content_type=content_type, body=body, message=message)
        except ConnectionResetError as problem:
            raise ToolUnreachable(f"the tool's result broke off: {problem}") from problem
        except OSError as problem:
            log.exception("job %s: its result could not be kept", run.job.urn)
            told = f"the result could not be stored: {problem}"
            try:
                first = await self.disk(store, status="error", content_type=None, body=None, message=told)
            except OSError:
                log.exception("job %s: nor could its end; the next runner will say so", run.job.urn)
                first = False
        self._over(run, stuck=stuck)
        return first

    def run_of(self, tool: Tool, job: str) -> Run | None:
        """The running job of a process by UUID or URN, or `None`: it has ended, or is not its own."""
        uuid = job.rpartition(":")[2]
        run = self.runs.get(uuid) if uuid in tool.jobs else None
        return run if run is not None and not run.done.is_set() else None

    async def find(self, job: str) -> LocalJob | None:
        """A job by URN or UUID, as it is now."""
        return await self.disk(self._jobs.find, job)

    async def look(self, job: LocalJob, after: str | None) -> tuple[bool, list[dict[str, Any]]]:
        """Whether a job has ended, and its events after a SeqID; in this order, so that no end is missed."""

        def both() -> tuple[bool, list[dict[str, Any]]]:
            now = self._jobs.find(job.id)
            return now is None or now.ended, self._jobs.events(job, after)

        return await self.disk(both)

    async def request_body(self, run: Run) -> bytes:
        """What the job was asked."""
        return await self.disk(self._jobs.request_body, run.job)

    async def disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do short blocking work in a thread of ours."""
        return await self._in(self._threads, work, *args, **kwargs)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, partial(work, *args, **kwargs))

    def background(self, work: asyncio.Task[object]) -> None:
        """Keep a task alive until it ends."""
        self._background.add(work)
        work.add_done_callback(self._background.discard)

    async def close(self, message: str) -> None:
        """End what runs with `message`; what has not reached a tool stays scheduled, for the next runner."""
        for run in list(self.runs.values()):
            if run.tool is None and run.task is not None:
                run.task.cancel()
            else:
                await self.finish(run, "error", message=message, stuck=True)
        await self.fleet.close()
        self._threads.shutdown(wait=False)
        self._streams.shutdown(wait=False)

    async def _run(self, run: Run) -> None:
        try:
            run.tool, path = await self.fleet.claim(run.spec, run.job.id, partial(self._note, run), offline=run.offline)
            if run.done.is_set():
                self.fleet.release(run.tool, run.job.id)
                return
            run.tool.reach.give_job(run.job.id, await self.request_body(run))
            await self._begin(run)
            if run.done.is_set():
                return  # cancelled while its start was being written down; whoever did that let go of the tool
            if run.tool.spec.kind == "batch":
                await run.tool.spawn(run.tool.words([]), self.fleet.port, self.fleet.ended)
                await run.done.wait()  # it fetches its job; its report, its end or the deadline ends it
            else:
                await hand_over(self, run, run.tool, path)
        except (BadSpec, EnvironmentFailed, ToolFailed, BadDescription) as problem:
            await self.finish(
                run, "error", message=failures.short(f"the service could not be started: {problem}", 2000)
            )
        except ToolUnreachable as problem:
            await self._unreachable(run, str(problem))
        except asyncio.CancelledError:
            if (
                not run.done.is_set()
            ):  # the runner ends before the tool had the job: it stays scheduled, for the next one
                self._over(run, forget=False)
            raise
        except Exception as problem:
            log.exception("job %s", run.job.urn)
            await self.finish(run, "error", message=f"the local platform failed: {type(problem).__name__}", stuck=True)

    async def _begin(self, run: Run) -> None:
        run.job = await self.disk(self._jobs.start, run.job)  # durable before the tool can do anything
        self.changes.ring(run.job.id)
        if run.done.is_set():
            return
        if run.job.ended:  # by another process, which could not know that it is with us
            self._over(run)
            return
        run.said = run.tool.log_size if run.tool is not None else 0
        allowed = min(filter(None, (run.spec.deadline, self.limits.deadline)))
        loop = asyncio.get_running_loop()
        run.deadline = loop.call_later(
            allowed, lambda: self.background(asyncio.ensure_future(self._overdue(run, allowed)))
        )

    async def finish_from(self, run: Run, status: failures.Ended, content_type: str, pieces: failures.Pieces) -> bool:
        """End a job with a body that is still arriving."""
        flow = Inflow(self.limits.stall)
        feeding = asyncio.ensure_future(flow.feed(pieces))
        try:
            return await self.finish(run, status, content_type=content_type, body=flow)
        finally:
            flow.give_up()
            await asyncio.wait([feeding])
            if not feeding.cancelled():
                feeding.exception()  # the reader of the flow has seen it

    async def _overdue(self, run: Run, allowed: float) -> None:
        await self.finish(run, "error", message=f"the job did not end within its {allowed:g} s", stuck=True)

    async def _unreachable(self, run: Run, problem: str) -> None:
        tool = run.tool
        if tool is not None:
            try:
                await asyncio.wait_for(tool.ended.wait(), 1.0)
            except TimeoutError:
                await self.finish(run, "error", message=problem, stuck=True)
            # else: the process is gone, which says more; `_tool_ended` ends the job

    def _tool_ended(self, tool: Tool, jobs: set[str]) -> None:
        for job in jobs:
            run = self.runs.get(job)
            if run is not None and not run.done.is_set():
                told = failures.process_ended(tool.spec.name, tool.exit_code, tool.last_words(run.said))
                self.background(asyncio.ensure_future(self.finish(run, "error", message=told)))

    def _note(self, run: Run, line: str) -> None:
        """Pass on what happens before the tool runs, at most one line a second."""
        now = time.monotonic()
        if now - run.noted < 1.0 or run.done.is_set():
            return
        run.noted = now
        data: dict[str, object] = {"$schema": GENERIC_EVENT, "name": "environment", "options": {"message": line[:500]}}
        # From the builder's thread as well as from the loop, so the loop is asked rather than entered.
        self._loop.call_soon_threadsafe(lambda: self.background(asyncio.ensure_future(self.event(run, data))))

    def _over(self, run: Run, *, stuck: bool = False, forget: bool = True) -> None:
        run.done.set()
        if run.deadline is not None:
            run.deadline.cancel()
        if self.runs.get(run.job.id) is run:
            del self.runs[run.job.id]
        self.last_active = time.monotonic()
        if run.tool is not None:
            if stuck:
                self.fleet.retire(run.tool, stuck=True)
            self.fleet.release(run.tool, run.job.id)
        if forget:
            pending.forget(self.base_dir, run.job.id)
        self.changes.ring(run.job.id)
