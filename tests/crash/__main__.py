"""`python -m tests.crash [--quick] [--seed N]`: kill -9 at random moments, and what is there afterwards.

Writers of a store (two at once in every third run), the runner, a tool, and the program that ordered. Prints what was
killed how often, and every fault; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ivcap_client._local import launch
from ivcap_client._local.store import Store
from ivcap_client.platform import stop_platform
from tests.crash.seen import faults

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tests" / "local" / "tools" / "plain_tool.py"
LONG = 60.0
"""Bound of every wait, in seconds."""
FRONT = """
import json, sys
from ivcap_client._local import launch, specs
from ivcap_client._local.store import Store
store, spec = Store(sys.argv[1]), specs.from_option(sys.argv[2])
number = 0
while True:
    number += 1
    body = json.dumps({"do": "sleep" if number % 2 else "echo", "seconds": 0.05, "n": number}).encode()
    job, _ = store.jobs.create(service=spec.urn, service_name=spec.name, body=body, content_type="application/json")
    launch.poke(sys.argv[1], job.id, spec)
    print(json.dumps([job.id, number]), flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few runs, for CI")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run's moments")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    for name in [name for name in os.environ if name.startswith("IVCAP_")]:
        del os.environ[name]
    work = ROOT / "build" / f"crash-{os.getpid()}"
    os.environ |= {f"IVCAP_{name}_DIR": str(work / name.lower()) for name in ("STATE", "CACHE")}
    os.environ |= {"IVCAP_JOB_ORPHAN": "1", "IVCAP_TOOL_STOP": "1", "PYTHONPATH": str(ROOT)}
    chance, found, began = random.Random(seed), list[str](), time.monotonic()
    print(f"seed {seed}", flush=True)
    writes = kills = 0
    try:
        for number in range(12 if given.quick else 300):
            base = work / f"store-{number // 10}"
            acknowledged = _writers(base, chance, together=2 if number % 3 == 2 else 1)
            writes, kills = writes + len(acknowledged), kills + 1
            found += [f"writers, run {number}: {fault}" for fault in faults(base, acknowledged)]
        print(f"writers killed: {kills} runs, {writes} acknowledged writes, {len(found)} faults", flush=True)
        for victim in ("runner", "tool", "front"):
            count, before = (2 if given.quick else 25), len(found)
            jobs = ended = 0
            for number in range(count):
                ordered, well, wrong = _running(work / f"{victim}-{number}", victim, chance)
                jobs, ended = jobs + ordered, ended + well
                found += [f"{victim}, run {number}: {fault}" for fault in wrong]
            told = f"{jobs} jobs ordered, {ended} succeeded, the others say why not"
            print(f"{victim} killed: {count} runs, {told}, {len(found) - before} faults", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for fault in found:
        print(fault)
    print(f"{len(found)} faults in {time.monotonic() - began:.0f} s (seed {seed})")
    return 1 if found else 0


def _writers(base: Path, chance: random.Random, together: int) -> list[dict[str, Any]]:
    """Let writers write for a moment, kill them, and return what they acknowledged."""
    command = [sys.executable, "-m", "tests.crash.writer", str(base)]
    running = [
        subprocess.Popen([*command, str(chance.randrange(10**6))], stdout=subprocess.PIPE, cwd=ROOT)
        for _ in range(together)
    ]
    first = [_line(one) for one in running]
    time.sleep(chance.uniform(0.0, 0.25))
    for one in running:
        one.send_signal(signal.SIGKILL)
    rest = [one.communicate()[0] for one in running]
    lines = [line for head, tail in zip(first, rest, strict=True) for line in (head + tail).splitlines(keepends=True)]
    return [json.loads(line) for line in lines if line.endswith(b"\n")]  # the last one may be cut off


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a writer ended with {process.wait()} before it wrote anything")
    return line


def _running(base: Path, victim: str, chance: random.Random) -> tuple[int, int, list[str]]:
    """Order jobs, kill one part of what runs them, and look what became of each once a new runner was there."""
    option = f"plain={{python}} {TOOL}"
    front = subprocess.Popen([sys.executable, "-c", FRONT, str(base), option], stdout=subprocess.PIPE, cwd=ROOT)
    head = _line(front)
    time.sleep(chance.uniform(0.0, 0.6))
    if victim == "runner" and (runner := launch.read_runner(base.resolve())) is not None:
        os.kill(runner.pid, signal.SIGKILL)
    if victim == "tool":
        for pid in _tools(base):
            os.kill(pid, signal.SIGKILL)
        time.sleep(chance.uniform(0.0, 0.2))
    front.send_signal(signal.SIGKILL)
    lines = (head + front.communicate()[0]).splitlines(keepends=True)
    told = dict(json.loads(line) for line in lines if line.endswith(b"\n"))
    launch.ensure_runner(base)
    store, wrong, well = Store(base), [], 0
    try:
        for id, number in told.items():
            job = store.jobs.find(id)
            if job is None:
                wrong.append(f"acknowledged job {id} is lost")
                continue
            job = store.jobs.wait(job, LONG)
            result = store.jobs.result_body(job) if job.ended else None
            if not job.ended:
                wrong.append(f"job {id} is {job.status} for ever")
            elif job.status == "succeeded" and (result is None or json.loads(result[1])["n"] != number):
                wrong.append(f"job {id} succeeded without its result")
            elif job.status != "succeeded" and not job.error_message:
                wrong.append(f"job {id} is {job.status} and does not say why")
            states = [e["Data"]["status"] for e in store.jobs.events(job) if e["Type"] == "ivcap.job.status"]
            if len(states) != len(set(states)):
                wrong.append(f"job {id} went through a state twice: {states}")
            well += job.status == "succeeded"
    finally:
        store.close()
        stop_platform(base, force=True)
    return len(told), well, wrong + faults(base, [])


def _tools(base: Path) -> list[int]:
    """Processes of the tool that belong to this directory's runner: they report to its port."""
    runner = launch.read_runner(base.resolve())
    if runner is None:
        return []
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            told, words = path.read_bytes(), (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if f"IVCAP_BASE_URL=http://127.0.0.1:{runner.port}/s/".encode() in told and b"guard.py" not in words:
            found.append(int(path.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
