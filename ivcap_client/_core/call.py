"""The one place where a request gets its credential, is repeated if that is safe, and a refusal becomes an error."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping

from ivcap_client._core.addresses import absolute, is_foreign, joined, origin
from ivcap_client._core.messages import Body, Request, Response
from ivcap_client._core.port import Port, Target
from ivcap_client._core.refusals import error_for
from ivcap_client._core.retry import WORTH_A_TRY, pause, retry_after
from ivcap_client._core.wire import Fields, fields
from ivcap_client.exception import (
    InvalidInput,
    IvcapConnectionError,
    IvcapError,
    IvcapTimeout,
    NotConnected,
    ProtocolError,
    ServerError,
    TooManyRequests,
)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3
_HALF = re.compile("[\ud800-\udfff]")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")


class Hidden(str):
    """A header whose value nobody sees: reports of errors may show what the frames on the way held."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'(credential)'"


Send = Callable[[Request], Awaitable[Response]]


async def call(port: Port, request: Request) -> Response:
    """Send a request and return its answer if it is a good one (below 300).

    Raises:
        IvcapError: The member of the tree in `ivcap_client.exception` that fits; its message names `request.what`.
    """
    return await _Exchange(port, request).run(port.send)


async def get_fields(port: Port, path: str, what: str, query: Iterable[tuple[str, str]] = ()) -> Fields:
    """The object that is read at a path. Reading changes nothing, so it is repeated where that may help."""
    return fields(await call(port, Request("GET", path, tuple(query), what=what, safe=True)), what)


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
        self.unanswered = False

    async def run(self, send: Send) -> Response:
        while True:
            self.attempt += 1
            await kept_fresh(self.port, self.request)
            prepared = authorised(self.port.target, self.request, self._timeout())
            failure: IvcapError
            try:
                reply = await _observed(self.port.target, prepared, send)
            except (IvcapConnectionError, IvcapTimeout) as error:
                failure, wait = error, pause(self.port.target.retry, self.attempt, random.random())  # noqa: S311
                again = self.request.safe or isinstance(error, NotConnected)
                self.unanswered = self.unanswered or not isinstance(error, NotConnected)
            else:
                if reply.status < 300:
                    return reply
                if reply.status == 404 and self.unanswered and self.request.method == "DELETE":
                    return Response(204)  # it was removed by the try whose answer was lost
                if reply.status in REDIRECTS:
                    self.request = self._redirected(reply)
                    self.attempt -= 1
                    continue
                if reply.status == 401 and not self.renewed and await renewed(self.port, prepared):
                    self.renewed = True
                    self.attempt -= 1
                    continue
                asked = retry_after(reply.headers)
                failure = error_for(self.request.what, reply, prepared, local=self.port.target.local, retry_after=asked)
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

    def _timeout(self) -> float:
        timeout = self.request.timeout if self.request.timeout is not None else self.port.target.timeout
        if self.request.deadline is not None:
            left = self.request.deadline - self.port.now()
            if left <= 0:
                raise IvcapTimeout(f"could not {self.request.what}: its time was over before it was sent")
            timeout = min(timeout, left)
        return timeout

    def _redirected(self, reply: Response) -> Request:
        """The request again, at the address the platform names: within its own origin, except for foreign data."""
        self.redirects += 1
        what, target = self.request.what, self.port.target
        location = reply.headers.get("location", "")
        base = absolute(target, self.request.target)
        if self.redirects > MOST_REDIRECTS or not location:
            raise ProtocolError(f"could not {what}: the platform answered with redirects that lead nowhere")
        to = joined(target, base, location)
        if self.request.method not in ("GET", "HEAD") and reply.status not in (307, 308):
            raise ProtocolError(f"could not {what}: the platform redirects a {self.request.method}")
        if is_foreign(target, base) and origin(to) == origin(base):
            self.redirects = MOST_REDIRECTS
        elif origin(to) != origin(base):
            if not self.request.foreign or not is_foreign(target, to):
                raise ProtocolError(
                    f"could not {what}: the platform redirects to another origin ({origin(to)[1]}), "
                    "where neither the credential nor the data may go"
                )
            self.redirects = MOST_REDIRECTS  # one step of this kind, and no other after it
        return dataclasses.replace(self.request, target=to, query=())


async def kept_fresh(port: Port, request: Request) -> None:
    """Renew a credential that is about to end, before it is refused; whoever needs it meanwhile shares that."""
    due = getattr(port.target.auth, "due", None)
    if due is not None and not is_foreign(port.target, request.target) and due():
        await _once(port, "keep fresh", port.target.auth.keep_fresh, request.what)  # type: ignore[attr-defined]


async def _observed(target: Target, request: Request, send: Send) -> Response:
    """Send, and tell who observes; only what stays at the platform's origin may carry more than it does anyway."""
    if target.observer is None:
        return await send(request)
    headers = None if is_foreign(target, request.target) else dict(request.headers)
    ended = target.observer.begin(request.what, request.method, headers)
    try:
        reply = await send(request if headers is None else dataclasses.replace(request, headers=headers))
    except BaseException as error:
        ended(None, error)
        raise
    ended(reply.status, None)
    return reply


async def renewed(port: Port, sent: Request) -> bool:
    """Whether there is a newer credential than the one that was sent, or one could be had.

    All who were refused with the same one share its renewal, threads and tasks alike.
    """
    auth = port.target.auth
    renew = getattr(auth, "renew", None)
    if renew is None or is_foreign(port.target, sent.target):
        return False
    used = sent.headers.get("authorization")

    def work() -> None:
        now: dict[str, str] = {}
        auth.apply(now)
        if _lower(now).get("authorization") == used:
            renew()

    await _once(port, "renew", work, sent.what)
    return True


async def _once(port: Port, key: str, work: Callable[[], None], what: str) -> None:
    """Do something to the credential, once for all who wait.

    Raises:
        NotConnected: Who renews it cannot be asked: the request itself was not sent, or was refused for its credential.
    """
    try:
        await port.once(key, work)
    except (IvcapConnectionError, IvcapTimeout, ServerError, TooManyRequests) as error:
        raise NotConnected(f"could not {what}: its credential could not be renewed ({error})") from error


def authorised(target: Target, request: Request, timeout: float | None = None) -> Request:
    """The request with the platform's headers and the credential; neither goes to another origin.

    Args:
        target: The platform.
        request: What is asked for.
        timeout: Its time-out, in seconds, if it is another than the one it has.

    Raises:
        ProtocolError: The request may not go where it is to go.
        InvalidInput: A header cannot be sent.
    """
    headers = _lower(request.headers)
    if is_foreign(target, request.target):
        _may_leave(target, request)
    else:
        before = {**_lower(target.headers), **headers}
        headers = dict(before)
        target.auth.apply(headers)
        # What the credential added is shown by no frame that holds it, should this request fail.
        headers = {name: text if before.get(name) == text else Hidden(text) for name, text in _lower(headers).items()}
    if _HALF.search("\n".join((request.target, *map("=".join, request.query)))):
        raise InvalidInput(f"could not {request.what}: an argument holds half a character, which cannot be sent")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InvalidInput(f"could not {request.what}: the header {name!r} holds characters that cannot be sent")
    return dataclasses.replace(request, headers=headers, timeout=request.timeout if timeout is None else timeout)


def _may_leave(target: Target, request: Request) -> None:
    scheme, host, _ = origin(absolute(target, request.target))
    if not request.foreign:
        why = "where this may not go"
    elif not target.foreign_data:
        why = "which was switched off (`foreign_data`, --no-foreign-data)"
    elif scheme != "https":
        why = "and not over https"
    else:
        return
    raise ProtocolError(f"could not {request.what}: the platform points to another origin ({host}), {why}")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
