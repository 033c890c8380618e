"""Runs the MCP conformance suite against our server, for both protocol eras: `python -m tests.conformance.run`.

Prints the suite's totals per revision. Exit code 1: a required scenario failed, one that is not required failed without
being listed in `expected-failures.toml`, or one listed there passed.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivcap_client.platform import stop_platform
from tests.interop.node import ROOT, Node, node

REVISIONS = ("2025-11-25", "2026-07-28")
EXPECTED = Path(__file__).parent / "expected-failures.toml"
OUT = ROOT / "build" / "conformance"
START = 30.0
"""Seconds the server may take to start."""
SUITE = 240.0
"""Seconds the suite may take for one revision."""


@dataclass(frozen=True)
class Report:
    """What the suite said about one revision.

    Attributes:
        passed: Checks passed.
        failed: Checks failed.
        scenarios: Whether each scenario passed, by its name.
        unscored: Scenarios that were run but are not required.
        code: The suite's own exit code.
        text: All that it said.
    """

    passed: int
    failed: int
    scenarios: dict[str, bool]
    unscored: frozenset[str]
    code: int
    text: str


def read(text: str, code: int) -> Report:
    """Understand the summary the suite prints.

    Raises:
        ValueError: There is none.
    """
    _, found, summary = text.rpartition("=== SUMMARY ===")
    total = re.search(r"^Total: (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    if not found or total is None:
        raise ValueError(f"the suite ended with code {code} and without a summary:\n{text[-3000:]}")
    lines = re.findall(r"^([✓✗]) ([\w-]+): \d+ passed, \d+ failed", summary, re.MULTILINE)
    unscored = re.findall(r"^ +[✓✗] ([\w-]+) \(", summary, re.MULTILINE)
    scenarios = {name: sign == "✓" for sign, name in lines}
    return Report(int(total[1]), int(total[2]), scenarios, frozenset(unscored), code, text)


def verdict(report: Report, expected: dict[str, str]) -> list[str]:
    """What is wrong, one line each; nothing if all is as it should be."""
    wrong = [] if report.code == 0 else [f"the suite ended with code {report.code}"]
    for name, passed in report.scenarios.items():
        if passed and name in expected:
            wrong.append(f"{name} passes now: take it out of {EXPECTED.name}")
        elif not passed and name not in report.unscored:
            wrong.append(f"{name} is required and fails")
        elif not passed and name not in expected:
            wrong.append(f"{name} fails and is not listed in {EXPECTED.name}")
    unseen = expected.keys() - report.scenarios.keys()
    return wrong + [f"{name} is listed in {EXPECTED.name} and was not run" for name in sorted(unseen)]


def suite(judge: Node, url: str, revision: str) -> Report:
    """Run the scenarios of a revision."""
    program = judge.module("@modelcontextprotocol", "conformance", "dist", "index.js")
    told = subprocess.run(
        [judge.program, program, "server", "--url", url, "--requirements", revision, "-o", OUT / revision],
        capture_output=True, text=True, timeout=SUITE, env=judge.environment(), check=False,
    )  # fmt: skip
    return read(told.stdout + told.stderr, told.returncode)


@contextmanager
def served() -> Iterator[str]:
    """Our server with the fixtures, in a process of its own; its address."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="conformance-") as place, (OUT / "server.log").open("w") as log:
        env = {name: value for name, value in os.environ.items() if not name.startswith("IVCAP_")}
        env |= {f"IVCAP_{kind}_DIR": f"{place}/{kind.lower()}" for kind in ("STATE", "CACHE", "CONFIG")}
        env |= {"HOME": place, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.serve", place],
            stdout=subprocess.PIPE,
            stderr=log,
            env=env,
            text=True,
        )
        try:
            yield _address(process)
        finally:
            process.terminate()
            process.wait(START)
            stop_platform(Path(place) / "base", force=True)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    limit = time.monotonic() + START
    while not select.select([process.stdout], [], [], max(0.0, limit - time.monotonic()))[0]:
        if time.monotonic() >= limit:
            raise TimeoutError(f"the server was not there after {START} s; see {OUT / 'server.log'}")
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"the server ended before it served; see {OUT / 'server.log'}")
    return line


def main() -> int:
    """Run both revisions; return the exit code."""
    started = time.monotonic()
    judge = node()
    expected = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))
    code = 0
    with served() as url:
        for revision in REVISIONS:
            report = suite(judge, url, revision)
            (OUT / f"{revision}.txt").write_text(report.text, encoding="utf-8")
            required = [passed for name, passed in report.scenarios.items() if name not in report.unscored]
            print(
                f"{revision}: {report.passed} checks passed, {report.failed} failed; "
                f"required scenarios: {sum(required)} of {len(required)} passed"
            )
            for name, reason in expected.get(revision, {}).items():
                print(f"  expected to fail, not required: {name} ({reason})")
            for wrong in verdict(report, expected.get(revision, {})):
                print(f"  WRONG: {wrong}")
                code = 1
    print(f"conformance: {'FAILED' if code else 'passed'} in {time.monotonic() - started:.0f} s; details in {OUT}")
    return code


if __name__ == "__main__":
    sys.exit(main())
