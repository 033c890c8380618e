"""`ivcap-mcp services`: which AI tools the embedded platform may run, and whether one is fit to be deployed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ivcap_client import LocalIVCAP
from ivcap_client.platform import (
    add_service,
    added_services,
    inspect_service,
    remove_service,
    standing_services,
)
from ivcap_client.urns import TOOL_SCHEMA
from ivcap_mcp.cli.platform import where
from ivcap_mcp.cli.terminal import Paint, lively, span
from ivcap_mcp.naming import wanted_name
from ivcap_mcp.review import Finding, review

COLOURS = {"error": "bad", "warning": "warn", "note": "dim"}


def run(given: argparse.Namespace) -> int:
    """Add, remove, list or check."""
    base = where(given.local_dir)
    if given.action == "add":
        added = add_service(base, given.service)
        print(f"added {added.name} ({added.urn}) from {added.source}")
        print("It runs as it is now; after a change add it again. Running servers show it at once.")
        return 0
    if given.action == "remove":
        gone = remove_service(base, given.service)
        print(f"removed {given.service}; its jobs and their results stay" if gone else f"{given.service} was not there")
        return 0 if gone else 1
    if given.action == "check":
        return _check(base, given)
    return _list(base, named=given.local_dir is not None)


def _list(base: Path, *, named: bool) -> int:
    """What was added for a directory, and what stands in it; `named`: the user named it, so that it runs."""
    added, standing = added_services(base), standing_services(base)
    if not added and not standing:
        print(f"no service was added for {base}; add one with `ivcap-mcp services add PATH`")
    for service in (*added, *standing):
        print("  ".join(filter(None, (service.name, service.urn, service.source))))
        if service.complaint:
            print(f"  does not run: {service.complaint}")
        elif service in standing and not named:
            print("  does not run: nobody said so; `ivcap-mcp services add` it, or name its directory with --local-dir")
    return 0


def _check(base: Path, given: argparse.Namespace) -> int:
    """Start it and say what is the matter; code 1 if there is an error among it."""
    from ivcap_mcp.tools import BUILTINS

    say = None if given.json or not lively(sys.stderr) else lambda line: print(line, file=sys.stderr, flush=True)
    seen = inspect_service(given.service, offline=given.offline, say=say)
    findings = review(seen, _others(base, seen.urn), {tool.definition.name for tool in BUILTINS})
    broken = any(one.level == "error" for one in findings)
    if given.json:
        told = {"service": seen.name, "urn": seen.urn, "kind": seen.kind, "seconds": seen.seconds, "ok": not broken}
        print(json.dumps(told | {"findings": [asdict(one) for one in findings]}, ensure_ascii=False, indent=2))
        return int(broken)
    started = "" if seen.seconds is None else f", ready after {span(seen.seconds)}"
    print(f"{seen.name} ({seen.kind}){started}")
    _table(findings)
    counts = [_count(sum(one.level == level for one in findings), level) for level in ("error", "warning")]
    print(f"{' and '.join(counts)}: " + ("not fit to be deployed" if broken else "fit to be deployed"))
    return int(broken)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _table(findings: list[Finding]) -> None:
    paint = Paint(sys.stdout)
    width = max((len(one.about) for one in findings), default=0)
    for one in findings:
        level = paint(f"{one.level:<7}", COLOURS[one.level])
        message = one.message.replace("\n", "\n" + " " * (width + 13))
        print(f"  {level}  {one.about:<{width}}  {message}")


def _others(base: Path, urn: str) -> Mapping[str, str]:
    """Tool names that other services of this directory have."""
    with LocalIVCAP(base, trust_services=True) as ivcap:
        found = {}
        for aspect in ivcap.list_aspects(schema=TOOL_SCHEMA, limit=200):
            if aspect.entity != urn and isinstance(aspect.content, dict):
                name = aspect.content.get("name")
                found[wanted_name(name if isinstance(name, str) else None)] = str(name)
        return {name: told for name, told in found.items() if name}
