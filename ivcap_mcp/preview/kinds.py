"""What some bytes are: by what they begin with, and only for text by what they are called."""

from __future__ import annotations

import re

LEADS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (257, b"ustar", "tar"),
    (0, b"PAR1", "parquet"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"BM", "bmp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"%PDF-", "pdf"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"CDF\x01", "netcdf"),
    (0, b"CDF\x02", "netcdf"),
    (0, b"SQLite format 3\x00", "sqlite"),
    (0, b"\x93NUMPY", "numpy"),
    (0, b"\x7fELF", "elf"),
)
PACKED = frozenset({"gzip", "bzip2", "xz"})
IMAGES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
}
ENDINGS = {
    "csv": "table",
    "tsv": "table",
    "tab": "table",
    "json": "json",
    "geojson": "json",
    "jsonl": "ndjson",
    "ndjson": "ndjson",
}


def of_bytes(head: bytes) -> str | None:
    """The format that the first bytes (300 are enough) show; `None`: none we know, so perhaps text."""
    for at, mark, kind in LEADS:
        if head[at : at + len(mark)] != mark:
            continue
        if kind == "webp" and not head.startswith(b"RIFF"):
            continue
        if kind == "bmp" and head[6:10] != b"\0\0\0\0":
            continue
        return kind
    return None


def of_text(name: str, mime: str | None) -> str | None:
    """`table`, `json` or `ndjson` where the name or the media type says so."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending in ENDINGS:
        return ENDINGS[ending]
    plain = (mime or "").split(";")[0].strip().lower()
    if plain in ("text/csv", "text/tab-separated-values"):
        return "table"
    if "ndjson" in plain or "jsonl" in plain or "json-seq" in plain:
        return "ndjson"
    return "json" if plain == "application/json" or plain.endswith("+json") else None


def without_packing(name: str) -> str:
    """`data.csv` of `data.csv.gz`, `data.tar` of `data.tgz`."""
    name = re.sub(r"\.(tgz|tbz2?|txz)$", ".tar", name, flags=re.IGNORECASE)
    return re.sub(r"\.(gz|bz2|xz)$", "", name, flags=re.IGNORECASE)
