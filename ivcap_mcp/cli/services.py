"""`ivcap-mcp services`: which AI tools the embedded platform may run."""

from __future__ import annotations

import argparse

from ivcap_client.platform import add_service, added_services, remove_service
from ivcap_mcp.cli.platform import where


def run(given: argparse.Namespace) -> int:
    """Add, remove or list."""
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
    found = added_services(base)
    if not found:
        print(f"no service was added for {base}; add one with `ivcap-mcp services add PATH`")
    for service in found:
        print(f"{service.name}  {service.urn}  {service.source}")
        if service.complaint:
            print(f"  does not run: {service.complaint}")
    return 0
