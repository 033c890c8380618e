"""What is watched for subscribers: one follower per thing, however many asked for it; the last to leave ends it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ivcap_client import Event, Job
from ivcap_client.exception import IvcapError, ResourceNotFound
from ivcap_client.later import later

if TYPE_CHECKING:
    from ivcap_mcp import watch
    from ivcap_mcp.backend import Backend
    from ivcap_mcp.watch import News
else:
    watch = later("ivcap_mcp.watch")

log = logging.getLogger("ivcap_mcp.followers")

Key = tuple[str, str]
"""What for (`resource` or `task`), and the URN."""
Follow = Callable[[], Awaitable[None]]
MOST_ASPECTS = 200
"""Statements about an entity that are compared; a change among older ones goes unnoticed."""
_RANK = {"unknown": 0, "pending": 0, "scheduled": 1, "executing": 2, "succeeded": 3, "failed": 3, "error": 3}


@dataclass(eq=False)
class _Held:
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    count: int = 0


class Followers:
    """Runs followers in the background while somebody holds them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._held: dict[Key, _Held] = {}

    @property
    def followed(self) -> frozenset[Key]:
        """What is followed now."""
        return frozenset(self._held)

    def hold(self, key: Key, follow: Follow) -> None:
        """Start following, unless it is followed already. Each `hold` needs one `release`."""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held()
            self._backend.tasks.start_soon(self._run, key, held, follow)
        held.count += 1

    def release(self, key: Key) -> None:
        """Somebody lost interest; nobody left ends the follower."""
        held = self._held[key]
        held.count -= 1
        if held.count == 0:
            del self._held[key]
            held.scope.cancel()

    async def _run(self, key: Key, held: _Held, follow: Follow) -> None:
        with held.scope:
            try:
                await follow()
            except Exception as error:
                # A follower that fails must not take the server with it; its subscribers still can read.
                log.warning("following %s ended: %s", key[1], error)


async def follow_job(backend: Backend, job: Job, tell: Callable[[News], Awaitable[None]]) -> None:
    """Pass on what a job tells until it has ended, over all interruptions.

    Args:
        backend: The running server, whose watcher of this job is shared.
        job: The job; nothing is told of one that has ended.
        tell: Called with each event, and at last with `Ended`.
    """
    while not (job.ended and job.record.has_result):
        async with backend.watchers.listen(job) as news:
            async for one in news:
                if isinstance(one, watch.Failed):
                    break
                await tell(one)
                if isinstance(one, watch.Ended):
                    return
        await anyio.sleep(backend.settings.poll)


async def follow_job_status(backend: Backend, job: Job) -> None:
    """Announce each change of a job's status. What was told before the subscription is not repeated."""
    known = _RANK.get(job.status(refresh=False).value, 0)

    async def tell(news: News) -> None:
        nonlocal known
        if isinstance(news, watch.Ended):
            rank = 3
        elif isinstance(news, Event) and news.status is not None:
            # The end is announced when it can be read: by `Ended`, after the job was read with its result.
            rank = min(_RANK.get(news.status, 0), 2)
        else:
            return
        if rank > known:
            known = rank
            await backend.changes.resource_updated(job.urn)

    await follow_job(backend, job, tell)


async def follow_aspect(backend: Backend, urn: str) -> None:
    """Announce that an aspect was retracted or replaced, which happens at most once."""
    while True:
        try:
            aspect = await backend.ivcap.get_aspect_async(urn)
        except ResourceNotFound:
            await backend.changes.resource_updated(urn)
            return
        except IvcapError as error:
            log.info("%s could not be looked at: %s", urn, error)
        else:
            if aspect.valid_to is not None:
                await backend.changes.resource_updated(urn)
                return
        await anyio.sleep(backend.settings.poll)


async def follow_entity(backend: Backend, urn: str, known: frozenset[str]) -> None:
    """Announce each change of what is stated about an entity.

    Args:
        backend: The running server.
        urn: The entity.
        known: URNs of the aspects there were when it was subscribed to (`stated`).
    """
    while True:
        await anyio.sleep(backend.settings.poll)
        try:
            now = await stated(backend, urn)
        except IvcapError as error:
            log.info("what is stated about %s could not be looked at: %s", urn, error)
            continue
        if now != known:
            known = now
            await backend.changes.resource_updated(urn)


async def stated(backend: Backend, urn: str) -> frozenset[str]:
    """URNs of the newest aspects that hold about an entity."""
    listed = backend.ivcap.list_aspects(entity=urn, limit=MOST_ASPECTS, include_content=False)
    return frozenset([aspect.urn async for aspect in listed])
