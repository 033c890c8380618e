"""Rows about local data through the public client's own local mode, side by side: one program, two clients."""

from __future__ import annotations

from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, noted
from tests.benchmarks.rows_import import public_python

# What the public client has for local data, in its own words; ours has the same.
PROGRAM = """
import io, json, sys, time
from ivcap_client import IVCAP
ivcap, count = IVCAP.local(sys.argv[1]), int(sys.argv[2])
spent = {}
def timed(name, work, times):
    began = time.perf_counter()
    for number in range(times):
        work(number)
    spent[name] = (time.perf_counter() - began) / times * 1e6
content = {"value": 1, "text": "some words " * 10}
schema = "urn:bench:schema:reading.1"
timed("add_aspect", lambda n: ivcap.add_aspect(f"urn:bench:thing:{n}", content, schema=schema), count)
timed("update_aspect", lambda n: ivcap.update_aspect(f"urn:bench:thing:{n}", content, schema=schema), 20)
timed("list_aspects, of an entity", lambda n: list(ivcap.list_aspects(entity="urn:bench:thing:7", limit=10)), 20)
timed("list_aspects, a page", lambda n: list(ivcap.list_aspects(schema=schema, limit=50)), 20)
stored = []
def upload(n):
    stored.append(ivcap.upload_artifact(name=f"a-{n}.bin", io_stream=io.BytesIO(b"x" * 1_000_000)))
timed("upload_artifact, 1 MB", upload, 20)
def read(n):
    with stored[n].as_local_file() as path:
        assert len(open(path, "rb").read()) == 1_000_000
timed("as_local_file, 1 MB", read, 20)
print(json.dumps(spent))
"""


def public(bench: Bench) -> list[Figure]:
    """What both clients can do with a directory, in fresh directories, each in its own process."""
    count = bench.many(1000, 100)
    env = bench.env(bench.fresh("home"))
    bare = {key: value for key, value in env.items() if key != "PYTHONPATH"}
    ours = bench.python(PROGRAM, env, str(bench.fresh("ours")), str(count))
    theirs = bench.python(PROGRAM, bare, str(bench.fresh("theirs")), str(count), python=public_python())
    note = f"among {count} aspects; ours is on the disk when it returns, the public client's is not synced"
    return [noted(f"{what} | public local mode", ours[what], theirs[what], unit="µs", note=note) for what in ours]
