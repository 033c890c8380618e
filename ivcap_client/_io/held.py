"""Bytes that are here already, behind the same requests as a platform's: files of this machine, data in a URL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, Any

from ivcap_client._core.messages import BlockingBody, Body, Request, Response

DATA = "/data"
"""Path under which the bytes are asked for; every other path describes them."""
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{0,19})")
_JSON = {"content-type": "application/json"}


class HeldTransport:
    """Answers a description, the bytes and ranges of them; nothing else.

    Args:
        describe: What the artifact is, as a platform would say it; raises `OSError` where it is gone.
        opened: Opens the bytes.
    """

    def __init__(self, describe: Callable[[], Mapping[str, Any]], opened: Callable[[], IO[bytes]]) -> None:
        self._describe, self._opened = describe, opened

    def send(self, request: Request) -> Response:
        if request.method != "GET" or not request.target.startswith("/1/artifacts/"):
            told = "it lies outside every platform: upload it first"
            return Response(501, _JSON, json.dumps({"message": told}).encode())
        try:
            return Response(200, _JSON, json.dumps(self._describe()).encode())
        except OSError as error:
            return _gone(error)

    def open(self, request: Request) -> BlockingBody:
        try:
            file = self._opened()
        except OSError as error:
            return Held(_gone(error).status, _JSON, None, _gone(error).body)
        size = file.seek(0, 2)
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        first = int(wanted[1]) if wanted else 0
        if wanted and first >= size:
            file.close()
            return Held(416, {}, None)
        last = min(int(wanted[2]), size - 1) if wanted and wanted[2] else size - 1
        file.seek(first)
        length = last - first + 1
        headers = {"content-length": str(length)}
        headers |= {"content-range": f"bytes {first}-{last}/{size}"} if wanted else {}
        return Held(206 if wanted else 200, headers, file, left=length)

    async def send_async(self, request: Request) -> Response:
        return await _in_thread(partial(self.send, request))  # type: ignore[no-any-return]

    async def open_async(self, request: Request) -> Body:
        return _Threaded(await _in_thread(partial(self.open, request)))

    def close(self) -> None:
        """Nothing is held open between two requests."""

    async def close_async(self) -> None:
        """The same."""


class Held:
    """A reply from a file, or from memory."""

    def __init__(
        self, status: int, headers: Mapping[str, str], file: IO[bytes] | None, body: bytes = b"", left: int = 0
    ) -> None:
        self.status, self.headers = status, headers
        self._file, self._body, self._left = file, body, left

    def read(self, size: int = 65536) -> bytes:
        if self._file is None:
            piece, self._body = self._body[:size], self._body[size:]
            return piece
        piece = self._file.read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Threaded:
    """The same for async code: read in worker threads."""

    def __init__(self, body: Held) -> None:
        self._body, self.status, self.headers = body, body.status, body.headers

    async def read(self, size: int = 65536) -> bytes:
        return await _in_thread(partial(self._body.read, size))  # type: ignore[no-any-return]

    async def close(self) -> None:
        self._body.close()


def _gone(error: OSError) -> Response:
    told = f"{error.filename} cannot be read ({error.strerror})"
    return Response(404, _JSON, json.dumps({"message": told}).encode())


async def _in_thread(work: Callable[[], Any]) -> Any:
    from anyio import to_thread

    return await to_thread.run_sync(work)
