"""An artifact's bytes from the first to the last, over lines that break: opened again where they stopped."""

from __future__ import annotations

import random
from collections.abc import Mapping

from ivcap_client._core import artifacts
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.messages import Body
from ivcap_client._core.port import Port
from ivcap_client._core.retry import pause
from ivcap_client.exception import IvcapConnectionError, IvcapError, IvcapTimeout, ProtocolError

WHAT = "download artifact"


class Reading:
    """All of an artifact's bytes, in order, each once.

    A line that breaks is opened again, by range where the platform has ranges; what changed meanwhile is refused.

    Attributes:
        done: Bytes given out so far.
        expected: Bytes in all, where the platform says so.
        headers: Of the first reply.
    """

    def __init__(self, port: Port, record: ArtifactRecord) -> None:
        self.done = 0
        self.expected: int | None = record.size
        self.headers: Mapping[str, str] = {}
        self._port, self._record = port, record
        self._body: Body | None = None
        self._etag = ""
        self._plain = True
        self._skip, self._failures = 0, 0

    async def open(self) -> None:
        """Ask for the bytes, before they are read."""
        body = self._body = await artifacts.data(self._port, self._record)
        self._etag = body.headers.get("etag", "")
        self._plain = plain(body.headers)
        self.headers = body.headers
        try:
            self.expected = expected(self._record, body.headers)
        except ProtocolError:
            await self.close()
            raise

    async def read(self, size: int) -> bytes:
        """Some bytes, at most `size`; empty at the end. After `open`.

        Raises:
            IvcapConnectionError: The line breaks again and again, or other than the promised number of bytes came.
            ProtocolError: The artifact's bytes are not the same any more.
        """
        while True:
            if self._body is None:
                await self._open_again()
            try:
                piece = await self._piece(size)
            except (IvcapConnectionError, IvcapTimeout) as failure:
                await self._bear(failure)
                continue
            if piece:
                self.done, self._failures = self.done + len(piece), 0
            return piece

    async def close(self) -> None:
        """Let go of the line."""
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    async def _piece(self, size: int) -> bytes:
        assert self._body is not None
        while True:
            piece = await self._body.read(size)
            if piece and self._skip:
                dropped = min(self._skip, len(piece))
                self._skip -= dropped
                piece = piece[dropped:]
                if not piece:
                    continue
            if self.expected is None or (self.done + len(piece) <= self.expected and piece):
                return piece
            if self.done + len(piece) > self.expected:
                raise _Wrong(self._counted("more came"))
            if self.done < self.expected:
                raise IvcapConnectionError(self._counted(f"{self.done} bytes of {self._record.id} came"))
            return b""

    def _counted(self, came: str) -> str:
        return f"could not {WHAT}: {came}, {self.expected} were promised"

    async def _bear(self, failure: IvcapError) -> None:
        """Let a broken line pass, unless it breaks again and again without a byte in between."""
        policy = self._port.target.retry
        self._failures += 1
        await self.close()
        if self._failures >= policy.attempts or isinstance(failure, _Wrong):
            raise failure
        await self._port.sleep(pause(policy, self._failures, random.random()))  # noqa: S311

    async def _open_again(self) -> None:
        # Of a reply that was encoded, the place where it stopped cannot be named; a weak mark says too little.
        first = self.done if self.done and self._plain and not self._etag.startswith("W/") else None
        body = self._body = await artifacts.data(self._port, self._record, first=first, if_range=self._etag)
        self._skip = 0 if body.status == 206 else self.done
        begun = body.headers.get("content-range", "").startswith(f"bytes {self.done}-")
        if body.headers.get("etag", "") != self._etag or (body.status == 206 and not begun):
            await self.close()
            raise ProtocolError(f"could not {WHAT}: {self._record.id} changed while it was read")


class _Wrong(IvcapConnectionError):
    """Bytes came that nobody promised: another try would bring them again."""


def expected(record: ArtifactRecord, headers: Mapping[str, str]) -> int | None:
    """Bytes that must come. A page of somebody in between has another length than the artifact.

    Raises:
        ProtocolError: The reply has another length than the artifact.
    """
    size = record.size if record.status == "ready" else None  # before that, it may have grown since it was read
    length = headers.get("content-length", "") if plain(headers) else ""
    if not length.isdecimal():
        return size
    if size is not None and int(length) != size:
        raise ProtocolError(f"could not {WHAT}: {record.id} has {size} bytes, but the reply has {length}")
    return int(length)


def plain(headers: Mapping[str, str]) -> bool:
    """Whether the bytes are sent as they are: encoded ones are more or fewer on the wire."""
    return headers.get("content-encoding", "identity") in ("", "identity")
