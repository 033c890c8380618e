"""The guard, as a process of its own between this one and a child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_client._local import guard

FOREVER = "import time; print('here', flush=True); time.sleep(3600)"


def started(log: Path, code: str, most: int = 100_000) -> subprocess.Popen[bytes]:
    return subprocess.Popen(guard.command(str(log), most, [sys.executable, "-c", code]), stdin=subprocess.PIPE)


def waited(path: Path, text: str) -> None:
    limit = time.monotonic() + 20
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)


def closed(process: subprocess.Popen[bytes]) -> int:
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(20)


def test_the_child_and_what_it_started_end_when_the_pipe_closes(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys, os; print(subprocess.Popen([sys.executable, '-c', {FOREVER!r}]).pid, flush=True);"
        + FOREVER
    )
    process = started(tmp_path / "log", code)
    waited(tmp_path / "log", "here")
    grandchild = int((tmp_path / "log").read_text().split()[0])
    assert closed(process) == 128 + signal.SIGKILL
    limit = time.monotonic() + 20
    while os.path.exists(f"/proc/{grandchild}") and " Z " not in Path(f"/proc/{grandchild}/stat").read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_request_to_end_is_passed_on_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));" + FOREVER
    process = started(tmp_path / "log", code)
    waited(tmp_path / "log", "here")
    process.terminate()
    assert process.wait(20) == 7
    closed(process)


def test_a_log_never_outgrows_its_bound(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    process = started(log, "for n in range(5000): print(f'line {n:04d}')", most=10_000)
    assert process.wait(20) == 0
    closed(process)
    assert log.stat().st_size <= 10_000
    assert (tmp_path / "deep" / "log.1").stat().st_size <= 10_000
    assert log.read_text().splitlines()[-1] == "line 4999"


def test_a_command_that_is_not_there_is_told_in_the_log(tmp_path: Path) -> None:
    process = subprocess.Popen(guard.command(str(tmp_path / "log"), 1000, ["/no/such"]), stdin=subprocess.PIPE)
    assert process.wait(20) == 127
    closed(process)
    assert "cannot start /no/such" in (tmp_path / "log").read_text()


def test_a_killed_guard_takes_the_child_along(tmp_path: Path) -> None:
    process = started(tmp_path / "log", "import os; print(os.getpid(), flush=True);" + FOREVER)
    waited(tmp_path / "log", "here")
    child = int((tmp_path / "log").read_text().split()[0])
    process.kill()
    closed(process)
    limit = time.monotonic() + 20
    while os.path.exists(f"/proc/{child}") and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_grandchild_in_a_session_of_its_own_ends_too(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux lets a process adopt what its children leave behind")
    apart = f"import os; os.setsid(); os.fork() and os._exit(0); print(os.getpid(), flush=True); {FOREVER}"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {apart!r}]);" + FOREVER
    process = started(tmp_path / "log", code)
    waited(tmp_path / "log", "here")
    limit = time.monotonic() + 20
    while not (found := [line for line in (tmp_path / "log").read_text().split() if line.isdigit()]):
        assert time.monotonic() < limit
        time.sleep(0.01)
    closed(process)
    assert not os.path.exists(f"/proc/{found[0]}")


@given(
    text=st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"abcabd", b"abcabdab"])).map(b"".join),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    words=st.lists(st.sampled_from([b"abcabd", b"abcabdab", b"dda", b""]), min_size=1, unique=True),
)
@settings(max_examples=200)
def test_what_is_hidden_is_never_shown_however_it_is_cut(text: bytes, cuts: list[int], words: list[bytes]) -> None:
    shown, held, start = b"", b"", 0
    for end in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
        more, held = guard.hide(held + text[start:end], words)
        shown, start = shown + more, end
        assert all(word not in shown for word in words if word)
    assert shown + guard.hide(held, words, last=True)[0] == guard.hide(text, words, last=True)[0]


def test_a_command_gets_its_bounds(tmp_path: Path) -> None:
    code = "import resource as r; print(*(r.getrlimit(n)[0] for n in (r.RLIMIT_DATA, r.RLIMIT_NOFILE, r.RLIMIT_CORE)))"
    words = guard.command(str(tmp_path / "log"), 1000, [sys.executable, "-c", code], memory=2**30, files=77)
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert process.wait(20) == 0
    closed(process)
    assert (tmp_path / "log").read_text().split() == [str(2**30), "77", "0"]
