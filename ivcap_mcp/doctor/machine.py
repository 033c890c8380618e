"""This machine: Python, packages, directories and their permissions, the wire to a client."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from ivcap_client import __version__
from ivcap_client.commands import on_path
from ivcap_mcp import neighbours, target
from ivcap_mcp.credentials import logins_dir
from ivcap_mcp.doctor import USAGE, Finding

OLDEST = (3, 11)
NEEDED = ("mcp", "httpx", "pydantic", "tusclient", "jsonschema", "platformdirs", "yaml", "segno")
PATIENCE = 30.0
"""Seconds a server may take to answer its first two messages."""
MESSAGES = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "doctor", "version": __version__},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "ping"},
)


def python() -> Iterator[Finding]:
    """The interpreter, and the packages beside us."""
    told = f"{platform.python_version()} in {sys.prefix}"
    if sys.version_info < OLDEST:
        yield Finding("python", "bad", told, "Install ivcap-mcp with Python 3.11 or newer", USAGE)
    else:
        yield Finding("python", "ok", f"{told}, ivcap-mcp {__version__}")
    beside = neighbours.shared_environment() or _installed("ivcap-client")
    if beside:
        told = "the package `ivcap-client` is installed beside ivcap-mcp, and one overwrote files of the other"
        pip = f"{sys.executable} -m pip"
        repair = f"{pip} uninstall --yes ivcap-client ivcap-mcp, then {pip} install ivcap-mcp"
        yield Finding("packages", "bad", told, repair, USAGE)
        return
    missing = [name for name in NEEDED if not _imports(name)]
    if missing:
        advice = "Install ivcap-mcp again, into an environment of its own"
        yield Finding("packages", "bad", f"cannot be loaded: {', '.join(missing)}", advice, USAGE)
    else:
        yield Finding("packages", "ok", "all that is needed is there, and `ivcap-client` is not")
    if on_path("uv") is None and importlib.util.find_spec("uv") is None:
        told = "uv is not on the PATH: environments of tools are built with pip, which takes longer"
        yield Finding("packages", "note", told)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def directories(env: Mapping[str, str], local_dir: Path | None) -> Iterator[Finding]:
    """Where things are kept: writable, and private where they are secret."""
    bad = False
    for what, where in (
        ("state", target.state_dir(env)),
        ("cache", target.cache_dir(env)),
        ("data", local_dir.expanduser().absolute() if local_dir else target.data_dir(env)),
    ):
        there = next(one for one in (where, *where.parents) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            bad = True
            told = f"the {what} directory {where} cannot be written"
            variable = {"state": "IVCAP_STATE_DIR", "cache": "IVCAP_CACHE_DIR", "data": "IVCAP_LOCAL_DIR"}[what]
            yield Finding("directories", "bad", told, f"Correct its permissions, or name another in {variable}", USAGE)
    if not bad:
        yield Finding("directories", "ok", f"{target.state_dir(env)} and those for data and caches can be written")
    yield from _secrets(env)


def _secrets(env: Mapping[str, str]) -> Iterator[Finding]:
    if os.name == "nt":
        return  # there the permissions of the user's profile hold
    state = target.state_dir(env)
    files = [*logins_dir(state).glob("*.json"), state / "http-token", target.config_dir(env) / ".env"]
    for file in files:
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            told = f"others on this machine can read {file} (mode {mode:03o})"
            yield Finding("directories", "warn", told, f"chmod 600 {file}", repair=partial(_close, file))


def _close(file: Path) -> str:
    file.chmod(0o600)
    return f"{file} is readable by you only now"


def wire(command: Sequence[str]) -> Iterator[Finding]:
    """A server as a client starts it: it answers, and its stdout carries nothing else.

    Args:
        command: The words that start it.
    """
    sent = "".join(json.dumps(message) + "\n" for message in MESSAGES).encode()
    began = time.monotonic()
    try:
        done = subprocess.run(
            list(command), input=sent, capture_output=True, timeout=PATIENCE, cwd=Path.home(), check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding(
            "server", "bad", f"it did not answer and end within {PATIENCE:.0f} s", "See its log: --log-level debug"
        )
        return
    except OSError as error:
        yield Finding("server", "bad", f"{command[0]} cannot be started: {error.strerror}", "Install ivcap-mcp again")
        return
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    answers, strange = set(), b""
    for line in done.stdout.splitlines():
        try:
            answers.add(json.loads(line).get("id"))
        except (ValueError, AttributeError):
            strange = strange or line
    if strange:
        told = f"something else than JSON-RPC came on stdout: {strange[:80].decode('utf-8', 'replace')!r}"
        advice = "Look for a .pth file or sitecustomize that prints, in the environment named under `python`"
        yield Finding("server", "bad", told, advice)
    elif not {1, 2} <= answers or done.returncode != 0:
        told = f"it ended with code {done.returncode}" + (f": {last[0]}" if last else "")
        yield Finding("server", "bad", told, "Run the same command in a terminal", USAGE if done.returncode == 2 else 1)
    else:
        took = time.monotonic() - began
        yield Finding("server", "ok", f"starts, answers and ends in {took:.1f} s, with nothing but JSON-RPC on stdout")
