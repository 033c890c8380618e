"""Large data over HTTP: a sealed, expiring address on this server that takes the bytes of exactly one artifact.

The model never carries the bytes: it gets the artifact's URN and a `curl` line. The artifact is announced on the
platform first, so the address means the same on each replica with the same key, and works once: bytes never change.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import re
import secrets
import tempfile
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import anyio
from anyio import to_thread

from ivcap_client import IVCAP
from ivcap_client.exception import InvalidInput, IvcapError, ResourceNotFound

log = logging.getLogger("ivcap_mcp.uploads")

PREFIX = "/upload/"
OWNER = re.compile(r"[0-9a-f]{32}")
LIFETIME = 3600
"""Seconds for which an address is good."""
MOST = 64 * 1024**3
PIECE = 1024 * 1024
DRAINED = 32 * 1024 * 1024
AT_ONCE = 8
REMEMBERED = 1_000

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an address stands for: one artifact, of so many bytes, until then (seconds since 1970)."""

    artifact: str
    size: int
    expires: int


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


class _Body:
    """A request's body as it comes in."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self.over = receive, False

    async def more(self) -> bytes:
        """The next bytes, perhaps none. `EndOfStream`: the sender has gone."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise anyio.EndOfStream
        self.over = not message.get("more_body", False)
        return bytes(message.get("body", b""))


class HandOffs:
    """Addresses for uploads, and the ASGI app behind them."""

    def __init__(self, ivcap: IVCAP, owner: str = "", *, read_only: bool = False) -> None:
        self._ivcap, self._owner, self._read_only = ivcap, owner, read_only
        self._key = secrets.token_bytes(32)
        self._begun: OrderedDict[str, str] = OrderedDict()
        self._busy: set[str] = set()

    def sealed_with(self, tokens: Sequence[str]) -> None:
        """Derive the key from the server's tokens, so that replicas that share them take each other's addresses."""
        if tokens:
            self._key = _key_of(tokens)

    def path(self, artifact: str, size: int) -> tuple[str, Ticket]:
        """The path of a new address for the bytes of an artifact."""
        ticket = Ticket(artifact, size, int(time.time()) + LIFETIME)
        body = _base64(json.dumps([ticket.artifact, ticket.size, ticket.expires]).encode())
        owner = f"{self._owner}/" if self._owner else ""
        return f"{PREFIX}{owner}{body}.{self._seal(body)}", ticket

    def ticket(self, path: str) -> Ticket:
        """What a path stands for.

        Raises:
            _Refused: It was not made here, or is too old.
        """
        body, seal = _parts_of(path)
        if not hmac.compare_digest(seal.encode(), self._seal(body).encode()):
            raise _Refused(404, "this is no address of an upload")
        artifact, size, expires = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if expires < time.time():
            raise _Refused(410, "this address has expired: ask for another with upload_artifact")
        return Ticket(artifact, size, expires)

    def _seal(self, body: str) -> str:
        return _sealed(self._key, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the bytes. They lie on the disk first: the platform gets them only when they are complete."""
        body = _Body(receive)
        try:
            if scope["method"] not in ("PUT", "POST"):
                raise _Refused(405, "send the file with PUT, as `curl --upload-file` does")
            if self._read_only:  # the address may come from another server with the same tokens
                raise _Refused(403, "this server was started with --read-only: nothing can be sent to it")
            ticket = self.ticket(scope["path"])
            if ticket.artifact in self._busy or len(self._busy) >= AT_ONCE:
                raise _Refused(503, "this file is being sent already, or too many others are: try again")
            self._busy.add(ticket.artifact)
            try:
                told = await self._taken(ticket, _length(scope), body)
            finally:
                self._busy.discard(ticket.artifact)
        except _Refused as refused:
            await _drained(scope, body)
            await _answered(send, refused.status, {"error": refused.message})
            return
        except anyio.EndOfStream:
            log.info("an upload was broken off by its sender")
            return
        except IvcapError as error:
            log.warning("an upload could not be handed to the platform: %s", error)
            await _answered(send, 502, {"error": f"{error}. The address is still good: send it again"})
            return
        await _answered(send, 201, told)

    async def _taken(self, ticket: Ticket, length: int | None, body: _Body) -> dict[str, Any]:
        if length is not None and length != ticket.size:
            raise _Refused(400, f"{ticket.size} bytes were announced, but the file has {length}")
        with tempfile.TemporaryFile(prefix="ivcap-upload-") as file:
            digest = await _spooled(file, ticket.size, body)
            try:
                artifact = await self._ivcap.stored_artifact_async(ticket.artifact)
            except ResourceNotFound:
                raise _Refused(404, f"{ticket.artifact} is not known any more") from None
            if artifact.record.status == "partial" and self._begun.get(ticket.artifact) != digest:
                raise _Refused(409, "other bytes were sent here before: ask for another address with upload_artifact")
            self._begun[ticket.artifact] = digest
            while len(self._begun) > REMEMBERED:
                self._begun.popitem(last=False)
            try:
                stored = await artifact.fill_async(file, size=ticket.size)
            except InvalidInput as error:
                raise _Refused(409, str(error)) from None
        return {"artifact": stored.urn, "size": stored.size, "status": stored.record.status}


def owner_of(path: str, secret_of: Callable[[str], str]) -> str | None:
    """Whose address it is, hashed; `None` if it is nobody's, so that nothing is begun for who made it up.

    Args:
        path: Of the request.
        secret_of: What the addresses of an owner are sealed with.
    """
    owner = path.rpartition(PREFIX)[2].rpartition("/")[0]
    if not OWNER.fullmatch(owner):
        return None
    body, seal = _parts_of(path)
    return owner if hmac.compare_digest(seal.encode(), _sealed(_key_of([secret_of(owner)]), body).encode()) else None


def _parts_of(path: str) -> tuple[str, str]:
    body, _, seal = path.rpartition(PREFIX)[2].rpartition("/")[2].partition(".")
    return body, seal


def _key_of(tokens: Sequence[str]) -> bytes:
    return hashlib.sha256("\0".join(("ivcap-mcp upload", *sorted(tokens))).encode()).digest()


def _sealed(key: bytes, body: str) -> str:
    return _base64(hmac.digest(key, body.encode(), "sha256"))


async def _spooled(file: IO[bytes], size: int, body: _Body) -> str:
    """Write a request's body to a file; return its SHA-256."""
    digest, waiting, total = hashlib.sha256(), bytearray(), 0

    def written(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    while not body.over:
        piece = await body.more()
        waiting += piece
        total += len(piece)
        if total > size:
            raise _Refused(413, f"{size} bytes were announced, and more came")
        if waiting and (len(waiting) >= PIECE or body.over):
            await to_thread.run_sync(written, bytes(waiting))
            waiting.clear()
    if total != size:
        raise _Refused(400, f"{size} bytes were announced, but {total} came")
    return digest.hexdigest()


async def _drained(scope: Scope, body: _Body) -> None:
    """Read what a refused sender is still sending, within bounds: most read no answer before they have sent all."""
    if any(name == b"expect" for name, _ in scope["headers"]):
        return  # it waits for the answer, and asking for the body would start it
    left = DRAINED
    with contextlib.suppress(anyio.EndOfStream):
        while left > 0 and not body.over:
            left -= len(await body.more()) + 1


def _length(scope: Scope) -> int | None:
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(told) if told.isdigit() else None


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


async def _answered(send: Send, status: int, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status >= 400:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
