"""Environments of their own for Python judges: none of them could share ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.examples.environments import build
from tests.interop.place import BUILD

SCRIPTS = Path(__file__).parent / "py"


def python_with(*requirements: str) -> Path:
    """An interpreter that has these packages; built once, kept under `build/`."""
    key = hashlib.sha256(repr((requirements, sys.version)).encode()).hexdigest()[:16]
    home = BUILD / "interop" / "environments"
    place = home / key
    if not place.exists():
        home.mkdir(parents=True, exist_ok=True)
        # Built aside and renamed, so that a run that is cut off leaves no half environment.
        aside = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=home))
        try:
            build(aside, list(requirements))
            with contextlib.suppress(OSError):  # another worker was first; its environment is as good
                aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return place / "bin" / "python"


def facts(python: Path, script: str, home: Path, limit: float = 110.0, **asked: Any) -> dict[str, Any]:
    """Run a script of `py/` in another environment; give the JSON object it prints last.

    Args:
        python: The environment's interpreter.
        script: File name.
        home: An empty directory to run in, also its home directory.
        limit: Seconds it may take.
        asked: What it finds, as JSON, in the variable `JUDGE`.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IVCAP_", "PYTHON"))}
    env |= {"JUDGE": json.dumps(asked), "HOME": str(home)}
    done = subprocess.run([python, SCRIPTS / script], env=env, cwd=home, capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
