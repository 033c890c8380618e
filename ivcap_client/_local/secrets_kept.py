"""Secrets of services, in the user's state directory: a tool gets those recorded for its own service, and no others."""

from __future__ import annotations

import json
from pathlib import Path

from . import places
from .approvals import write_private
from .specs import ServiceSpec


def value(base_dir: Path, spec: ServiceSpec, name: str) -> str | None:
    """A secret of a service, or `None`: it has none of that name."""
    found = _read(base_dir).get(spec.urn, {}).get(name)
    return found if isinstance(found, str) else None


def keep(base_dir: Path, service: str, name: str, secret: str) -> None:
    """Record a secret for one service (URN); it takes the place of an older one."""
    known = _read(base_dir)
    known.setdefault(service, {})[name] = secret
    path = _file(base_dir)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps(known).encode())


def _read(base_dir: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(_file(base_dir).read_bytes())
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def _file(base_dir: Path) -> Path:
    return places.state_dir() / "secrets" / f"{places.mark(base_dir)}.json"
