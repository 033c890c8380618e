"""Stands between the runner and one child: no child outlives the runner, and no log outgrows its bound.

Run as `python -I guard.py LOG MOST COMMAND…`, standard library only. Its standard input is a pipe whose other end only
the runner holds: whatever ends the runner closes it, and the child's process group is killed. SIGTERM and SIGINT are
passed on. Lines of base64 on that pipe are what the log must not show. It ends with the child's exit code (128 + n for
signal n). LOG `-` inherits the output instead.

Beside LOG it keeps LOG.times, lines of `<microseconds since 1970> <offset>`: what was written from when on. By it the
output of one job is found again (`job_output`).
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

KEPT = 1
"""Old log files kept beside the current one, as `<name>.1`."""

MARKED = 10_000
"""Microseconds between two marks of time at least."""
_last_mark = 0

_hidden = [os.environ.get("IVCAP_BASE_URL", "").partition("/s/")[2].encode()]
"""What the log does not show: the end of the address a tool reports to is its credential; tools like to print it."""


def command(log: str, most: int, words: list[str], *, memory: int = 0, files: int = 0) -> list[str]:
    """The words that run `words` under a guard; standard input must be the runner's pipe.

    Args:
        log: File for its output; `-` inherits ours.
        most: Bytes of the log.
        words: The command.
        memory: Bytes of memory it may have for itself; 0: as much as it gets.
        files: Files it may have open; 0: as many as we.
    """
    bounds = f"{memory},{files}"
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), log, str(most), bounds, *words]


def main(arguments: list[str]) -> int:
    log, most, bounds, *words = arguments
    memory, files = (int(number) for number in bounds.split(","))
    piped = log != "-"
    adopting = _adopt()
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else None,
            stderr=subprocess.STDOUT if piped else None,
            process_group=None if sys.platform == "win32" else 0,  # of its own: what it starts goes with it
            preexec_fn=_before(memory, files),
        )
    except OSError as problem:
        _append(log, f"cannot start {words[0]}: {problem}\n".encode(), int(most))
        return 127

    def end_group() -> None:
        if sys.platform == "win32":  # no groups, but a tree
            tree = ["taskkill", "/F", "/T", "/PID", str(child.pid)]
            subprocess.run(tree, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            return
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def pass_on(number: int, frame: FrameType | None) -> None:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)

    def watch_runner() -> None:
        line = b""
        while chunk := os.read(0, 4096):
            *lines, line = (line + chunk).split(b"\n")
            _hidden.extend(base64.b64decode(one) for one in lines)
        end_group()  # the main thread then ends what is not in the group

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    threading.Thread(target=watch_runner, daemon=True).start()
    pump = threading.Thread(target=_pump, args=(child, log, int(most)), daemon=True)
    if piped:
        pump.start()
    code = child.wait()
    end_group()  # what it left behind
    if adopting:
        _end_adopted()
    if piped:
        pump.join(2.0)  # a descendant in a group of its own may hold the pipe open
    return code if code >= 0 else 128 - code


def _before(memory: int, files: int) -> Callable[[], object] | None:
    """What the child does before it becomes the command: take its bounds, and, on Linux, die when the guard dies.

    Windows has neither.
    """
    if sys.platform == "win32":
        return None
    import resource

    prctl = _prctl()

    def before() -> None:
        for bound, value in (
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_NOFILE, files),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(bound)
            if value or bound == resource.RLIMIT_CORE:
                soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(bound, (soft, hard if bound == resource.RLIMIT_NOFILE else soft))
        if prctl is not None:
            prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)

    return before


def _adopt() -> bool:
    """Become the parent of whatever the child leaves behind, in whichever session that is; only Linux can."""
    prctl = _prctl()
    return prctl is not None and prctl(_SET_SUBREAPER, 1, 0, 0, 0) == 0


def _prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    found: Callable[..., int] = ctypes.CDLL(None).prctl
    return found


def _end_adopted() -> None:
    """Kill what became ours; killing one may make its own children ours, so this goes on until there are none."""
    own, until = os.getpid(), time.monotonic() + 5.0  # the kernel may hold one back for as long as it likes
    while time.monotonic() < until:
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and _parent(name) == own:
                    os.kill(int(name), signal.SIGKILL)
            except OSError:
                continue  # it is gone, or is another user's by now
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        time.sleep(0.005)


def _parent(pid: str) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


def _pump(child: subprocess.Popen[bytes], log: str, most: int) -> None:
    assert child.stdout is not None
    handle = child.stdout.fileno()
    piece = max(1024, min(65536, most // 2))  # never more at once than a fresh log may hold
    held = b""
    while chunk := os.read(handle, piece):
        shown, held = hide(held + chunk, _hidden)
        if shown:
            _append(log, shown, most)
    if held:
        _append(log, hide(held, _hidden, last=True)[0], most)


def hide(data: bytes, words: list[bytes], *, last: bool = False) -> tuple[bytes, bytes]:
    """The data with `***` for each of the words, and its end where that may be the beginning of one.

    Args:
        data: What has come.
        words: What is not shown.
        last: Nothing follows, so no end is kept.
    """
    words = sorted(filter(None, words), key=len, reverse=True)
    if not words:
        return data, b""
    any_word = re.compile(b"|".join(map(re.escape, words)))
    if last:
        return any_word.sub(b"***", data), b""
    shown: list[bytes] = []
    at = 0
    while True:
        rest = _beginning(data, at, words)
        found = any_word.search(data, at)
        if found is None or found.start() >= rest:  # it may be the beginning of a longer one
            return b"".join([*shown, data[at:rest]]), data[rest:]
        shown += [data[at : found.start()], b"***"]
        at = found.end()


def _beginning(data: bytes, at: int, words: list[bytes]) -> int:
    """Where in the data, not before `at`, the longest end stands with which one of the words begins."""
    for start in range(max(at, len(data) - len(words[0]) + 1), len(data)):
        if any(len(word) > len(data) - start and word.startswith(data[start:]) for word in words):
            return start
    return len(data)


def _append(log: str, chunk: bytes, most: int) -> None:
    """Add to the log, first moving a full one aside. A full disk must not stop the child, so it loses lines instead."""
    try:
        if log == "-":
            os.write(2, chunk)
            return
        try:
            if os.stat(log).st_size + len(chunk) > most:
                _move_aside(log)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(log), exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o600)
        try:
            _mark(log, os.lseek(handle, 0, os.SEEK_END))
            os.write(handle, chunk)
        finally:
            os.close(handle)
    except OSError:
        return


def _move_aside(log: str) -> None:
    global _last_mark
    os.replace(log, f"{log}.{KEPT}")
    _last_mark = 0  # a log begins with a mark
    try:
        os.replace(f"{log}.times", f"{log}.{KEPT}.times")
    except FileNotFoundError:
        return


def _mark(log: str, offset: int) -> None:
    """Note when the bytes from `offset` on were written."""
    global _last_mark
    now = time.time_ns() // 1000
    if 0 <= now - _last_mark < MARKED:
        return
    _last_mark = now
    handle = os.open(f"{log}.times", os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o600)
    try:
        os.write(handle, b"%d %d\n" % (now, offset))
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
