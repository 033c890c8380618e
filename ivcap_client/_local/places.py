"""Where this user's own state and caches live: outside every base directory, which may come from others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

APP = "ivcap-mcp"


def state_dir() -> Path:
    """What the user decided: services added, commands approved. `IVCAP_STATE_DIR` overrides it."""
    return _place("IVCAP_STATE_DIR", "user_state_dir")


def cache_dir() -> Path:
    """What can be made again: environments, descriptions. `IVCAP_CACHE_DIR` overrides it."""
    return _place("IVCAP_CACHE_DIR", "user_cache_dir")


def data_dir() -> Path:
    """The base directory of the server and its commands when none is named."""
    import platformdirs

    return Path(platformdirs.user_data_dir(APP, appauthor=False))


def mark(base_dir: Path) -> str:
    """A short name for one base directory, to keep its state apart from that of others."""
    return hashlib.sha256(os.path.realpath(base_dir).encode()).hexdigest()[:16]


def _place(variable: str, function: str) -> Path:
    told = os.environ.get(variable)
    if told:
        return Path(told).expanduser().absolute()
    import platformdirs  # 25 ms, not needed where the variable is set

    return Path(getattr(platformdirs, function)(APP, appauthor=False))
