"""Where a command is: looked for only where the user, and nobody else, put it on the PATH."""

from __future__ import annotations

import os
import shutil

__all__ = ["on_path"]


def on_path(command: str) -> str | None:
    """Full path of a command, by the absolute directories of the PATH only.

    An empty or relative entry means the working directory, which on Windows counts even unasked: a program that lies in
    an opened repository must not be run for its name.
    """
    here = os.path.realpath(os.getcwd())
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if not os.path.isabs(entry) or os.path.realpath(entry) == here:
            continue
        found = shutil.which(command, path=entry)
        if found is not None and os.path.realpath(os.path.dirname(found)) == os.path.realpath(entry):
            return found
    return None
