"""Real AI tools and data that come with the package: for `ivcap-mcp demo`, for trials and as patterns to follow.

The tools are scripts with inline metadata (PEP 723); they run in environments of their own and are never imported.
"""

from importlib.resources import files
from pathlib import Path, PurePosixPath

__all__ = ["path"]


def path(name: str) -> Path:
    """Say where a packaged example lies on disk.

    Args:
        name: Its path inside this package, parts joined by `/`, such as `co2_trend.py` or `data/mauna_loa_co2.csv`.

    Returns:
        The absolute path of an existing file.

    Raises:
        FileNotFoundError: There is no such example, `name` leads out of the package, or the package is not installed
            as plain files (a tool is started as a process, so it must be a file).
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise FileNotFoundError(f"no example named {name!r}")
    found = files(__name__).joinpath(*parts)
    if not isinstance(found, Path) or not found.is_file():
        raise FileNotFoundError(f"no example named {name!r}")
    return found.resolve()
