"""Ends what a tool left behind where its guard could not: because somebody killed the guard, or it and the runner.

Whatever a tool starts inherits one variable of its environment, and by it is found. Only Linux shows the environment
of a process. What a tool started with another environment, or as another user, is not found.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time

log = logging.getLogger(__name__)

VARIABLE = "IVCAP_TOOL_OF"
"""`<mark of the base directory>.<mark of the process>`: whose tool a process belongs to."""

LONGEST = 5.0
"""Seconds for which those that go on starting others are pursued; the kernel may hold one back longer."""


def sweep(mark: str) -> int:
    """Kill every process of this user whose mark begins so; return how many there were.

    Args:
        mark: Of one process of a tool; or of a base directory with a dot, when no runner serves it.
    """
    if sys.platform != "linux":
        return 0
    wanted = f"{VARIABLE}={mark}".encode()
    spared = _line()
    ended: set[int] = set()
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        found = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in spared]
        killed = [pid for pid in found if _kill(pid, wanted)]
        ended.update(killed)
        if not killed:
            break
        time.sleep(0.005)
    if ended:
        log.info("ended %d processes that a tool had left behind", len(ended))
    return len(ended)


def _kill(pid: int, wanted: bytes) -> bool:
    """Kill a process if it is one of those that are wanted and not dead yet."""
    try:
        handle = os.pidfd_open(pid)  # so that a number that is given to another process meanwhile does no harm
    except OSError:
        return False
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            told = file.read().split(b"\0")
        if not any(one.startswith(wanted) for one in told):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False  # gone, or another user's
    finally:
        os.close(handle)
    return True


def _line() -> set[int]:
    """This process and those it was started by: a tool may have started us."""
    found = {1}
    pid = os.getpid()
    while pid not in found and pid > 0:
        found.add(pid)
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            break
    return found
