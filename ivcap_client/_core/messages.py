"""What travels between the core and a transport: a request, a reply, a streamed reply."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

MIB = 1024 * 1024
PLATFORM = "the platform"
"""Who is asked unless a request says otherwise."""
MOST_REPLY = 64 * MIB
"""A reply that is read whole may not be larger than this, after decoding."""


class Source(Protocol):
    """Bytes to be sent that are read as they go out."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the platform.

    Attributes:
        method: HTTP method, upper case.
        target: Path below the base URL, quoted (`/1/jobs/urn%3A…`), or an absolute URL the platform gave us.
        query: Parameters in order; values are text as it goes on the wire before quoting.
        headers: Headers of this request alone; the token is added by `call`.
        body: Bytes, or a source of bytes that is read once.
        what: What is being tried, for error messages ("read job").
        timeout: Seconds that may pass without a byte; `None`: the transport's default.
        deadline: Moment on the port's clock when the whole exchange must be over.
        most: Largest reply in bytes; a larger one is a `ProtocolError`.
        safe: May be repeated: the request changes nothing, or changes the same thing to the same value.
        foreign: May be answered by another origin than the platform's, which then learns nothing of the credential.
        peer: Who is asked, for error messages.
    """

    method: str
    target: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # the token is among them
    body: bytes | Source | None = field(default=None, repr=False)
    what: str = ""
    timeout: float | None = None
    deadline: float | None = None
    most: int = MOST_REPLY
    safe: bool = False
    foreign: bool = False
    peer: str = PLATFORM


@dataclass(frozen=True, slots=True)
class Response:
    """A whole reply. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Listed(Response):
    """A page of a list from a platform in this process: its text is written, and its items are read, when wanted.

    Args:
        items: The items, each as the JSON text that stands in the reply.
        rest: The reply's other fields.
    """

    __slots__ = ("items", "rest")
    items: Sequence[str]
    rest: Mapping[str, Any]

    def __init__(self, items: Sequence[str], rest: Mapping[str, Any]) -> None:
        for name, value in (("status", 200), ("headers", _JSON), ("items", items), ("rest", rest)):
            object.__setattr__(self, name, value)

    @property
    def body(self) -> bytes:
        """The whole reply as JSON text."""
        return f'{{"items": [{", ".join(self.items)}], {json.dumps(self.rest)[1:]}'.encode()


_JSON = {"content-type": "application/json"}


class Body(Protocol):
    """A reply whose bytes are still coming. Header names are lower case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    async def read(self, size: int = 65536) -> bytes:
        """Return some bytes, at most `size`; empty at the end."""
        ...

    async def close(self) -> None: ...


class BlockingBody(Protocol):
    """The same for a transport that blocks; the ports make a `Body` of it."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def read(self, size: int = 65536) -> bytes: ...
    def close(self) -> None: ...
