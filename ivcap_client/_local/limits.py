"""How long the runner waits, for what, and how much it keeps; each may be set by a variable of its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        raise ValueError(f"{name}={text!r} is not a number") from None
    if not 0 <= value < float("inf"):  # no number at all would make a wait endless
        raise ValueError(f"{name}={text!r} is not a number of seconds, 0 or more")
    return value


def _setting(name: str, default: float) -> float:
    # A factory, so that the environment is read when a runner starts and not when a module is imported.
    value: float = field(default_factory=lambda: _number(name, default))
    return value


@dataclass(frozen=True, slots=True)
class Limits:
    """All in seconds unless it is said otherwise.

    Attributes:
        idle: Nothing has run for this long: the runner ends.
        tool_idle: A tool without jobs for this long is stopped.
        tool_start: A tool must answer its health check within this.
        tool_again: Pause before a description that failed is tried again by itself; asked for by name it is at once.
        tool_stop: A tool that was asked to end is killed after this.
        hold: How long we ask a tool to keep the request open for its result.
        poll: Pause between questions to a tool that answered "not yet".
        report_grace: How long the better report through the sidecar is waited for when the inline answer is an error.
        deadline: Upper bound on every service's own deadline; 0: none.
        spawn: A runner we start must answer within this.
        handover: How long a foreground platform waits for the jobs of the runner it replaces.
        orphan: A scheduled job nobody can run is given up after this.
        stall: A client that owes us the rest of a body for this long is given up.
        head: From the beginning of a client's connection or request until its head is complete.
        unread: An answer may wait this long for a client that does not read it.
        keep_alive: Pause after which a silent event stream gets a comment line.
        memory: MiB of memory that a tool's process may have for itself; 0: what the machine has.
        files: Files, connections among them, that a tool's process may have open; 0: as many as the runner.
        log_bytes: Size of a log at which it is moved aside.
    """

    idle: float = _setting("IVCAP_LOCAL_IDLE", 60.0)
    tool_idle: float = _setting("IVCAP_TOOL_IDLE", 60.0)
    tool_start: float = _setting("IVCAP_TOOL_START", 60.0)
    tool_again: float = _setting("IVCAP_TOOL_AGAIN", 30.0)
    tool_stop: float = _setting("IVCAP_TOOL_STOP", 6.0)
    hold: float = _setting("IVCAP_TOOL_HOLD", 5.0)
    poll: float = _setting("IVCAP_TOOL_POLL", 2.0)
    report_grace: float = _setting("IVCAP_TOOL_REPORT_GRACE", 3.0)
    deadline: float = _setting("IVCAP_JOB_DEADLINE", 0.0)
    spawn: float = _setting("IVCAP_RUNNER_START", 20.0)
    handover: float = _setting("IVCAP_RUNNER_HANDOVER", 120.0)
    orphan: float = _setting("IVCAP_JOB_ORPHAN", 30.0)
    stall: float = _setting("IVCAP_BODY_STALL", 60.0)
    head: float = _setting("IVCAP_HEAD_STALL", 15.0)
    unread: float = _setting("IVCAP_READ_STALL", 600.0)
    keep_alive: float = _setting("IVCAP_EVENTS_KEEP_ALIVE", 15.0)
    memory: float = _setting("IVCAP_TOOL_MEMORY", 0.0)
    files: float = _setting("IVCAP_TOOL_FILES", 4096.0)
    log_bytes: int = 4 * 1024 * 1024
