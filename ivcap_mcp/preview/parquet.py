"""Parquet: schema and first rows, through the extra `parquet`, in a process of its own.

The reader is a large native library and the file is anybody's, so it runs where its end is not ours. The child gets a
file with holes: only what it needs is fetched, first the description at the end, then the first rows.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ivcap_mcp.preview.archives import refuse_far_index
from ivcap_mcp.preview.bounds import MIB, Unreadable
from ivcap_mcp.preview.source import Source

MARK = b"PAR1"
MOST_FOOTER = 4 * MIB
MOST_ROWS = 24 * MIB
"""Bytes of the first group of rows that are fetched to show a few of them."""
PATIENCE = 20.0
"""Seconds for the child."""
MISSING = (
    "reading Parquet needs the extra `parquet`, which is not installed: install `ivcap-mcp[parquet]` (for example "
    "`uv tool install 'ivcap-mcp[parquet]'`) and restart this server"
)


def preview(source: Source) -> dict[str, Any]:
    """Schema, counts and first rows.

    Raises:
        Unreadable: The extra is missing, the file is damaged, or it lies out of reach.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise Unreadable(MISSING)
    refuse_far_index(source, "a Parquet file")
    size = source.end()
    tail = source.window(max(0, size - 8), 8)
    length = int.from_bytes(tail[:4], "little")
    if size < 12 or tail[4:] != MARK or length > size - 12:
        raise Unreadable("the Parquet file is cut off: its end is missing")
    if length > MOST_FOOTER:
        raise Unreadable(f"its description of itself has {length} bytes, more than {MOST_FOOTER // MIB} MiB")
    with tempfile.TemporaryDirectory(prefix="ivcap-look-") as folder:
        file = Path(folder) / "look.parquet"
        with file.open("wb") as holes:
            holes.truncate(size)
            _place(holes, 0, MARK)
            _place(holes, size - 8 - length, source.window(size - 8 - length, length + 8))
            holes.flush()
            told = _asked(file, "schema")
            first, end = told.pop("rows_at", [0, 0])
            if not 4 <= first < end <= size - 8 or end - first > MOST_ROWS:
                told["note"] = "No rows are shown: the first group of rows is too large to be fetched for a look."
                return told
            for at in range(first, end, MIB):
                _place(holes, at, source.window(at, min(MIB, end - at)))
            holes.flush()
            return told | _asked(file, "rows")


def _place(file: Any, at: int, data: bytes) -> None:
    file.seek(at)
    file.write(data)


def _asked(file: Path, what: str) -> dict[str, Any]:
    """What the child says of the file."""
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    words = [sys.executable, "-I", str(Path(__file__).with_name("parquet_child.py")), what, str(file)]
    try:
        done = subprocess.run(words, capture_output=True, timeout=PATIENCE, env=env, check=False)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"its Parquet content could not be read within {PATIENCE:g} s") from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise Unreadable(f"the Parquet reader gave up on it (exit code {done.returncode})") from None
    if "error" in told:
        raise Unreadable(f"the Parquet file is damaged ({told['error']})")
    return dict(told)
