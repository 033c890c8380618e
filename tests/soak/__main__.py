"""`python -m tests.soak [--quick]`: bad clients and heavy weather, and what a server holds afterwards.

Everything runs on loopback, on the embedded platform with a tool that does nothing; the servers are processes started
by the real command line. Linux only, since what a process holds is read from `/proc`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import time
import traceback
from collections.abc import Awaitable, Callable

from ivcap_client.platform import stop_platform
from tests.soak import chaos, crowds, disconnects, load, signals, silent_readers
from tests.soak.soak import ROOT, Soak

PARTS: dict[str, Callable[[Soak], Awaitable[None]]] = {
    "modern": disconnects.modern,
    "legacy": disconnects.legacy,
    "stdio": disconnects.stdio,
    "crowd-http": crowds.over_http,
    "crowd-stdio": crowds.over_stdio,
    "two-servers": crowds.two_servers,
    "silent-http": silent_readers.over_http,
    "silent-stdio": silent_readers.over_stdio,
    "sigterm": signals.sigterm,
    "load": load.load,
    "chaos": chaos.chaos,
}
LONG = ("load", "chaos")
"""Parts that take minutes whatever is done: none of a quick run."""
LONGEST = 900.0
"""Seconds that one part may take."""
ROWS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, for CI")
    parser.add_argument("--only", action="append", choices=tuple(PARTS), help="one part; repeatable")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the minutes that load and chaos take")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("IVCAP_")]:
        del os.environ[name]
    work = ROOT / "build" / f"soak-{os.getpid()}"
    # What this process itself asks of the local platform must not touch the user's own state.
    os.environ |= {f"IVCAP_{name}_DIR": str(work / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
    names = given.only or [name for name in PARTS if not (given.quick and name in LONG)]
    # Most of the time is waiting, so CI runs some at the same time, each row of them over a platform of its own.
    rows = [names[start::ROWS] for start in range(ROWS)] if given.quick else [names]
    soaks = [Soak(work / f"row-{number}", given.quick, given.scale) for number in range(len(rows))]
    print(f"{'what':<72} {'wanted':<24} {'found':<34} met", flush=True)
    try:
        asyncio.run(_all(list(zip(soaks, rows, strict=True))))
    finally:
        for base in work.glob("*/*-platform"):
            stop_platform(base, force=True)
        shutil.rmtree(work, ignore_errors=True)
    checks = [check for soak in soaks for check in soak.checks]
    met = sum(check.met for check in checks)
    print(f"{met} of {len(checks)} checks passed")
    return 0 if met == len(checks) else 1


async def _all(rows: list[tuple[Soak, list[str]]]) -> None:
    async def row(soak: Soak, names: list[str]) -> None:
        for name in names:
            await _part(soak, name)

    await asyncio.gather(*(row(soak, names) for soak, names in rows))


async def _part(soak: Soak, name: str) -> None:
    began = time.monotonic()
    try:
        async with asyncio.timeout(LONGEST):
            await PARTS[name](soak)
    except Exception as problem:
        # A part that breaks must not hide the others; it counts as a check that failed.
        sys.stderr.write("".join(traceback.format_exception(problem)))
        soak.check(f"{name}: ran to its end", "yes", type(problem).__name__, False)
    sys.stderr.write(f"  ({name}: {time.monotonic() - began:.0f} s)\n")


if __name__ == "__main__":
    sys.exit(main())
