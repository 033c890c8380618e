"""An artifact's bytes for a worker thread: fetched in parts where the platform has ranges, else streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import anyio
from anyio import from_thread, to_thread
from anyio.lowlevel import RunVar

from ivcap_client import Artifact
from ivcap_client.exception import IvcapError
from ivcap_mcp.preview.bounds import MOST_FETCHED, Budget
from ivcap_mcp.preview.source import Ranged, Source, Streamed

T = TypeVar("T")

# Looks have threads of their own: each waits for others that ask the platform, and must not take their places.
_looks: RunVar[anyio.CapacityLimiter] = RunVar("ivcap_mcp_looks")
AT_ONCE = 8


class _Lost(Exception):
    """The platform failed while bytes were fetched. No OSError, which parsers take for the end of a file."""

    def __init__(self, cause: IvcapError) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def looked_into(artifact: Artifact, work: Callable[[Source], T], until: float, most: int = MOST_FETCHED) -> T:
    """Do something with an artifact's bytes in a worker thread.

    Whether parts can be fetched is tried once per origin and remembered by the SDK. Where they cannot, the bytes are
    streamed, and the stream is closed as soon as enough has been seen.

    Args:
        artifact: The artifact; it must be ready.
        work: What to do. It may block, and may read what it likes within the bounds.
        until: When it must be over, on the monotonic clock.
        most: Bytes it may fetch.

    Raises:
        Unreadable: By `work`; the message says why.
        IvcapError: The platform failed meanwhile.
    """
    try:
        limiter = _looks.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _looks.set(limiter)
    budget = Budget(most, until)
    size = artifact.size
    if size is not None and await artifact.ranged_async():

        def fetch(first: int, length: int) -> bytes:
            try:
                return from_thread.run(artifact.part_async, first, length)
            except IvcapError as error:
                raise _Lost(error) from error

        try:
            return await to_thread.run_sync(work, Ranged(fetch, size, budget), limiter=limiter)
        except _Lost as lost:
            raise lost.cause from None
    stream = artifact.as_stream_async()

    async def more() -> bytes:
        return await anext(stream, b"")

    def pieces() -> Iterator[bytes]:
        try:
            while piece := from_thread.run(more):
                budget.spend(len(piece))
                yield piece
        except IvcapError as error:
            raise _Lost(error) from error

    try:
        return await to_thread.run_sync(work, Streamed(pieces(), size, root=True), limiter=limiter)
    except _Lost as lost:
        raise lost.cause from None
    finally:
        with anyio.CancelScope(shield=True):
            await stream.aclose()
