"""The one place where a request gets its credential, is repeated if that is safe, and a refusal becomes an error."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import random
from typing import Any
from urllib.parse import urljoin, urlsplit

from ivcap_client._core.messages import Body, Request, Response
from ivcap_client._core.port import Port, Target
from ivcap_client._core.retry import WORTH_A_TRY, pause, retry_after
from ivcap_client.exception import (
    InvalidInput,
    IvcapConnectionError,
    IvcapError,
    IvcapTimeout,
    NotConnected,
    ProtocolError,
    error_for,
)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3
SHORTEST_SECRET = 6
"""Characters of a credential below which it is not looked for in replies: what it matches would be chance."""


async def call(port: Port, request: Request) -> Response:
    """Send a request and return its answer if it is a good one (below 300).

    Raises:
        IvcapError: The member of the tree in `ivcap_client.exception` that fits; its message names `request.what`.
    """
    return await _Exchange(port, request).run(port.send)


async def open_body(port: Port, request: Request) -> Body:
    """Like `call`, for a reply that is read piece by piece. Statuses from 300 on are errors too."""
    opened: list[Body] = []

    async def send(prepared: Request) -> Response:
        body = await port.open(prepared)
        if body.status < 300:
            opened.append(body)
            return Response(body.status, body.headers)
        try:
            content = await body.read(20_000)
        finally:
            await body.close()
        return Response(body.status, body.headers, content)

    await _Exchange(port, request).run(send)
    return opened[-1]


class _Exchange:
    """One call, with what it has tried so far."""

    def __init__(self, port: Port, request: Request) -> None:
        self.port, self.request = port, request
        self.attempt, self.redirects, self.renewed = 0, 0, False

    async def run(self, send: Any) -> Response:
        while True:
            self.attempt += 1
            prepared = authorised(self.port.target, self._clipped())
            failure: IvcapError
            try:
                reply: Response = await send(prepared)
            except (IvcapConnectionError, IvcapTimeout) as error:
                failure, wait = error, pause(self.port.target.retry, self.attempt, random.random())  # noqa: S311
                again = self.request.safe or isinstance(error, NotConnected)
            else:
                if reply.status < 300 or reply.status == 304:
                    return reply
                if reply.status in REDIRECTS:
                    self.request = self._redirected(reply)
                    self.attempt -= 1
                    continue
                if reply.status == 401 and await self._renewed(prepared):
                    self.attempt -= 1
                    continue
                reply = without_credential(reply, prepared)
                asked = retry_after(reply.headers)
                failure = error_for(self.request.what, reply, local=self.port.target.local, retry_after=asked)
                again = self.request.safe and reply.status in WORTH_A_TRY
                wait = max(pause(self.port.target.retry, self.attempt, random.random()), asked or 0.0)  # noqa: S311
            if not again or not self._may_wait(wait):
                raise failure
            await self.port.sleep(wait)

    def _may_wait(self, wait: float) -> bool:
        policy, deadline = self.port.target.retry, self.request.deadline
        in_time = deadline is None or self.port.now() + wait < deadline
        # A body that was a stream is gone after the first try.
        whole = self.request.body is None or isinstance(self.request.body, bytes)
        return self.attempt < policy.attempts and wait <= policy.longest_wait and in_time and whole

    def _clipped(self) -> Request:
        timeout = self.request.timeout if self.request.timeout is not None else self.port.target.timeout
        if self.request.deadline is not None:
            left = self.request.deadline - self.port.now()
            if left <= 0:
                raise IvcapTimeout(f"could not {self.request.what}: its time was over before it was sent")
            timeout = min(timeout, left)
        return dataclasses.replace(self.request, timeout=timeout)

    def _redirected(self, reply: Response) -> Request:
        """The request again, at the address the platform names: within its own origin only."""
        self.redirects += 1
        base = absolute(self.port.target, self.request.target)
        to = urljoin(base, reply.headers.get("location", ""))
        if self.redirects > MOST_REDIRECTS or not reply.headers.get("location"):
            raise ProtocolError(
                f"could not {self.request.what}: the platform answered with redirects that lead nowhere"
            )
        if origin(to) != origin(base):
            scheme, host, port = origin(to)
            raise ProtocolError(
                f"could not {self.request.what}: the platform redirects to another origin ({scheme}://{host}:{port}), "
                "where neither the credential nor the data may go"
            )
        if reply.status in (307, 308) or self.request.method in ("GET", "HEAD"):
            return dataclasses.replace(self.request, target=to, query=())
        raise ProtocolError(f"could not {self.request.what}: the platform redirects a {self.request.method}")

    async def _renewed(self, sent: Request) -> bool:
        """Whether a new credential could be had. All who were refused with the same one share the renewal."""
        renew = getattr(self.port.target.auth, "renew", None)
        if renew is None or self.renewed or is_foreign(self.port.target, sent.target):
            return False
        self.renewed = True
        used = hashlib.sha256(sent.headers.get("authorization", "").encode()).hexdigest()
        await self.port.once(f"renew {used}", renew)
        return True


def authorised(target: Target, request: Request) -> Request:
    """The request with the platform's headers and the credential; neither goes to another origin."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if not is_foreign(target, request.target):
        headers = {**{name.lower(): value for name, value in target.headers.items()}, **headers}
        target.auth.apply(headers)
        headers = {name.lower(): value for name, value in headers.items()}
    for name, value in headers.items():
        if not name.isascii() or "\n" in value or "\r" in value or "\0" in value or not value.isprintable():
            raise InvalidInput(f"could not {request.what}: the header {name!r} holds characters that cannot be sent")
    return dataclasses.replace(request, headers=headers)


def without_credential(reply: Response, sent: Request) -> Response:
    """A refusal as it may be told and logged: some gateways and debug pages repeat the request's headers in it."""
    secret = sent.headers.get("authorization", "").partition(" ")[2].strip()
    if len(secret) < SHORTEST_SECRET:
        return reply
    headers = {name: value.replace(secret, "…") for name, value in reply.headers.items()}
    return Response(reply.status, headers, reply.body.replace(secret.encode(), "…".encode()))


def absolute(target: Target, where: str) -> str:
    """The full URL of a request's target."""
    return where if "://" in where.split("?", 1)[0] else target.url + where


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port, comparable."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    try:
        return parts.scheme, (parts.hostname or "").lower(), parts.port or default
    except ValueError:
        raise ProtocolError(f"{url[:200]!r} is not an address") from None


def is_foreign(target: Target, where: str) -> bool:
    """Whether the target lies outside the platform's own origin."""
    return "://" in where.split("?", 1)[0] and origin(where) != origin(target.url)


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine by its form, without asking a name server."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
