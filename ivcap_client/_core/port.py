"""The world as the core sees it, and how a blocking caller runs the core."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol, TypeVar

from ivcap_client._core.messages import Body, Request, Response

P = ParamSpec("P")
T = TypeVar("T")


class Auth(Protocol):
    """Puts a credential on a request.

    An `Auth` that also has `renew()` can be asked for a new credential; one that has `due() -> bool` and
    `keep_fresh()` too is asked for it before the old one ends. Both may block, `due` may not.
    """

    def apply(self, headers: dict[str, str]) -> None: ...


class Observer(Protocol):
    """Is told of each request, for traces and measurements. It must neither block nor raise."""

    def begin(
        self, what: str, method: str, headers: dict[str, str] | None
    ) -> Callable[[int | None, BaseException | None], None]:
        """A request is about to be sent.

        Args:
            what: The operation ("read job").
            method: Of HTTP.
            headers: Those that are sent; it may add its own. `None` where the request leaves the platform's origin.

        Returns:
            Called once, with the reply's status, or with what went wrong instead.
        """
        ...


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently a safe request is repeated. Times in seconds.

    Attributes:
        attempts: Tries in all.
        first: Longest pause before the second.
        factor: By how much the next one may be longer.
        most: Longest pause of all.
        longest_wait: A platform that asks for a longer pause than this is not waited for.

    Examples:
        >>> from ivcap_client import IVCAP, Retry
        >>> IVCAP("https://platform.example.org", token="t0ken", retry=Retry(attempts=1)).url
        'https://platform.example.org'
    """

    attempts: int = 4
    first: float = 0.25
    factor: float = 2.0
    most: float = 8.0
    longest_wait: float = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and as whom.

    Attributes:
        url: Base URL without trailing slash; `file://…` for the embedded platform.
        auth: The credential; it hides itself in its `repr`.
        headers: Sent with every request to the platform.
        timeout: Seconds without a byte after which a request is given up.
        retry: What is repeated, and when.
        local: The embedded platform answers.
        foreign_data: Bytes of artifacts may be fetched from another origin when the platform says they lie there.
        observer: Is told of each request.
    """

    url: str
    auth: Auth
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # a gateway's key may be among them
    timeout: float = 30.0
    retry: Retry = field(default_factory=Retry)
    local: bool = False
    foreign_data: bool = True
    observer: Observer | None = field(default=None, compare=False)
    # What origins were found to do when asked for a range; it grows with use and is no part of what a target is.
    ranges: dict[tuple[str, str, int | None], bool] = field(default_factory=dict, compare=False, repr=False)


class Port(Protocol):
    """Everything the core may ask of the world. The core awaits nothing else."""

    @property
    def target(self) -> Target: ...
    async def send(self, request: Request) -> Response:
        """Exchange whole messages; the reply has at most `request.most` bytes after decoding."""
        ...

    async def open(self, request: Request) -> Body:
        """Send, and read the reply piece by piece; its read time-out is fixed now."""
        ...

    async def offload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do blocking work: in place, or in a worker thread under an event loop."""
        ...

    async def exchange(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`offload` for a request: who is cancelled does not wait for its end, which may be a time-out away."""
        ...

    def wire(self, request: Request) -> Response:
        """Blocking `send`, for use inside `offload` and `exchange` only."""
        ...

    async def once(self, key: str, work: Callable[[], T]) -> T:
        """Do blocking work once for all who ask under this key; the others get its outcome."""
        ...

    async def sleep(self, seconds: float) -> None: ...
    def now(self) -> float: ...


def run(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` in this thread; it may await only a port that never suspends."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()
    raise RuntimeError("core code suspended: it awaited something other than its port")
