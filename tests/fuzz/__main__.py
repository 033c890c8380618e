"""`python -m tests.fuzz [--quick]`: whatever comes from outside gets a result or a clean error, 100,000 times and more.

Each case depends on the seed, the part and its number alone; a failure says how it is seen again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys

from tests.fuzz import archives, arguments, catalogues, events, messages, replies
from tests.fuzz.fuzzing import Part, Run, run

PARTS: dict[str, Part] = {
    one.PART.name: one.PART for one in (messages, arguments, catalogues, replies, archives, events)
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of it, for CI")
    parser.add_argument("--only", action="append", choices=tuple(PARTS), help="one part; repeatable")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other cases (default: 1)")
    parser.add_argument("--case", type=int, help="one case alone")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="CASE", help="begin here")
    parser.add_argument("--to", dest="last", type=int, metavar="CASE", help="end here")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("IVCAP_")]:
        del os.environ[name]
    logging.disable(logging.CRITICAL)
    found = []
    print(f"{'part':<12} {'cases':>8} {'seconds':>8} {'a second':>9} {'slowest':>9} failures", flush=True)
    for name in given.only or PARTS:
        part = PARTS[name]
        last = given.last + 1 if given.last is not None else part.quick if given.quick else part.full
        numbers = range(given.case, given.case + 1) if given.case is not None else range(given.first, last)
        one = asyncio.run(run(part, given.seed, numbers))
        found.append(one)
        _show(one)
    total = sum(one.cases for one in found)
    failed = sum(len(one.failures) for one in found)
    print(f"{total} cases, {failed} failures (seed {given.seed})")
    return 1 if failed else 0


def _show(one: Run) -> None:
    pace = one.cases / one.seconds if one.seconds else 0
    print(
        f"{one.name:<12} {one.cases:>8} {one.seconds:>8.1f} {pace:>9.0f} {one.slowest:>7.2f} s {len(one.failures)}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
