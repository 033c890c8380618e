"""Services that stand in `services/*.toml` of a directory: run where the user named the directory, else only listed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from . import specs
from .specs import BadSpec, ServiceSpec

log = logging.getLogger(__name__)

_read: dict[Path, tuple[tuple[int, int, int], ServiceSpec]] = {}
"""By file: what it looked like, and what was read from it. Every request for services looks here."""

_told: dict[Path, str] = {}
"""What was last said of a file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One file: the service it describes, or why it describes none."""

    path: Path
    spec: ServiceSpec | None
    complaint: str = ""


def found(base_dir: Path) -> list[Standing]:
    """Everything that stands there, by name; nothing of it is run by being listed."""
    return [_of(path) for path in sorted((base_dir / "services").glob("*.toml"))]


def trusted(base_dir: Path) -> list[ServiceSpec]:
    """The services of a directory that the user named; what is wrong with one is logged once."""
    listed = []
    for one in found(base_dir):
        if one.spec is not None:
            listed.append(one.spec)
        elif _told.get(one.path) != one.complaint:
            _told[one.path] = one.complaint
            log.warning("a service is left out: %s", one.complaint)
    return listed


def _of(path: Path) -> Standing:
    try:
        status = path.stat()
        look = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = _read.get(path)
        if known is None or known[0] != look:
            # The files of its command may change without it: whoever runs it asks for the spec as it is now.
            known = _read[path] = (look, specs.from_toml(path))
    except (BadSpec, OSError) as problem:
        return Standing(path, None, str(problem))
    _told.pop(path, None)
    return Standing(path, known[1])
