"""A program that writes without end into a store and says, once each write is acknowledged, what must be there.

Run as `python -m tests.crash.writer DIR SEED`. Each line is JSON: what was done, and enough to check it.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path

from ivcap_client._local.store import Store
from tests.crash.seen import SERVICE


def main() -> None:
    base, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    store = Store(base)
    turn = 0
    while True:
        turn += 1
        kind = chance.choice(("add", "update", "update", "retract", "upload", "job", "job"))
        if kind == "add":
            row = store.aspects.add(f"urn:crash:{chance.randrange(8)}", "urn:crash:many", {"turn": turn})
            told = {"aspect": row.id, "turn": turn}
        elif kind == "update":
            row = store.aspects.update(f"urn:crash:{chance.randrange(3)}", "urn:crash:one", {"turn": turn})
            told = {"aspect": row.id, "turn": turn, "one": row.entity}
        elif kind == "retract":
            row = store.aspects.add("urn:crash:gone", "urn:crash:gone", {"turn": turn})
            store.aspects.retract(row.id)
            told = {"aspect": row.id, "turn": turn, "retracted": True}
        elif kind == "upload":
            data = chance.randbytes(chance.choice((10, 5_000, 3_000_000)))
            made = store.artifacts.create(name="crash.bin", length=len(data))
            half = len(data) // 2
            store.artifacts.uploads.append(made.id, 0, data[:half])
            store.artifacts.uploads.append(made.id, half, data[half:])
            store.artifacts.uploads.complete(made.id)
            told = {"artifact": made.id, "sha256": hashlib.sha256(data).hexdigest()}
        else:
            job, _ = store.jobs.create(service=SERVICE, service_name="x", body=b"{}", content_type="application/json")
            say({"job": job.id, "status": "scheduled"})
            job = store.jobs.start(job)
            say({"job": job.id, "status": "executing"})
            body = json.dumps({"turn": turn, "rest": "x" * chance.choice((10, 200_000))}).encode()
            store.jobs.finish(job, status="succeeded", content_type="application/json", body=body)
            told = {"job": job.id, "status": "succeeded", "turn": turn}
        say(told)


def say(told: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
