"""Requests made up from the published description, right ones and wrong ones, against a platform with a tool."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.congruence.legs import served
from tests.described.digest import DIGEST
from tests.interop.venvs import SCRIPTS, python_with

FUZZER = "schemathesis>=4.32"
UNSERVED = "/1/(packages|project|orders|dashboards|metadata|search|openapi)|/1/services(/|$)"
"""What is answered with 501 here, whatever is asked."""

LONGEST = 20
"""Seconds an answer may take on a busy machine; a request that hangs takes longer."""


def test_nothing_that_is_asked_breaks_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"IVCAP_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("IVCAP_BODY_STALL", "1")  # the fuzzer lies about lengths
    python = python_with(FUZZER)
    with served(tmp_path / "base") as url:
        words = [
            "run", str(DIGEST), "--url", url, "--checks", "response_schema_conformance,nothing_breaks",
            "--exclude-path-regex", UNSERVED, "--request-timeout", str(LONGEST), "--phases", "coverage,fuzzing",
            "--max-examples", "5", "--max-time", "40", "--seed", "1", "--continue-on-failure", "--no-shrink",
            "--no-color", "--warnings", "off", "--header", "Authorization: Bearer any",
        ]  # fmt: skip
        env = {**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_checks", "PYTHONPATH": str(SCRIPTS)}
        done = subprocess.run(
            [python, "-m", "schemathesis.cli", *words],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    log = (tmp_path / "served.log").read_text()
    assert "Traceback" not in log, log[-5000:]
