"""The command line in the test's own process: the same code as in one of its own, but no time to start."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ivcap_mcp.cli.main import run


@dataclass(frozen=True)
class Ran:
    """What a command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def ivcap_mcp(*arguments: str, given: str = "", **env: str) -> Ran:
    """Run a command with `given` on its standard input and further variables."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _logs_of_its_own(),
    ):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8"))
        for name, value in env.items():
            patch.setenv(name, value)
        before = dict(os.environ)
        try:
            code = run(arguments)
        except SystemExit as ended:  # of wrong usage, or with help
            code = int(ended.code or 0)
        assert dict(os.environ) == before
    return Ran(code, *(_said(stream) for stream in (out, err)))


@contextlib.contextmanager
def _logs_of_its_own() -> Iterator[None]:
    """Logs go where the command sends them, not to the test runner."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _said(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()
