"""Rows about large artifacts: each transfer in a child process, so that its peak memory is its own."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, at_least, bounded

MIB = 1024 * 1024

# `ru_maxrss` of a child starts with its parent's, so on Linux the peak of the process's own memory is reset and read.
PEAK = """
def peak(reset=False):
    import resource, sys
    if not sys.platform.startswith("linux"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if reset:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
"""

OURS = (
    PEAK
    + """
import json, sys, time
from pathlib import Path
from ivcap_client import IVCAP

url, source, target = sys.argv[1:]
ivcap = IVCAP(url=url, token="any-text")
small = Path(target).with_suffix(".small")
small.write_bytes(b"x" * 65536)
ivcap.upload_artifact(file_path=small).as_local_file(small)  # connections, modules, buffers
before = peak(reset=True)
started = time.perf_counter()
artifact = ivcap.upload_artifact(file_path=source)
up = time.perf_counter() - started
started = time.perf_counter()
artifact.as_local_file(target)
down = time.perf_counter() - started
print(json.dumps({"up": up, "down": down, "grown": peak() - before}))
"""
)

RAW = (
    PEAK
    + """
import json, os, sys, time
import httpx

url, source, target = sys.argv[1:]
MIB = 1024 * 1024
client = httpx.Client(base_url=url, trust_env=False, timeout=120, headers={"authorization": "Bearer any-text"})
client.get("/1/artifacts").raise_for_status()

def pieces():
    with open(source, "rb") as file:
        while piece := file.read(MIB):
            yield piece

before = peak(reset=True)
size = os.path.getsize(source)
started = time.perf_counter()
headers = {"x-name": "cmF3", "x-content-type": "application/octet-stream", "upload-length": str(size)}
made = client.post("/1/artifacts", headers={**headers, "tus-resumable": "1.0.0"})
made.raise_for_status()
where = made.json()["data-href"]
headers = {"upload-offset": "0", "tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}
client.patch(where, content=pieces(), headers={**headers, "content-length": str(size)}).raise_for_status()
up = time.perf_counter() - started
started = time.perf_counter()
with client.stream("GET", where) as reply, open(target, "wb") as file:
    reply.raise_for_status()
    for piece in reply.iter_bytes(MIB):
        file.write(piece)
down = time.perf_counter() - started
assert os.path.getsize(target) == size
print(json.dumps({"up": up, "down": down, "grown": peak() - before}))
"""
)


def transfers(bench: Bench) -> list[Figure]:
    """The same file up and down by our client and by httpx, in turns, each in a fresh interpreter."""
    size = bench.many(1024, 256) * MIB
    source = bench.fresh("bytes") / "source"
    _fill(source, size)
    told: dict[str, list[dict[str, Any]]] = {"ours": [], "raw": []}
    with bench.platform(bench.fresh("transfers")) as platform:
        env = bench.env(bench.fresh("home"))
        for _ in range(bench.many(3, 2)):
            for kind, code in (("raw", RAW), ("ours", OURS)):
                target = bench.fresh("down") / "target"
                told[kind].append(bench.python(code, env, platform.url, str(source), str(target)))
                assert target.stat().st_size == size
                target.unlink()
    note = f"{size // MIB} MiB, medians of {len(told['raw'])}"

    def rate(kind: str, way: str) -> float:
        return size / 1e6 / median(float(one[way]) for one in told[kind])

    def grown(kind: str) -> float:
        return max(float(one["grown"]) for one in told[kind]) / 1e6

    return [
        at_least("upload | raw httpx", rate("ours", "up"), rate("raw", "up"), times=0.8, unit="MB/s", note=note),
        at_least("download | raw httpx", rate("ours", "down"), rate("raw", "down"), times=0.8, unit="MB/s", note=note),
        bounded("growth of peak memory | raw httpx", grown("ours"), most=32, unit="MB", peer=grown("raw"), note=note),
    ]


def _fill(path: Path, size: int) -> None:
    import os

    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
