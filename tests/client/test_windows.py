"""What can be said of Windows on another system: nothing is imported that is not there, and locks are its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The standard library and other people's packages are loaded as what they are here, ours as on Windows.
IMPORT_ALL = """
import asyncio, importlib, pkgutil, socket, subprocess, sys, types
import anyio, httpx, mcp, mcp.client.stdio, platformdirs, uvicorn, tusclient, pydantic
import mcp.server.lowlevel, mcp.server.stdio, mcp.server.streamable_http_manager
missing = ("fcntl", "termios", "pwd", "grp", "resource", "tty", "pty")
for name in missing:
    sys.modules[name] = None
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=lambda *_: None)
sys.platform = "win32"
import os
for name in ("geteuid", "killpg", "pread", "fork", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY"):
    if hasattr(os, name):
        delattr(os, name)
loaded = []
import ivcap_client, ivcap_mcp
for package in (ivcap_client, ivcap_mcp):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".examples." in found.name or found.name.endswith(("__main__", "_child")):
            continue
        importlib.import_module(found.name)
        loaded.append(found.name)
print(len(loaded))
"""

LOCK = """
import os, sys, types
held = set()
def locking(handle, how, size):
    where = (os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR))
    if how == 0:
        held.discard(where)
    elif where in held:
        raise OSError(36, "deadlock")
    else:
        held.add(where)
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking)
sys.platform = "win32"
from ivcap_client._io.files import locked, try_lock, unlock
with open(sys.argv[1], "w+") as one, open(sys.argv[1], "r+") as other:
    os.write(one.fileno(), b"text")
    with locked(one.fileno()):
        assert os.lseek(one.fileno(), 0, os.SEEK_CUR) == 4
        assert not try_lock(other.fileno(), shared=True)
        try:
            with locked(other.fileno(), 0.05):
                raise AssertionError("two hold it")
        except BlockingIOError:
            pass
    assert try_lock(other.fileno())
    unlock(other.fileno())
    assert not held
print("done")
"""


def said(script: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_module_can_be_imported_without_what_windows_lacks() -> None:
    assert int(said(IMPORT_ALL)) > 150


def test_a_lock_is_held_by_one_and_leaves_the_file_readable(tmp_path: Path) -> None:
    assert said(LOCK, str(tmp_path / "file")) == "done\n"
