"""tar and zip: what is in them, and one member as bytes. Names of members are keys here, never paths."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivcap_mcp.preview.bounds import MIB, MOST_HELD, MOST_MEMBERS, Stopped, Unreadable
from ivcap_mcp.preview.source import Source, Streamed
from ivcap_mcp.text import clip, stripped

BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
)
"""What the standard library raises on damaged archives; found by feeding it some."""
PIECE = 64 * 1024
MOST_HEADER = 256 * 1024
"""Bytes of a tar header that extends another, such as one that holds a long name."""
READ_ZIPS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
"""Others unpack without a bound on what comes out of one step."""
NO_RANGES = (
    "the list of what is in {a} is at its end, and this platform sends no parts of a file (that was tried), so all "
    "of it would have to be fetched: that is done up to {most} MiB, and it has {size} bytes"
)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry. `kind` is `file`, `directory`, or what else it is; `note` says what is odd about it."""

    name: str
    size: int
    kind: str = "file"
    modified: str | None = None
    note: str | None = None

    def told(self) -> dict[str, Any]:
        told = {"member": clip(stripped(self.name), 400), "size": self.size, "kind": self.kind}
        told |= {"modified": self.modified} if self.modified else {}
        note = self.note or _odd(self.name)
        return told | ({"note": note} if note else {})


def refuse_far_index(source: Source, what: str) -> None:
    """Refuse a file whose index is at its end, where that cannot be reached.

    Raises:
        Unreadable: There are no ranges, and it is larger than 32 MiB.
    """
    if not source.ranged and source.size is not None and source.size > MOST_HELD:
        if not source.root:
            raise Unreadable(
                f"{what} inside an archive can be looked into up to {MOST_HELD // MIB} MiB, and it has {source.size} "
                "bytes; upload_artifact with from_artifact and member makes it an artifact of its own"
            )
        raise Unreadable(NO_RANGES.format(a=what, most=MOST_HELD // MIB, size=source.size))


def listing(source: Source, kind: str, under: str = "") -> dict[str, Any]:
    """The members, or those whose names begin with `under`; as many as fit, and why there are no more.

    Raises:
        Unreadable: It is no archive, or damaged before the first member.
    """
    found: list[Member] = []
    total = size = 0
    told: dict[str, Any] = {}
    try:
        for member in _members(source, kind):
            if under and not member.name.startswith(under):
                continue
            total += 1
            size += member.size
            if len(found) < MOST_MEMBERS:
                found.append(member)
    except Unreadable as reached:
        if not found:
            raise
        more = " There may be more." if isinstance(reached, Stopped) else ""
        told["note"] = f"The list stops here: {reached}.{more}"
    told |= {"members": [one.told() for one in found], "member_count": total, "unpacked_size": size}
    if total > len(found):
        told["more"] = f"{total - len(found)} more are not shown; give a directory as `member` to see what is in it."
    return told


def member(source: Source, kind: str, name: str) -> Source | None:
    """One member's bytes; `None` where nothing has this name, as it is or as it was shown.

    Raises:
        Unreadable: It is a directory or a link, encrypted, or packed in a way we do not read.
    """
    if kind == "zip":
        return _zip_member(_zip(source), name)
    return _tar_member(source, name)


def _members(source: Source, kind: str) -> Iterator[Member]:
    if kind == "zip":
        for info in _zip(source).infolist():
            note = "encrypted" if info.flag_bits & 1 else None
            when = _when(info.date_time)
            what = "directory" if info.filename.endswith("/") else "file"  # its own `is_dir` takes no empty name
            yield Member(info.filename, info.file_size, what, when, note)
        return
    for _, found in _tar(source):
        kinds = (("file", found.isfile()), ("directory", found.isdir()), ("link", found.issym() or found.islnk()))
        what = next((word for word, fits in kinds if fits), "special")
        note = f"leads to {clip(stripped(found.linkname), 200)}; links are not followed" if what == "link" else None
        yield Member(found.name, max(0, found.size), what, _stamp(found.mtime), note)


def _zip(source: Source) -> zipfile.ZipFile:
    refuse_far_index(source, "a zip")
    try:
        return zipfile.ZipFile(source)
    except BROKEN as error:
        raise Unreadable(f"the zip cannot be read, it may be cut off or damaged ({_said(error)})") from None


def _zip_member(archive: zipfile.ZipFile, name: str) -> Source | None:
    by_name = {info.filename: info for info in archive.infolist()}
    info = by_name.get(name) or next((one for one in by_name.values() if stripped(one.filename) == name), None)
    if info is None or info.filename.endswith("/"):
        return None
    if info.flag_bits & 1:
        raise Unreadable("this member is encrypted")
    if info.compress_type not in READ_ZIPS:
        raise Unreadable(f"this member is packed with method {info.compress_type}, which is not read here")
    chosen = info

    def pieces() -> Iterator[bytes]:
        try:
            with archive.open(chosen) as file:
                while piece := file.read(PIECE):
                    yield piece
        except BROKEN as error:
            raise Unreadable(f"this member is damaged ({_said(error)})") from None

    return Streamed(pieces(), info.file_size)


def _tar(source: Source) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Headers, each without having read what it describes where that can be jumped over."""
    try:
        archive = (
            tarfile.TarFile.open(fileobj=source, mode="r:", tarinfo=_Header)
            if source.ranged
            else tarfile.TarFile.open(fileobj=_Forward(source.pieces()), mode="r|", tarinfo=_Header)
        )
        while (found := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would remember all, and there may be millions
            yield archive, found
    except BROKEN as error:
        raise Unreadable(f"the tar is cut off or damaged here ({_said(error)})") from None


def _tar_member(source: Source, name: str) -> Source | None:
    archive, found = next(
        ((archive, found) for archive, found in _tar(source) if name in (found.name, stripped(found.name))),
        (None, None),
    )
    if archive is None or found is None or found.isdir():
        return None
    if not found.isfile():
        raise Unreadable(f"this member has no content, it leads to {clip(stripped(found.linkname), 200)!r}")
    chosen = found

    def pieces() -> Iterator[bytes]:
        try:
            content = archive.extractfile(chosen)
            while content is not None and (piece := content.read(PIECE)):
                yield piece
        except BROKEN as error:
            raise Unreadable(f"this member is cut off or damaged ({_said(error)})") from None

    return Streamed(pieces(), found.size)


class _Header(tarfile.TarInfo):
    """A header whose extensions (long names, attributes) are not larger than they ever need to be."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        extends = (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if self.type in extends and self.type != tarfile.GNUTYPE_SPARSE and self.size > MOST_HEADER:
            raise Stopped(f"a header asks to read {self.size} bytes for a name")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Forward(io.RawIOBase):
    """A stream for `tarfile`, which reads on and never back."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = size if size is not None and size >= 0 else PIECE
        while len(self._rest) < wanted and (piece := next(self._pieces, b"")):
            self._rest += piece
        found, self._rest = self._rest[:wanted], self._rest[wanted:]
        return found


def _odd(name: str) -> str | None:
    """A warning for names with which unpacking could write elsewhere."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return "its name leads out of the directory it is unpacked in; be careful when unpacking this archive"
    return None


def _when(moment: tuple[int, ...]) -> str | None:
    try:
        return datetime(*moment).isoformat()  # type: ignore[arg-type]
    except ValueError:
        return None


def _stamp(seconds: float) -> str | None:
    from datetime import UTC

    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _said(error: Exception) -> str:
    return clip(" ".join(stripped(str(error)).split()), 200) or type(error).__name__
