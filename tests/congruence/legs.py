"""The four ways to the same platform: blocking or async, in this process or over HTTP."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ivcap_client import IVCAP, LocalIVCAP

T = TypeVar("T")

TOOL = Path(__file__).parent.parent / "local" / "tools" / "plain_tool.py"
SERVICES = [f"plain={{python}} {TOOL}"]
LONG = 30.0
"""Bound of every wait, in seconds; nothing here takes nearly as long."""

SERVE = """
import sys
from pathlib import Path
from ivcap_client.platform import serve_platform
say = lambda url, is_open: print(url, flush=True)
serve_platform(Path(sys.argv[1]), port=0, services=sys.argv[2:], on_ready=say)
"""


@dataclass
class Leg:
    """One way: a client, and how its methods are called."""

    name: str
    ivcap: IVCAP
    runner: asyncio.Runner | None = None

    def do(self, thing: Any, method: str, *args: Any, **named: Any) -> Any:
        """Call a method, or its async twin and wait for it."""
        if self.runner is None:
            return getattr(thing, method)(*args, **named)
        return self.runner.run(getattr(thing, f"{method}_async")(*args, **named))

    def all(self, listing: Any) -> list[Any]:
        """Everything that is listed, by `for` or `async for`."""
        if self.runner is None:
            return list(listing)

        async def collected() -> list[Any]:
            return [item async for item in listing]

        return self.runner.run(collected())


@dataclass
class Legs:
    """All of them."""

    legs: list[Leg]

    def __iter__(self) -> Iterator[Leg]:
        return iter(self.legs)

    def same(self, behaviour: Callable[[Leg], T]) -> T:
        """What a behaviour comes to, which must be the same on each leg."""
        found = {leg.name: behaviour(leg) for leg in self.legs}
        first, *others = found.values()
        assert all(other == first for other in others), found
        return first

    def error(self, behaviour: Callable[[Leg], object]) -> tuple[str, str]:
        """Class and message of the error a behaviour leads to, the same on each leg up to names that are unique."""
        return self.same(lambda leg: outcome(lambda: behaviour(leg)))


def outcome(behaviour: Callable[[], object]) -> tuple[str, str]:
    """Class and message of the error it raises."""
    try:
        value = behaviour()
    except Exception as error:
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", str(error))
        return type(error).__name__, re.sub(r"(https?|file)://[^\s'\"]*?(?=/1/)", "BASE", text)
    raise AssertionError(f"no error, but {value!r}")


@contextmanager
def served(base: Path) -> Iterator[str]:
    """The REST API of a platform in a process of its own, and its URL."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    words = [sys.executable, "-c", SERVE, str(base), *SERVICES]
    with open(base.parent / "served.log", "w+") as log:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()  # ends with the process at the latest
            log.seek(0)
            assert url.startswith("http://127.0.0.1:"), log.read()
            yield url
        finally:
            process.terminate()
            try:
                process.wait(LONG)
            finally:
                process.kill()
                process.stdout.close()


@contextmanager
def way(name: str, url: str, base: Path) -> Iterator[Leg]:
    """A client for one of the legs."""
    ivcap = IVCAP(url, token="any") if "http" in name else LocalIVCAP(base, services=SERVICES)
    if "async" not in name:
        with ivcap:
            yield Leg(name, ivcap)
        return
    with asyncio.Runner() as runner:
        try:
            yield Leg(name, ivcap, runner)
        finally:
            runner.run(ivcap.close_async())
