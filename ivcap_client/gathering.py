"""Waiting for several jobs at once: they run side by side on the platform, so one after the other is soon enough."""

from __future__ import annotations

import time
from collections.abc import Callable

from ivcap_client.events import Event
from ivcap_client.job import Job

__all__ = ["gather", "gather_async"]


def gather(
    *jobs: Job, timeout: float | None = None, on_progress: Callable[[Job, Event], None] | None = None
) -> list[Job]:
    """Wait until all jobs have ended, well or badly.

    Args:
        jobs: The jobs; each may appear once or more often.
        timeout: Seconds for all together; without one it waits as long as they take.
        on_progress: Called with a job and what it tells, for one job after the other.

    Returns:
        The same jobs in the same order, ended. `job.value()` is a result, or raises `JobFailed`.

    Raises:
        JobTimeout: The time was over before `error.job` had ended. All run on; those that ended keep their results.

    Examples:
        >>> from ivcap_client import gather
        >>> service = ivcap.get_service_by_name("plain")
        >>> jobs = [service.request_job({"do": "echo", "n": n}) for n in range(3)]
        >>> [job.value()["n"] for job in gather(*jobs, timeout=30)]
        [0, 1, 2]
    """
    until = None if timeout is None else time.monotonic() + timeout
    return [job.wait(timeout=_left(until), on_progress=_told(job, on_progress)) for job in jobs]


async def gather_async(
    *jobs: Job, timeout: float | None = None, on_progress: Callable[[Job, Event], None] | None = None
) -> list[Job]:
    """`gather` for async code."""
    until = None if timeout is None else time.monotonic() + timeout
    return [await job.wait_async(timeout=_left(until), on_progress=_told(job, on_progress)) for job in jobs]


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.0)


def _told(job: Job, on_progress: Callable[[Job, Event], None] | None) -> Callable[[Event], None] | None:
    return None if on_progress is None else lambda event: on_progress(job, event)
