"""`python -m release.audit`: known vulnerabilities of the locked dependencies, or plainly that nobody could be asked.

Ends with 1 if there is one. An advisory service that cannot be reached is no fault of ours and no good news: it is said
in capitals, and the exit code is 0, or 1 with `--strict`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "docs/requirements.lock")
SERVICES = ("pypi", "osv")
NOBODY = "no advisory service could be asked about all of it; this is no sign that it is clean"
PATIENCE = 180
"""Seconds that one service may take."""


def asked(lock: str, service: str) -> list[dict[str, Any]] | str:
    """What the service knows of each package; or why nothing is known."""
    # In an environment of its own: what it needs is none of what we need.
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", "pip-audit>=2.9", "pip-audit"]
    command += [
        "-r",
        lock,
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "-s",
        service,
    ]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {PATIENCE} s"
    return read(done.stdout, done.stderr)


def read(told: str, complaint: str) -> list[dict[str, Any]] | str:
    """The packages in an answer of pip-audit; or why there are none."""
    try:
        found: list[dict[str, Any]] = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        return last[0][:300]
    return found


def verdict(packages: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Packages with a vulnerability, in words, and the names of those that could not be looked up."""
    bad = [
        f"{one['name']} {one.get('version', '')}: {hole['id']}, corrected in {', '.join(hole['fix_versions']) or '-'}"
        for one in packages
        for hole in one.get("vulns", [])
    ]
    return bad, [one["name"] for one in packages if "skip_reason" in one]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.audit", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="end with 1 too if not everything could be looked up")
    given = parser.parse_args()
    holes, unknown = 0, False
    for lock in LOCKS:
        for service in SERVICES:
            found = asked(lock, service)
            if isinstance(found, str):
                print(f"{lock}: {service} could not be asked: {found}")
                continue
            bad, skipped = verdict(found)
            for line in bad:
                print(f"{lock}: VULNERABLE: {line}")
            holes += len(bad)
            print(f"{lock}: {service} knows {len(found) - len(skipped)} of {len(found)} packages")
            if not skipped:
                break
        else:
            unknown = True
            print(f"{lock}: NOT AUDITED: {NOBODY}")
    if not holes and not unknown:
        print("no known vulnerability")
    return 1 if holes or (unknown and given.strict) else 0


if __name__ == "__main__":
    sys.exit(main())
