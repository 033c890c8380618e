"""What of a tool's log is worth showing to somebody who wants to know why it died."""

from __future__ import annotations

import os
import re
from pathlib import Path

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ADDRESS = re.compile(r"(127\.0\.0\.1:\d+/s/)[\w-]+")
"""A tool's log names the address it reports to, which is as good as a password while the tool runs."""

# What the library and its HTTP server and client say of their own work, as `time LEVEL (logger): text`, and access
# lines as uvicorn and others write them. Warnings and errors of the same loggers are kept.
_OWN = re.compile(
    r"\S+ (?:DEBUG|INFO) \((?:access|app|asyncio|executor|httpcore|httpx|uvicorn|wrapper)(?:\.\w+)*\):"
    r"|INFO: +(?:Started|Waiting|Application|Uvicorn|Shutting|Finished|\d)"
)
# Of one job's output more is kept: `app` is the logger for a tool's own words, only what is below it is the library's.
_AROUND = re.compile(
    r"\S+ (?:DEBUG|INFO) \((?:(?:access|asyncio|executor|httpcore|httpx|uvicorn|wrapper)(?:\.\w+)*|app\.\w[\w.]*)\):"
)
_ACCESS = re.compile(r'"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S+(?: HTTP/[\d.]+)?" \d{3}\b')
_TRACEBACK = "Traceback (most recent call last):"


def telling_lines(text: str, lines: int = 8) -> list[str]:
    """The last lines of a log that say something about the end of a process.

    Access lines and what the library says of its own work are left out. A traceback counts by its end, which names
    the place and the error.
    """
    said = [line.rstrip() for line in COLOURS.sub("", text).splitlines()]
    said = [line for line in said if line.strip(" ^~") and not _OWN.match(line) and not _ACCESS.search(line)]
    began = next((at for at in range(len(said) - 1, -1, -1) if said[at] == _TRACEBACK), None)
    if began is None:
        return said[-lines:]
    # The error itself is the first line after the frames that is not indented.
    end = next((at for at in range(began + 1, len(said)) if not said[at].startswith(" ")), len(said) - 1)
    after = said[end + 1 :][-lines // 2 :]
    room = max(2, lines - len(after))
    return [*said[max(began, end + 1 - room) : end + 1], *after]


def own_words(text: str) -> str:
    """What of a job's output its tool said itself: no access lines, and nothing of the library's about its own work."""
    said = text.splitlines(keepends=True)
    return "".join(line for line in said if not _AROUND.match(line) and not _ACCESS.search(line))


def tail(path: Path, since: int = 0, lines: int = 8, most: int = 2000) -> str:
    """The telling last lines of a log, at most `most` characters; empty when there are none.

    Args:
        path: The log.
        since: Byte at which the process of interest began to write; a shorter log was begun anew meanwhile.
        lines: How many.
        most: Characters in all.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(since if since <= size else 0, size - 64 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return ADDRESS.sub(r"\1…", "\n".join(telling_lines(text, lines)))[-most:]
