"""`python -m tests.benchmarks [--quick] [--only NAME]…`: the table, then how many goals are met; `build/bench.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import (
    rows_aspects,
    rows_bytes,
    rows_calls,
    rows_catalog,
    rows_http,
    rows_import,
    rows_jobs,
    rows_public,
    rows_scale,
)
from tests.benchmarks.bench import ROOT, Bench
from tests.benchmarks.figures import Figure

ROWS: dict[str, Callable[[Bench], list[Figure]]] = {
    "call": rows_calls.call,
    "lag": rows_calls.lag,
    "hundred": rows_calls.hundred,
    "counts": rows_catalog.counts,
    "warm": rows_catalog.warm,
    "start": rows_catalog.start,
    "get_job": rows_http.get_job,
    "throughput": rows_calls.throughput,
    "imports": rows_import.imports,
    "transfers": rows_bytes.transfers,
    "finding": rows_aspects.finding,
    "writing": rows_aspects.writing,
    "jobs": rows_jobs.jobs,
    "events": rows_jobs.events,
    "public": rows_public.public,
    "scale": rows_scale.scale,
    "curve": rows_scale.curve,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=tuple(ROWS), metavar="NAME", help=f"one of {', '.join(ROWS)}"
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller data")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("IVCAP_")]:
        del os.environ[name]
    build = ROOT / "build"
    work = build / f"bench-{os.getpid()}"
    bench = Bench(work, quick=given.quick)
    # What this process itself asks of the local platform must not touch the user's own state.
    os.environ |= {"IVCAP_STATE_DIR": str(work / "state"), "IVCAP_CACHE_DIR": str(work / "cache")}
    found: list[Figure] = []
    failed: dict[str, str] = {}
    names = given.only or list(ROWS)
    try:
        _head()
        for name in names:
            started = time.monotonic()
            try:
                figures = ROWS[name](bench)
            except Exception as problem:
                # One row that breaks must not hide the others; the exit code tells.
                failed[name] = "".join(traceback.format_exception(problem))
                print(f"{name}: could not be measured: {problem!r}", flush=True)
                continue
            found += figures
            for figure in figures:
                _line(figure)
            sys.stderr.write(f"  ({name}: {time.monotonic() - started:.0f} s)\n")
        _write(build / "bench.json", given.quick, found, failed)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for name, trace in failed.items():
        sys.stderr.write(f"\n{name}:\n{trace}")
    goals = [figure for figure in found if figure.goal]
    print(f"{sum(figure.met for figure in goals)} of {len(goals)} goals met")
    return 1 if failed else 0


def _head() -> None:
    print(f"{'what | peer':<82} {'peer':>11} {'ours':>11} {'unit':<10} {'ratio':>7}  {'goal':<18} met", flush=True)


def _line(figure: Figure) -> None:
    peer = "" if figure.peer is None else f"{figure.peer:,.2f}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    met = "" if not figure.goal else "yes" if figure.met else "NO"
    print(
        f"{figure.what:<82} {peer:>11} {figure.ours:>11,.2f} {figure.unit:<10} {ratio:>7}  {figure.goal:<18} {met}",
        flush=True,
    )


def _write(path: Path, quick: bool, found: list[Figure], failed: dict[str, str]) -> None:
    told = {
        "at": datetime.now(UTC).isoformat(),
        "quick": quick,
        "python": sys.version.split()[0],
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()},
        "met": sum(figure.met for figure in found if figure.goal),
        "of": sum(bool(figure.goal) for figure in found),
        "failed": failed,
        "figures": [figure.as_json() for figure in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
