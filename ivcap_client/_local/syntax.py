"""Whether the Python files of a service are Python: said at once, with the line, before anything is built or kept."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from .environments import EnvironmentFailed, fits
from .specs import PYTHON, BadSpec, ServiceSpec


def check(spec: ServiceSpec) -> None:
    """Read the Python files that a command names, if this Python may judge them.

    Raises:
        BadSpec: One is no Python, with its line; or `requires-python` cannot be read.
    """
    try:
        ours = fits(sys.version_info[:3], spec.requirements.python if spec.requirements else "")
    except EnvironmentFailed as problem:
        raise BadSpec(f"service {spec.name}: {problem}") from problem
    if not ours or PYTHON not in spec.command:
        return  # another Python runs it, which may know more
    for word in spec.command:
        path = Path(spec.cwd or ".", word)
        if path.suffix == ".py" and path.is_file():
            _check(path)


def _check(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is only doubtful is for its author's own tools
        try:
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except SyntaxError as problem:
            where = f"{path}:{problem.lineno}" if problem.lineno else str(path)
            line = f"\n    {problem.text.strip()}" if problem.text and problem.text.strip() else ""
            raise BadSpec(f"{where}: this is no Python: {problem.msg}{line}") from problem
        except (OSError, ValueError) as problem:
            raise BadSpec(f"{path}: this is no Python: {problem}") from problem
