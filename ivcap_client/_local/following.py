"""The events of a running job, read from the runner's stream as a blocking body."""

from __future__ import annotations

import http.client
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ivcap_client.exception import IvcapTimeout

from . import launch
from .limits import Limits


class FollowedEvents:
    """A `BlockingBody` over the runner's event stream. It ends when the job has ended, and when the runner goes away:
    a reader that has not seen the end asks again with the last id it saw.
    """

    def __init__(self, connection: http.client.HTTPConnection, reply: http.client.HTTPResponse) -> None:
        self._connection, self._reply = connection, reply

    @property
    def status(self) -> int:
        return self._reply.status

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self._reply.getheaders()}

    def read(self, size: int = 65536) -> bytes:
        """What has come, as soon as anything has; empty at the end."""
        try:
            return self._reply.read1(size)
        except TimeoutError:
            raise IvcapTimeout("the job told nothing new in time") from None
        except (OSError, http.client.HTTPException, ValueError):
            return b""  # the runner went away; the next question starts or finds another

    def close(self) -> None:
        """End the stream; a read that waits in another thread returns."""
        sock = self._connection.sock
        if sock is not None:
            with suppress(OSError):  # closed by the other side already
                sock.shutdown(socket.SHUT_RDWR)
        self._reply.close()
        self._connection.close()


def follow(
    base_dir: Path | str,
    service: str,
    job: str,
    *,
    after: str | None = None,
    query: tuple[tuple[str, str], ...] = (),
    timeout: float | None = None,
) -> FollowedEvents:
    """Follow a job that has not ended.

    Args:
        base_dir: Whose job.
        service: URN or UUID of its service.
        job: URN or UUID.
        after: `Last-Event-Id`; events after this one are sent.
        query: `max-messages`, `max-wait-time`.
        timeout: Seconds without a byte after which reading raises `IvcapTimeout`.

    Raises:
        RunnerUnavailable: No runner could be started or reached.
    """
    runner = launch.read_runner(Path(base_dir).resolve()) or launch.ensure_runner(base_dir)
    # Silence for longer than a few keep-alives means that nobody is there.
    patience = 4 * Limits().keep_alive + 5
    connection = http.client.HTTPConnection("127.0.0.1", runner.port, timeout=min(timeout or patience, patience))
    headers = {"Authorization": f"Bearer {runner.token}", "Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = after
    target = f"/1/services2/{quote(service, safe='')}/jobs/{quote(job, safe='')}/events"
    text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query)
    try:
        connection.request("GET", f"{target}?{text}" if text else target, headers=headers)
        return FollowedEvents(connection, connection.getresponse())
    except (OSError, http.client.HTTPException) as problem:
        connection.close()
        raise launch.RunnerUnavailable(f"could not follow the job: {problem}") from problem
