"""The look itself: what is this, and what does a person want to see of it first."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import Any

from ivcap_mcp.preview import archives, images, kinds, packed, parquet, tables, texts, values
from ivcap_mcp.preview.bounds import HEAD, MOST_JSON, Unreadable
from ivcap_mcp.preview.source import Source

SNIFF = 64 * 1024
IMAGE_HEAD = 256 * 1024
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@dataclass(slots=True)
class Look:
    """What was found.

    Attributes:
        kind: `table`, `json`, `ndjson`, `text`, `image`, `archive`, `parquet`, `empty` or `bytes`.
        told: Facts about it.
        image: Bytes and media type of an image small enough to be shown.
    """

    kind: str
    told: dict[str, Any] = field(default_factory=dict)
    image: tuple[bytes, str] | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: bytes, what they are called, what somebody said they are."""

    source: Source
    name: str
    mime: str | None
    until: float
    layers: tuple[str, ...] = ()


def opened(subject: Subject, member: str | None) -> Subject:
    """The subject without compression; or a member of the archive it is.

    Raises:
        Unreadable: It cannot be unpacked, is no archive, or has no such member; the message says what there is.
    """
    source, name, layers = packed.unpacked(subject.source, subject.name, subject.until)
    mime = subject.mime if not layers else None
    if member is None:
        return Subject(source, name, mime, subject.until, tuple(layers))
    kind = archive_kind(source)
    if kind is None:
        raise Unreadable("it is no archive, so it has no members; leave out `member`")
    found = archives.member(source, kind, member)
    if found is None:
        raise NoMember(member)
    inner, inner_name, inner_layers = packed.unpacked(found, member.rpartition("/")[2], subject.until)
    return Subject(inner, inner_name, None, subject.until, (*layers, kind, *inner_layers))


class NoMember(Unreadable):
    """Nothing in the archive has this name, though a directory may."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no file {name[:200]!r} in it")
        self.name = name


def archive_kind(source: Source) -> str | None:
    """`zip` or `tar`, if it is one."""
    kind = kinds.of_bytes(source.head(300))
    return kind if kind in ("zip", "tar") else None


def look(subject: Subject, most_image: int) -> Look:
    """Look at what was opened.

    Raises:
        Unreadable: It is what it is said to be, but cannot be read; the message says why.
    """
    found = _looked(subject, most_image)
    if subject.source.flaw is not None:
        found.told["flaw"] = f"It could not be read to its end: {subject.source.flaw}."
    return found


def _looked(subject: Subject, most_image: int) -> Look:
    source = subject.source
    head = source.head(SNIFF)
    if not head:
        return Look("empty", {"note": "It has no bytes."})
    kind = kinds.of_bytes(head)
    if kind in ("zip", "tar"):
        return Look("archive", {"format": kind} | archives.listing(source, kind))
    if kind in kinds.IMAGES:
        return _image(source, kind, most_image)
    if kind == "parquet":
        return Look("parquet", parquet.preview(source))
    if kind is None:
        found = _text(subject)
        if found is not None:
            return found
    return Look("bytes", {"format": kind or "unknown", "first_bytes": texts.hexadecimal(head[:256])})


def _image(source: Source, kind: str, most: int) -> Look:
    told: dict[str, Any] = {"format": kind}
    sides = images.dimensions(source.head(IMAGE_HEAD), kind)
    if sides is not None:
        told |= {"width": sides[0], "height": sides[1]}
    mime = kinds.IMAGES[kind]
    data = source.head(most + 1)
    if mime not in SHOWN or len(data) > most:
        return Look("image", told | {"note": f"Shown here are PNG, JPEG, GIF and WebP of at most {most} bytes."})
    if sides is None or sides[0] * sides[1] > images.MOST_PIXELS:
        return Look("image", told | {"note": "Not shown: its header is damaged, or claims too many pixels."})
    return Look("image", told, (data, mime))


def _text(subject: Subject) -> Look | None:
    source = subject.source
    wanted = kinds.of_text(subject.name, subject.mime)
    most = MOST_JSON if wanted == "json" and (source.size or 0) <= MOST_JSON else HEAD
    head = source.head(most + 1)
    whole, head = len(head) <= most and source.flaw is None, head[:most]
    found = texts.decoded(head)
    if found is None:
        return None
    text, encoding = found
    told: dict[str, Any] = {"encoding": encoding}
    if not whole:
        told["read"] = f"the first {len(head)} bytes"
    begins = text.lstrip("\ufeff \t\r\n")[:1]
    notes: list[str] = []
    if wanted in ("json", "ndjson") or (wanted is None and begins and begins in "{["):
        lines = values.lines(text, whole) if wanted == "ndjson" or wanted is None or not whole else None
        if lines is not None and (wanted == "ndjson" or text.strip().count("\n")):
            return Look("ndjson", told | lines)
        try:
            return Look("json", told | values.document(text, whole))
        except Unreadable as error:
            lines = values.lines(text, whole)
            if lines is not None:
                return Look("ndjson", told | lines)
            notes.append(f"Shown as text, since {error}.")
    mark = tables.delimiter(text[:SNIFF], subject.name)
    if mark is None and wanted == "table":
        mark = "\t" if subject.name.lower().endswith((".tsv", ".tab")) else ","
    if mark is not None and (wanted == "table" or _looks_tabular(text)):
        try:
            return Look("table", told | tables.table(text, mark, whole, source.size))
        except csv.Error as error:
            notes.append(f"Shown as text, since it cannot be read as a table: {error}.")
    shown = texts.head(text, whole)
    if notes:
        shown["note"] = " ".join(notes)
    return Look("text", told | shown)


def _looks_tabular(text: str) -> bool:
    return text[: 64 * 1024].count("\n") >= 3
