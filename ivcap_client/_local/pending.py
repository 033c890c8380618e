"""Which service a submitted job runs, kept until it has ended: a new runner can run what an old one did not start.

Kept in the user's state directory and not beside the job: a command found in a base directory may be somebody else's.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import places, specs
from .approvals import write_private
from .specs import BadSpec, ServiceSpec


def record(base_dir: Path, job: str, spec: ServiceSpec) -> None:
    """Note the service of a job (bare UUID)."""
    path = _file(base_dir, job)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps(specs.to_json(spec)).encode())


def recall(base_dir: Path, job: str) -> ServiceSpec | None:
    """The service noted for a job, or `None`: none was, or the note cannot be read."""
    try:
        return specs.from_json(json.loads(_file(base_dir, job).read_bytes()))
    except (OSError, ValueError, BadSpec):
        return None


def forget(base_dir: Path, job: str) -> None:
    """The job has ended."""
    _file(base_dir, job).unlink(missing_ok=True)


def _file(base_dir: Path, job: str) -> Path:
    return places.state_dir() / "jobs" / places.mark(base_dir) / f"{job}.json"
