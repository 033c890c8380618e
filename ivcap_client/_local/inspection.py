"""Starting a service only to see what it is: how long it takes, whether it is healthy, what it says of itself."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ivcap_client.platform import InspectedService

from . import environments, specs, syntax
from .descriptions import BadDescription
from .fleet import Fleet
from .limits import Limits
from .specs import PYTHON, ServiceSpec
from .tool_http import ToolUnreachable, exchange
from .tools import Tool, ToolFailed, log_path

_STEPS = re.compile(r"\breport\s*\.\s*\w+|\bstep(_started|_finished)?\s*\(|/events/")
NOWHERE = 9
"""The port tools report to: nobody listens, since no job is run."""


def inspect(option: str, *, offline: bool = False, say: Callable[[str], None] = lambda line: None) -> InspectedService:
    """Start a service, ask what it is, and end it; nothing is kept, no job is run.

    Args:
        option: As `--service` takes it.
        offline: Refuse to fetch packages.
        say: Told what is being waited for.

    Raises:
        BadSpec: There is no such service, or its description cannot be read.
    """
    spec = specs.from_option(option)
    seen = InspectedService(spec.name, spec.urn, spec.kind, {}, {}, "", "", None, _mentions_steps(spec))
    needs = spec.requirements
    python = specs.OWN_PYTHON if PYTHON in spec.command else None
    try:
        syntax.check(spec)
    except specs.BadSpec as problem:
        return replace(seen, stage="start", failure=str(problem))
    try:
        if needs is not None:
            say(f"building the environment of {spec.name}")
            python = str(environments.ensure(needs, offline=offline, progress=say))
    except environments.EnvironmentFailed as problem:
        return replace(seen, stage="environment", failure=str(problem))
    say(f"starting {spec.name}")
    with tempfile.TemporaryDirectory(prefix="ivcap-check-", ignore_cleanup_errors=True) as place:
        return asyncio.run(_started(seen, spec, python, Path(place)))


async def _started(seen: InspectedService, spec: ServiceSpec, python: str | None, place: Path) -> InspectedService:
    fleet = Fleet(place, Limits(), on_end=lambda tool, jobs: None)
    fleet.port = NOWHERE
    tool = Tool(spec, log_path(place, spec), fleet.limits, python)
    began = time.monotonic()
    try:
        if spec.kind == "batch":
            from . import batch

            found = await batch.describe(tool, NOWHERE)
        else:
            answered = asyncio.create_task(_answers(tool))
            try:
                await tool.start(NOWHERE, lambda tool: None)
            except ToolFailed as problem:
                stage = "health" if answered.done() and not answered.cancelled() else "start"
                return replace(seen, stage=stage, failure=str(problem))
            finally:
                answered.cancel()
            found = await fleet.ask(tool)
    except ToolFailed as problem:
        return replace(seen, stage="start", failure=str(problem))
    except (BadDescription, ToolUnreachable) as problem:
        return replace(seen, stage="description", failure=str(problem))
    finally:
        await tool.stop()
    seconds = time.monotonic() - began
    parts = tuple(found.get("parts", ()))
    return replace(seen, tool=found["tool"], service=found["service"], seconds=seconds, parts=parts)


async def _answers(tool: Tool) -> None:
    """Return once a tool answers anything at all: then it runs, and only says nothing of its health."""
    while True:
        try:
            async with asyncio.timeout(1.0), exchange(tool.port, "GET", "/"):
                return
        except (ToolUnreachable, TimeoutError, OSError):
            await asyncio.sleep(0.1)


def _mentions_steps(spec: ServiceSpec) -> bool | None:
    texts = []
    for path in specs.sources(spec):
        if path.suffix in (".py", ".js", ".mjs", ".ts", ".sh", ".rb", ".go", ""):
            try:
                texts.append(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError):
                continue  # a program without source: nothing can be said of it
    return any(_STEPS.search(text) for text in texts) if texts else None
