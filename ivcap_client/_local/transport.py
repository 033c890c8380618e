"""Carries requests to the embedded platform, in this process; running jobs are followed at the runner."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ivcap_client._core.messages import BlockingBody, Body, Request, Response


class LocalTransport:
    """Blocking callers are answered in place, async ones in a worker thread."""

    def __init__(self, base_dir: Path, **options: Any) -> None:
        self._base_dir, self._options = base_dir, options
        self._platform: Any = None

    @property
    def platform(self) -> Any:
        """The platform, made when it is first needed: constructing a client touches no file."""
        if self._platform is None:
            from ivcap_client._local.platform import local_platform

            self._platform = local_platform(self._base_dir, **self._options)
        return self._platform

    def path_of(self, artifact: str) -> Path | None:
        """Where an artifact's file lies."""
        path: Path | None = self.platform.path_of(artifact)
        return path

    def send(self, request: Request) -> Response:
        reply: Response = self.platform.handle(request)
        return reply

    def open(self, request: Request) -> BlockingBody:
        body: BlockingBody = self.platform.open(request)
        return body

    async def send_async(self, request: Request) -> Response:
        reply: Response = await _in_thread(self.send, request)
        return reply

    async def open_async(self, request: Request) -> Body:
        return _Threaded(await _in_thread(self.open, request))

    def close(self) -> None:
        platform, self._platform = self._platform, None
        if platform is not None:
            platform.close()

    async def close_async(self) -> None:
        await _in_thread(self.close)


async def _in_thread(work: Any, *args: Any) -> Any:
    from anyio import to_thread

    return await to_thread.run_sync(partial(work, *args))


class _Threaded:
    """A blocking body, read in worker threads."""

    def __init__(self, body: BlockingBody) -> None:
        self._body, self.status, self.headers = body, body.status, body.headers

    async def read(self, size: int = 65536) -> bytes:
        return await _in_thread(self._body.read, size)  # type: ignore[no-any-return]

    async def close(self) -> None:
        await _in_thread(self._body.close)
