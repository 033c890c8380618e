"""A reply's bytes as they come in: decoded, in time, and not too many."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from ivcap_client._core.messages import MIB, Request
from ivcap_client._io import decoding
from ivcap_client.exception import IvcapTimeout, ProtocolError

PACE = 1024
"""Bytes a second that a whole reply must bring on average once its time-out is over: the time-out alone starts anew
with every byte."""


class Pieces:
    """The decoded bytes of a reply, within its deadline. Header names are lower case."""

    def __init__(self, headers: Mapping[str, str], request: Request, *, deadline: float | None = None) -> None:
        self.headers = {name.lower(): value for name, value in headers.items()}
        self._decoder: decoding.Decoder | None = None
        self._request, self._deadline = request, deadline
        self._kept = bytearray()
        self._began, self._came = time.monotonic(), 0

    def add(self, raw: bytes) -> None:
        """Keep what came, as long as it is neither too much nor too slow."""
        self._came += len(raw)
        if time.monotonic() - self._began > (self._request.timeout or 30.0) + self._came / PACE:
            raise IvcapTimeout(f"could not {self._request.what}: the reply comes in too slowly")
        for piece in self.decoded(raw):
            self._kept += piece
            if len(self._kept) > self._request.most:
                raise ProtocolError(
                    f"could not {self._request.what}: the reply is larger than "
                    f"the {self._request.most / MIB:g} MiB allowed for it"
                )

    def whole(self) -> bytes:
        """All that was kept."""
        self.end()
        return bytes(self._kept)

    def decoded(self, raw: bytes) -> Iterator[bytes]:
        """What some bytes mean, in pieces of bounded size."""
        # The library's time-out starts anew with every byte; this one does not.
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise IvcapTimeout(f"could not {self._request.what}: the reply was not complete in time")
        self._decoder = self._decoder or decoding.decoder(self.headers.get("content-encoding", ""))
        return self._decoder.feed(raw)

    def end(self) -> None:
        """Say that nothing follows."""
        if self._decoder is not None:
            self._decoder.end()
