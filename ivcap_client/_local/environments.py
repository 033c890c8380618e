"""Environments of tools: built once per set of requirements, Python and platform, found again by every later runner.

An environment is built at its final path, under a lock, and counts only once its `.complete` marker is there. Building
it elsewhere and renaming it would leave console scripts that point at a path that is gone; the marker gives readers the
same promise, all or nothing, and a builder that was killed is noticed by its missing marker.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from ivcap_client._io.files import try_lock
from ivcap_client.commands import on_path

from . import guard, places
from .specs import EnvironmentSpec

Progress = Callable[[str], None]

BUILD_LIMIT = float(os.environ.get("IVCAP_BUILD_LIMIT", "900"))
"""Seconds one build may take, downloads included."""

TOLD_LINES = 15
"""Last lines of a failed build that its error shows."""

_running: set[subprocess.Popen[bytes]] = set()
_waiting: set[threading.Event] = set()
"""Builds under way in this process, and the threads that wait for those of others: both are ended by `stop_builds`."""

_PASSED = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
}
_PASSED |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "SYSTEMROOT", "CC", "CXX"}
_PASSED |= {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_PASSED_PREFIXES = ("PIP_", "UV_", "LC_")


MOST_TOLD = 120
"""Characters of a builder's line that are passed on as progress; the log of a failure keeps the whole of it."""


class EnvironmentFailed(Exception):
    """An environment could not be made. `log` holds the last lines of the build."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message, log)
        self.message, self.log = message, log

    def __str__(self) -> str:
        return f"{self.message}\n{self.log}" if self.log else self.message


def key(spec: EnvironmentSpec) -> str:
    """Name of the environment: a hash over requirements, project files that name more of them, Python and platform."""
    parts = [
        spec.python,
        *spec.dependencies,
        platform.python_implementation(),
        platform.python_version(),
        sysconfig.get_platform(),
    ]
    if spec.project is not None and any(_relative(item) for item in spec.dependencies):
        parts.append(spec.project)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def python_of(spec: EnvironmentSpec) -> Path | None:
    """The interpreter of a finished environment, or `None` when there is none yet."""
    root = places.cache_dir() / "environments" / key(spec)
    return _interpreter(root) if (root / ".complete").is_file() else None


def ensure(spec: EnvironmentSpec, *, offline: bool = False, progress: Progress = lambda line: None) -> Path:
    """The interpreter of an environment that holds what `spec` asks for; built if need be. Blocks.

    Args:
        spec: What is wanted.
        offline: Build nothing; what is there may be used.
        progress: Told each line of the build, and that another builder is waited for.

    Raises:
        EnvironmentFailed: Not allowed, or the build failed; the next call tries again.
    """
    ready = python_of(spec)
    if ready is not None:
        return ready
    if offline:
        wanted = ", ".join(spec.dependencies) or "no packages"
        raise EnvironmentFailed(
            f"this service's environment ({wanted}) is not built yet and --offline forbids building it"
        )
    root = places.cache_dir() / "environments" / key(spec)
    root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(root.with_suffix(".lock"), progress):
        if (root / ".complete").is_file():
            return _interpreter(root)
        if root.exists():  # a builder was killed
            shutil.rmtree(root)
        try:
            _build(root, spec, progress)
            (root / ".complete").write_text(json.dumps({"python": spec.python, "dependencies": spec.dependencies}))
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
    return _interpreter(root)


def builder_environment() -> dict[str, str]:
    """What the builder may know: where packages come from and how to reach that, nothing else of ours."""
    return {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}


def stop_builds() -> None:
    """End the builds under way in this process, which is going away. Each fails in its own thread."""
    for child in list(_running):
        _end(child)
    for stop in list(_waiting):
        stop.set()


def fits(version: tuple[int, int, int], specifier: str) -> bool:
    """Whether a Python version is within a PEP 440 specifier, as `requires-python` uses it."""
    for clause in filter(None, (item.strip() for item in specifier.split(","))):
        found = re.fullmatch(r"(~=|==|!=|<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?", clause)
        if found is None:
            raise EnvironmentFailed(f"requires-python {specifier!r}: cannot read {clause!r}")
        operator, numbers = found[1], tuple(int(item) for item in found[2].split("."))
        padded = (*numbers, 0, 0, 0)[:3]
        prefix = version[: len(numbers)] == numbers[:3]
        verdict = {
            ">=": version >= padded,
            "<=": version <= padded,
            ">": version > padded,
            "<": version < padded,
            "==": prefix if found[3] else version == padded,
            "!=": not prefix if found[3] else version != padded,
            "~=": version >= padded and version[: len(numbers) - 1] == numbers[:-1],
        }[operator]
        if not verdict:
            return False
    return True


def _build(root: Path, spec: EnvironmentSpec, progress: Progress) -> None:
    uv = _uv()
    own = fits(sys.version_info[:3], spec.python)
    if not own and uv is None:
        here = platform.python_version()
        raise EnvironmentFailed(
            f"this service needs Python {spec.python}, this one is {here}; with uv installed another can be used"
        )
    where = spec.project or str(root.parent)
    deadline = time.monotonic() + BUILD_LIMIT
    progress(f"building an environment with {', '.join(spec.dependencies) or 'no packages'}")
    if uv is not None:
        base = getattr(sys, "_base_executable", sys.executable)
        _run(
            [*uv, "venv", "--no-project", "--python", base if own else spec.python, str(root)],
            where,
            progress,
            deadline,
        )
        install = [*uv, "pip", "install", "--python", str(_interpreter(root)), "--compile-bytecode"]
    else:
        _run([sys.executable, "-I", "-m", "venv", str(root)], where, progress, deadline)
        install = [
            str(_interpreter(root)),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar",
            "off",
        ]
    if spec.dependencies:
        # A requirement that starts with a dash would be an option that the service chose, not the user.
        bad = next((item for item in spec.dependencies if item.startswith("-")), None)
        if bad is not None:
            raise EnvironmentFailed(f"{bad!r} is an option of the installer, not a requirement")
        _run([*install, "--", *spec.dependencies], where, progress, deadline)


def _run(words: list[str], cwd: str, progress: Progress, deadline: float) -> None:
    last: deque[str] = deque(maxlen=TOLD_LINES)
    with subprocess.Popen(  # under a guard: a build does not outlive the runner either
        guard.command("-", 0, words),
        cwd=cwd,
        env=builder_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), _end, [child])
        timer.daemon = True
        timer.start()
        _running.add(child)
        try:
            assert child.stdout is not None
            for raw in child.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                if line:
                    last.append(line)
                    progress(_told(line))
            code = child.wait()
        finally:
            _end(child)
            timer.cancel()
            _running.discard(child)
    if code and time.monotonic() > deadline:
        raise EnvironmentFailed(f"building the environment took more than {BUILD_LIMIT:.0f} s", "\n".join(last))
    if code:
        raise EnvironmentFailed(
            f"the environment could not be built ({_short(words)} ended with {code})", "\n".join(last)
        )


def _told(line: str) -> str:
    """A line of the builder as people watch it go by: pip names a hundred packages in one, and indents."""
    line = " ".join(line.split())
    return line if len(line) <= MOST_TOLD else f"{line[: MOST_TOLD - 1]}…"


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a build: closing the guard's pipe kills everything behind it."""
    if child.stdin is not None:
        child.stdin.close()


def _uv() -> list[str] | None:
    found = on_path("uv")
    if found:
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None


def _interpreter(root: Path) -> Path:
    return root / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _relative(requirement: str) -> bool:
    return requirement.startswith((".", "/")) or "file:" in requirement


def _short(words: list[str]) -> str:
    return " ".join(Path(word).name for word in words[:3])


@contextlib.contextmanager
def _alone(path: Path, progress: Progress) -> Iterator[None]:
    with open(path, "a") as lock:
        if not try_lock(lock.fileno()):
            progress("waiting for another process that builds this environment")
            _wait_for(lock.fileno())
        yield


def _wait_for(lock: int) -> None:
    """Wait until the holder of a lock is done; the kernel frees the lock of a killed one."""
    stop = threading.Event()
    _waiting.add(stop)
    try:
        while not stop.wait(0.1):
            if try_lock(lock):
                return
    finally:
        _waiting.discard(stop)
    raise EnvironmentFailed("waiting for the environment was stopped with the local platform")
