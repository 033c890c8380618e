"""Who serves a base directory: the holder of `.ivcap/runner.lock`. The kernel frees the lock of a killed one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from ivcap_client._io.files import NO_LINK, try_lock

from . import launch
from .limits import Limits


async def take_lock(base_dir: Path, limits: Limits, *, foreground: bool, say: Callable[[str], None]) -> int | None:
    """Become the runner of a base directory.

    A background runner that finds another one answering leaves the place to it. A foreground one asks a background one
    to stop, and waits for the jobs that run there.

    Returns:
        The lock, a file descriptor to keep open, or `None`: another runner serves the directory.

    Raises:
        RunnerError: A foreground platform serves it already, or the holder did not leave in time.
    """
    from .runner import RunnerError

    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | NO_LINK
    handle = os.open(base_dir / ".ivcap" / "runner.lock", flags, 0o600)
    asked, started = False, time.monotonic()
    limit = limits.handover if foreground else limits.spawn
    try:
        while True:
            if try_lock(handle):
                return handle
            other = await asyncio.to_thread(launch.find_runner, base_dir)
            if other is not None and not other.leaving and not foreground:
                break
            if other is not None and foreground and other.foreground:
                raise RunnerError(
                    f"a platform for {base_dir} runs already (pid {other.pid}, {other.url}); stop it first"
                )
            if other is not None and foreground and not asked:
                asked = True
                _, said = await asyncio.to_thread(launch.ask, other, "POST", "/.runner/stop")
                running = said.get("running", 0) if isinstance(said, dict) else 0
                if running:
                    say(f"waiting for {running} running job(s) of the background runner (pid {other.pid})")
            if time.monotonic() - started > limit:
                raise RunnerError(
                    f"another process holds {base_dir}/.ivcap/runner.lock and did not leave in {limit:g} s"
                )
            await asyncio.sleep(0.02)
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
