"""Batch services: a process per job, which asks for its job instead of being told. Source: service-contract §3."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from . import descriptions
from .specs import ServiceSpec
from .tools import Tool, ToolFailed

DONE = {"$schema": "urn:ivcap:schema.service.batch.done.1"}
"""The answer to a process that asks for more; it then ends by itself."""


def envelope(urn: str, content_type: str, body: bytes) -> dict[str, Any]:
    """A job as a batch process gets it.

    Raises:
        ValueError: The request is not a JSON object, and the library takes nothing else.
    """
    content = json.loads(body)
    if not isinstance(content, dict):
        raise ValueError("a batch service takes a JSON object")
    return {"id": urn, "in-content-type": content_type.partition(";")[0].strip(), "in-content": content}


async def describe(tool: Tool, gateway_port: int) -> dict[str, Any]:
    """Ask a batch program for its description; it has no server to ask.

    Raises:
        ToolFailed: It does not start, or does not end within the limit.
        BadDescription: What it prints is not an ai-tool aspect.
    """
    about = await _printed(tool, "--print-tool-description", gateway_port)
    found = descriptions.compose(tool.spec, about, None, "/")
    try:
        told = await _printed(tool, "--print-service-description", gateway_port)
    except ToolFailed:
        return found  # the older library wants a Dockerfile for this; what the tool said of itself has to do
    if isinstance(told, dict):
        kept = {name: told[name] for name in ("description", "contact", "license", "result-schema") if told.get(name)}
        found["service"] |= kept
    return found


async def _printed(tool: Tool, flag: str, gateway_port: int) -> object:
    spec: ServiceSpec = tool.spec
    with tempfile.TemporaryDirectory(prefix="ivcap-tool-", ignore_cleanup_errors=True) as own:
        process = await asyncio.create_subprocess_exec(
            *tool.guarded("-", tool.words([flag])),
            cwd=spec.cwd or Path(own),
            env=tool.environment(gateway_port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(tool.limits.tool_start):
                printed, complaints = await asyncio.gather(process.stdout.read(), process.stderr.read())
                code = await process.wait()
        except TimeoutError as problem:
            raise ToolFailed(f"{spec.name} {flag} did not end within {tool.limits.tool_start:g} s") from problem
        finally:
            process.stdin.close()
    if code:
        last = "\n".join(complaints.decode("utf-8", "replace").splitlines()[-12:])
        raise ToolFailed(f"{spec.name} {flag} ended with {code}", last)
    try:
        return json.loads(printed)
    except ValueError:
        return None
