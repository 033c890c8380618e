"""The world outside, played from a script: what the platform answers, and how time goes by. Nothing sleeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from ivcap_client._core.messages import Body, Request, Response
from ivcap_client._core.port import Auth, Retry, Target
from ivcap_client._io.runtime import Once
from ivcap_client.auth import NoAuth
from ivcap_client.exception import IvcapTimeout

P = ParamSpec("P")
T = TypeVar("T")

URL = "https://platform.example"
JOB = "urn:ivcap:job:11111111-1111-4111-8111-111111111111"
SERVICE = "urn:ivcap:service:22222222-2222-4222-8222-222222222222"


class Stream:
    """A streamed reply: bytes that come, seconds that go by, or a failure."""

    def __init__(
        self,
        *script: bytes | float | BaseException,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.script = script
        self.status = status
        self.headers = {"content-type": "text/event-stream"} if headers is None else headers


Answer = Response | Stream | Exception | Callable[[Request], Any]


class Scripted:
    """A `Port` whose platform answers from a list; what was asked and how long was slept is kept."""

    def __init__(self, answers: Iterable[Answer] = (), *, auth: Auth | None = None, **target: Any) -> None:
        self.target = Target(target.pop("url", URL), auth or NoAuth(), **target)
        self.answers = deque(answers)
        self.sent: list[Request] = []
        self.slept: list[float] = []
        self.closed = 0
        self.clock = 1000.0
        self._once = Once()

    async def send(self, request: Request) -> Response:
        answer = self._next(request)
        assert isinstance(answer, Response), f"{request.method} {request.target} was not to be streamed"
        return answer

    async def open(self, request: Request) -> Body:
        answer = self._next(request)
        if isinstance(answer, Response):
            answer = Stream(answer.body, status=answer.status, headers=answer.headers)
        return _Scripted(self, answer, request)

    def wire(self, request: Request) -> Response:
        answer = self._next(request)
        assert isinstance(answer, Response)
        return answer

    async def offload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    async def exchange(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    async def once(self, key: str, work: Callable[[], T]) -> T:
        return self._once.do(key, work)

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.clock += seconds

    def now(self) -> float:
        return self.clock

    def _next(self, request: Request) -> Response | Stream:
        self.sent.append(request)
        assert self.answers, f"nothing is left to answer {request.method} {request.target} with"
        answer = self.answers.popleft() if len(self.answers) > 1 or not callable(self.answers[0]) else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        found: Response | Stream = answer if isinstance(answer, (Response, Stream)) else answer(request)
        return found


class _Scripted:
    def __init__(self, port: Scripted, stream: Stream, request: Request) -> None:
        self._port, self._left, self._request = port, deque(stream.script), request
        self.status, self.headers = stream.status, stream.headers

    async def read(self, size: int = 65536) -> bytes:
        waited = 0.0
        while self._left:
            part = self._left.popleft()
            if isinstance(part, BaseException):
                raise part
            if isinstance(part, bytes):
                if len(part) > size:
                    self._left.appendleft(part[size:])
                return part[:size]
            patience = (self._request.timeout or 0) - waited
            if part > patience:
                self._left.appendleft(part - patience)
                self._port.clock += patience
                raise IvcapTimeout("nothing came")
            waited += part
            self._port.clock += part
        return b""

    async def close(self) -> None:
        self._port.closed += 1


class Token:
    """A credential that can be renewed, and counts how often it was."""

    def __init__(self, token: str = "secret-0") -> None:
        self.token, self.renewals = token, 0

    def apply(self, headers: dict[str, str]) -> None:
        headers["Authorization"] = f"Bearer {self.token}"

    def renew(self) -> None:
        self.renewals += 1
        self.token = f"secret-{self.renewals}"


def ok(body: bytes = b"{}", status: int = 200, **headers: str) -> Response:
    """A reply; header names are written with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "application/json", **named}, body)


def get(**changes: Any) -> Request:
    """A request that may be repeated."""
    return Request("GET", changes.pop("target", "/1/x"), what="read x", safe=True, **changes)


def post(**changes: Any) -> Request:
    """A request that may not."""
    return Request("POST", changes.pop("target", "/1/x"), body=b"{}", what="make x", **changes)


FAST = Retry(attempts=4, first=0.25, factor=2.0, most=8.0, longest_wait=30.0)
