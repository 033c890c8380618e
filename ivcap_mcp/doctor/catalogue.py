"""The tools a client would see, and the services that could not become tools."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ivcap_client.exception import ConfigError, NotAuthorizedException
from ivcap_mcp.doctor import NO_CONNECTION, USAGE, Finding

if TYPE_CHECKING:
    from ivcap_mcp.server import IvcapServer

PATIENCE = 60.0
"""Seconds for reading the catalogue; a large one takes many requests."""


def catalogue(given: argparse.Namespace) -> Iterator[Finding]:
    """Read the catalogue once, as the server does."""
    from ivcap_mcp.cli.serve import prepared

    try:
        server, _ = prepared(given, stdio=True)
        anyio.run(partial(_read, server))
    except ConfigError as error:
        yield Finding("services", "bad", str(error), code=USAGE)
        return
    except TimeoutError:
        yield Finding("services", "warn", f"the catalogue could not be read within {PATIENCE:.0f} s", "Try again later")
        return
    found = server.backend.catalog
    if found.failure is not None:
        if not isinstance(found.failure, NotAuthorizedException):  # what is told of the account already
            yield Finding("services", "bad", str(found.failure), code=NO_CONNECTION)
        return
    for problem in found.problems:
        advice = "Tell who published it; the other services are not touched by that"
        yield Finding("services", "warn", f"{problem.service} is no tool: {problem.reason}", advice)
    number = len(found.all())
    if number or not server.backend.settings.local:
        yield Finding("services", "ok", f"{number} service{'' if number == 1 else 's'} can be called")
    else:
        told = "the embedded platform has no service that is ready"
        yield Finding("services", "note", told, "`ivcap-mcp services add PATH` adds a tool")


async def _read(server: IvcapServer) -> None:
    with anyio.fail_after(PATIENCE):
        async with server.backend.ivcap:
            await server.backend.catalog.refresh()
