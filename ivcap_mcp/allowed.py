"""Files that may be read for a model: only below the directories the user named, whatever a path or a link says.

A path is looked up with all its links first; then the file is opened from the allowed directory down, one name at a
time and following no link, so that a link put there in between leads nowhere. A hard link is a file like another and
cannot be told apart: whoever can make one in an allowed directory can read the file anyway (Linux:
`fs.protected_hardlinks`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ivcap_mcp.errors import ToolError
from ivcap_mcp.text import clip

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_STEPWISE = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")


def opened(path: str, roots: Sequence[Path]) -> IO[bytes]:
    """The file, open for reading.

    Raises:
        ToolError: It lies outside the roots, is no regular file, or cannot be read.
    """
    if not roots:
        raise ToolError(
            "not_permitted",
            "This server may read no files.",
            "Give the content as `text`; or its number of bytes as `size`, and the answer says how the user sends it.",
        )
    allowed, shown = ", ".join(str(root) for root in roots), repr(clip(path, 300))
    try:
        given = Path(path).expanduser()
        file = (given if given.is_absolute() else roots[0] / given).resolve()
        root = next((real for root in roots if file.is_relative_to(real := root.resolve())), None)
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, an unknown home, a zero byte
        raise ToolError("not_found", f"{shown} is no path: {_said(error)}.", "Check the path.") from None
    if root is None:
        raise ToolError(
            "not_permitted",
            f"{shown} lies outside {allowed}.",
            "Ask the user to put the file there, or to start this server with `--allow-root` and its directory.",
        )
    try:
        handle = _open(root, file)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ToolError("not_found", f"There is no file {shown} under {allowed}.", "Check the path.") from None
    except OSError as error:
        raise ToolError("not_permitted", f"{shown} cannot be read: {_said(error)}.", "Tell the user.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ToolError("not_found", f"There is no file {shown} under {allowed}.", "Check the path.")
    return os.fdopen(handle, "rb")


def _open(root: Path, file: Path) -> int:
    """Open a file whose path holds no link any more; one that is no plain file must not make the call wait."""
    flags = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
    names = file.relative_to(root).parts
    if not names:
        raise IsADirectoryError
    if not _STEPWISE:
        handle = os.open(file, flags)
        if not file.resolve().is_relative_to(root) or not os.path.samestat(os.fstat(handle), os.stat(file)):
            os.close(handle)
            raise PermissionError("it was exchanged while it was opened")
        return handle
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_CLOEXEC", 0))
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(names[-1], flags, dir_fd=folder)
    finally:
        os.close(folder)


def _said(error: Exception) -> str:
    return clip(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
