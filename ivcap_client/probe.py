"""Whether a platform can be reached, without being anybody there: for whoever looks for what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ivcap_client._core.device import AUTHINFO
from ivcap_client._core.messages import Request
from ivcap_client._core.port import run
from ivcap_client._io.ways import Ways
from ivcap_client.settings import address

__all__ = ["Probe", "probe"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What came back.

    Attributes:
        status: HTTP status.
        kind: Media type of the answer.
        took: Seconds until it was there.
        ahead: Seconds by which the clock here is ahead of the platform's, give or take one; `None` where it tells no
            time.
        signs_in: Whether the platform says who signs people in.
    """

    status: int
    kind: str
    took: float
    ahead: float | None
    signs_in: bool


def probe(
    url: str, *, timeout: float = 10.0, verify: bool | str = True, clock: Callable[[], float] = time.time
) -> Probe:
    """Ask a platform for what it tells everybody.

    Args:
        url: Its address.
        timeout: Seconds without an answer after which it is given up.
        verify: As for `IVCAP`.
        clock: Seconds since 1970.

    Raises:
        ConfigError: It is no address.
        IvcapConnectionError: No connection, or it broke.
        IvcapTimeout: No answer in time.
    """
    with Ways(timeout=timeout, verify=verify).blocking(address(url)) as port:
        began = clock()
        reply = run(port.send(Request("GET", AUTHINFO, what="reach the platform", safe=True, timeout=timeout)))
        ended = clock()
    kind = reply.headers.get("content-type", "").split(";")[0].strip().lower()
    return Probe(
        status=reply.status,
        kind=kind,
        took=ended - began,
        ahead=_ahead(reply.headers.get("date", ""), (began + ended) / 2),
        signs_in=reply.status == 200 and kind != "text/html" and b"providers" in reply.body,
    )


def _ahead(date: str, here: float) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        there = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    # The header has whole seconds, cut off: half of one is what it lacks on average.
    return here - there.timestamp() - 0.5
