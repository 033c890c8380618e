"""Rows about the SDK's start, against the public client in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv

from tests.benchmarks.bench import ROOT, Bench
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.rows_catalog import stated

PUBLIC = "ivcap-client==0.47.21"

IMPORT = """
import time; started = time.perf_counter()
import ivcap_client
print(time.perf_counter() - started)
"""
LIST = """
import sys, time; started = time.perf_counter()
from ivcap_client import IVCAP
found = list(IVCAP(url=sys.argv[1], token="any-text").list_services(limit=10))
spent = time.perf_counter() - started
assert len(found) == 10, found
print(spent)
"""


def public_python() -> str:
    """Python of an environment with the public client; made once, from the package index."""
    home = ROOT / "build" / "public"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (home / "complete").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PUBLIC], check=True, timeout=600)
        (home / "complete").touch()
    return str(python)


def imports(bench: Bench) -> list[Figure]:
    """`import ivcap_client`, and with the first listing, in fresh interpreters, in turns."""
    public = public_python()
    base = bench.fresh("imports")
    stated(base, 20)
    env = bench.env(bench.fresh("home"))
    theirs_env = {key: value for key, value in env.items() if key != "PYTHONPATH"}
    samples: dict[str, list[float]] = {"import": [], "public import": [], "list": [], "public list": []}
    with bench.platform(base) as platform:
        for number in range(bench.many(15, 5) + 1):
            told = {
                "import": bench.python(IMPORT, env),
                "public import": bench.python(IMPORT, theirs_env, python=public),
                "list": bench.python(LIST, env, platform.url),
                "public list": bench.python(LIST, theirs_env, platform.url, python=public),
            }
            if number:
                for kind, seconds in told.items():
                    samples[kind].append(float(seconds))
    note = f"medians of {len(samples['list'])}; Python {sys.version.split()[0]}"
    return [
        at_most(
            "import ivcap_client | public 0.47.21", samples["import"], samples["public import"], times=0.1, note=note
        ),
        at_most("import + first list_services | public", samples["list"], samples["public list"], times=0.6, note=note),
    ]
