"""Files of every kind, made here, and a look into them."""

from __future__ import annotations

import io
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from ivcap_mcp import examples
from ivcap_mcp.preview import bounds
from ivcap_mcp.preview.look import Look, Subject, look, opened
from ivcap_mcp.preview.source import Ranged, Source, Streamed

CO2 = examples.path("data/mauna_loa_co2.csv").read_bytes()
LEGS = ("ranged", "streamed")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


def source(data: bytes, leg: str = "ranged", most: int = bounds.MOST_FETCHED) -> Source:
    budget = bounds.Budget(most, time.monotonic() + 60)
    if leg == "ranged":
        return Ranged(lambda first, length: data[first : first + length], len(data), budget)
    return Streamed((data[at : at + 50_000] for at in range(0, len(data), 50_000)), len(data), root=True)


def seen(data: bytes, name: str = "", mime: str | None = None, member: str | None = None, leg: str = "ranged") -> Look:
    return look(opened(Subject(source(data, leg), name, mime, time.monotonic() + 60), member), 100_000)


def why_not(data: bytes, name: str = "", member: str | None = None, leg: str = "ranged") -> str:
    with pytest.raises(bounds.Unreadable) as refused:
        seen(data, name, member=member, leg=leg)
    assert len(str(refused.value)) < 1_000
    return str(refused.value)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return out.getvalue()


def tarred(*entries: tuple[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")


def peak(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
