"""The client side of the runner: find it, start it, tell it about jobs. Blocking, standard library only."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ivcap_client._io.files import try_lock, unlock

from . import pending
from .limits import Limits
from .specs import ServiceSpec, to_json

MOST_LOG = 1024 * 1024
"""Size of the runner's own log at which the next start moves it aside."""


class RunnerUnavailable(RuntimeError):
    """No runner could be started or reached; the message says why, with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A runner that answers. `leaving`: it takes no more jobs."""

    pid: int
    port: int
    token: str = field(repr=False)
    url: str = ""
    foreground: bool = False
    leaving: bool = False


_starting = threading.Lock()
_children: list[subprocess.Popen[bytes]] = []


def poke(base_dir: Path | str, job: str, spec: ServiceSpec, *, offline: bool = False) -> None:
    """Have a scheduled job (bare UUID) run. Its service is recorded first, so a later runner can run it too.

    Raises:
        RunnerUnavailable: No runner could be started or reached.
    """
    base = Path(base_dir).resolve()
    pending.record(base, job, spec)
    _insist(base, "POST", f"/.runner/jobs/{job}{_offline(offline)}", to_json(spec), what="run the job")


def cancel(base_dir: Path | str, job: str) -> bool:
    """End a job (bare UUID) now. False: it had ended already.

    Raises:
        RunnerUnavailable: No runner could be started or reached.
    """
    base = Path(base_dir).resolve()
    said = _insist(base, "POST", f"/.runner/jobs/{job}/cancel", what="cancel the job")
    return bool(said.get("cancelled"))


def wait(base_dir: Path | str, job: str, seconds: float) -> str | None:
    """Wait for the end of a job, at most `seconds` (at most 60); its status, or `None` when it has not ended."""
    runner = read_runner(Path(base_dir).resolve())
    if runner is None:
        return None
    try:
        _, said = ask(runner, "GET", f"/.runner/jobs/{job}?wait={seconds:g}", timeout=seconds + 10)
    except OSError:
        return None
    status = said.get("status") if isinstance(said, dict) else None
    return status if isinstance(status, str) else None


def register(base_dir: Path | str, found: list[ServiceSpec], *, offline: bool = False) -> None:
    """Have services described in the background.

    Raises:
        RunnerUnavailable: No runner could be started or reached.
    """
    base = Path(base_dir).resolve()
    _insist(
        base, "POST", f"/.runner/services{_offline(offline)}", [to_json(s) for s in found], what="register services"
    )


def describe(
    base_dir: Path | str, spec: ServiceSpec, *, seconds: float, offline: bool = False
) -> tuple[int, dict[str, Any]]:
    """Describe a service now.

    Returns:
        200 and the description; 202 and `{state, message, log}`: not yet; 424 and `{message, log}`: it failed.

    Raises:
        RunnerUnavailable: No runner could be started or reached.
    """
    base = Path(base_dir).resolve()
    target = f"/.runner/describe?wait={seconds:g}" + ("&offline=1" if offline else "")
    return _answer(base, "POST", target, to_json(spec), what="describe the service", timeout=seconds + 10)


def stop_runner(base_dir: Path | str, *, force: bool = False, seconds: float = 30.0) -> bool:
    """End the runner of a base directory and wait until it is gone. False: there was none, or it is still there."""
    base = Path(base_dir).resolve()
    runner = find_runner(base)
    if runner is None:
        return False
    with suppress(OSError):  # it may go while we ask; whether it is gone is looked at below
        ask(runner, "POST", "/.runner/stop" + ("?force=1" if force else ""))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _held(base):
            return True
        time.sleep(0.02)
    return False


def ensure_runner(base_dir: Path | str) -> Runner:
    """The runner of a base directory, started if there is none that answers.

    Raises:
        RunnerUnavailable: It did not come up within the limit; the message ends with its log.
    """
    base = Path(base_dir).resolve()
    limits = Limits()
    until = time.monotonic() + limits.spawn
    found = find_runner(base)
    if found is not None and not found.leaving:
        return found
    with _starting:  # threads of this process; between processes the lock of the directory decides
        child: subprocess.Popen[bytes] | None = None
        while True:
            found = find_runner(base)
            if found is not None and not found.leaving:
                return found
            if child is None:
                try:
                    child = _spawn(base)
                except OSError as problem:  # asking again would not help: a directory that cannot be written to
                    raise RunnerUnavailable(f"no local runner can be started in {base}: {problem}") from None
                _children[:] = [item for item in _children if item.poll() is None]  # a dead one must not stay a zombie
                _children.append(child)
            code = child.poll()
            if code == 0:
                child = None  # another one was first; if that one is gone too, the next turn starts one
            elif code is not None:
                raise RunnerUnavailable(f"the local runner ended with {code}. Its log ends with:\n{_log_tail(base)}")
            if time.monotonic() > until:
                raise RunnerUnavailable(
                    f"the local runner did not answer within {limits.spawn:g} s. Its log ends with:\n{_log_tail(base)}"
                )
            time.sleep(0.01)


def find_runner(base_dir: Path) -> Runner | None:
    """The runner that answers for a base directory, or `None`. Asks it."""
    runner = read_runner(base_dir)
    if runner is None:
        return None
    try:
        status, said = ask(runner, "GET", "/.runner/state", timeout=5.0)
    except OSError:
        return None
    if status != 200 or not isinstance(said, dict) or said.get("pid") != runner.pid:
        return None
    return Runner(**{**asdict(runner), "leaving": bool(said.get("leaving"))})


def read_runner(base_dir: Path) -> Runner | None:
    """What `runner.json` says, if this user wrote it and the process lives; it is not asked.

    The file counts only if nobody else could have written or read it: a base directory may be an opened repository.
    """
    path = base_dir / ".ivcap" / "runner.json"
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            # On Windows a file has no such bits: there the directory's own permissions are all there is.
            if os.name != "nt" and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
                return None
            said = json.load(file)
        runner = Runner(
            int(said["pid"]),
            int(said["port"]),
            str(said["token"]),
            str(said.get("url", "")),
            bool(said.get("foreground")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return runner if _alive(runner.pid) else None


def ask(runner: Runner, method: str, target: str, body: object = None, *, timeout: float = 30.0) -> tuple[int, Any]:
    """One request to a runner; its status and JSON body.

    Raises:
        OSError: It cannot be reached, or does not answer within `timeout` seconds.
    """
    connection = http.client.HTTPConnection("127.0.0.1", runner.port, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {runner.token}", "Content-Type": "application/json"}
        connection.request(method, target, body=data, headers=headers)
        reply = connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if text else None
    except (http.client.HTTPException, ValueError) as problem:
        raise ConnectionError(f"the runner's answer cannot be read: {problem}") from problem
    finally:
        connection.close()


def _insist(base: Path, method: str, target: str, body: object = None, *, what: str) -> dict[str, Any]:
    status, said = _answer(base, method, target, body, what=what, timeout=30.0)
    if status >= 300:
        raise RunnerUnavailable(f"the local runner refused to {what}: HTTP {status} {said.get('message', '')}")
    return said


def _answer(
    base: Path, method: str, target: str, body: object, *, what: str, timeout: float
) -> tuple[int, dict[str, Any]]:
    """Ask the runner, starting one where need be: it may end between being found and being asked."""
    until = time.monotonic() + Limits().spawn
    runner = read_runner(base)
    while True:
        try:
            runner = runner or ensure_runner(base)
            status, said = ask(runner, method, target, body, timeout=timeout)
            if status not in (401, 503):  # 401: a port that was reused; 503: it is leaving
                return status, said if isinstance(said, dict) else {}
            problem = f"HTTP {status}"
        except OSError as failure:
            problem = str(failure)
        if time.monotonic() > until:
            raise RunnerUnavailable(f"could not {what}: the local runner does not answer ({problem})")
        runner = None
        time.sleep(0.02)


def _spawn(base: Path) -> subprocess.Popen[bytes]:
    logs = base / ".ivcap" / "logs"
    base.mkdir(parents=True, exist_ok=True)
    logs.parent.mkdir(mode=0o700, exist_ok=True)
    logs.mkdir(exist_ok=True)
    path = logs / "runner.log"
    if path.exists() and path.stat().st_size > MOST_LOG:
        os.replace(path, f"{path}.1")
    with open(path, "ab") as log:
        # `-c` and not `-m`: the directory we were started in must not come first on the runner's path.
        code = "import sys; from ivcap_client._local.runner import main; sys.exit(main(sys.argv[1:]))"
        paths = [item for item in sys.path if item]
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code, "--base-dir", str(base)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=base,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # it outlives us, and Ctrl-C at our terminal is not for it
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )


@atexit.register
def _part() -> None:
    """Runners outlive us on purpose, so their handles have nothing to warn about."""
    for child in _children:
        if child.poll() is None:
            child.returncode = 0


def _log_tail(base: Path) -> str:
    from .tools import log_tail

    return log_tail(base / ".ivcap" / "logs" / "runner.log")


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would be Ctrl-C there; a runner that is gone does not answer
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _held(base: Path) -> bool:
    """Whether a runner holds the lock of the directory: it does until everything it started is gone."""
    with open(base / ".ivcap" / "runner.lock", "a") as lock:
        if not try_lock(lock.fileno(), shared=True):
            return True
        unlock(lock.fileno())
        return False


def _offline(offline: bool) -> str:
    return "?offline=1" if offline else ""
