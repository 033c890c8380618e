"""Tar archives: one made while it is sent, one unpacked without ever leaving its directory."""

from __future__ import annotations

import os
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from ivcap_client._core.messages import MIB
from ivcap_client.exception import InvalidInput, ProtocolError
from ivcap_client.files import TarMember

GIB = 1024 * MIB
MOST_BYTES = 16 * GIB
MOST_MEMBERS = 1_000_000
PIECE = MIB
_BLOCK = 512

Progress = Callable[[int, int | None], None]


class TarSource:
    """A gzipped archive that comes into being as it is read; memory does not depend on its size.

    Nothing runs beside the reader: what a member cannot give is an error of the `read` that wanted it.
    """

    def __init__(self, members: Iterable[TarMember]) -> None:
        self._pieces = _gzipped(_archive(members))
        self._ready = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        while size < 0 or len(self._ready) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._ready += piece
        taken = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(taken)]
        return taken


def checked(members: Iterable[TarMember]) -> list[TarMember] | Iterable[TarMember]:
    """The members; of a list, each file is looked for before anything is sent.

    Raises:
        InvalidInput: A file is not there.
    """
    if not isinstance(members, list | tuple):
        return members
    for member in members:
        if not isinstance(member, TarMember):
            kind = type(member).__name__
            raise InvalidInput(f"could not upload artifact: members: TarMember objects are wanted, {kind} was given")
        if member.file_path is not None and not os.path.isfile(member.file_path):
            raise InvalidInput(f"could not upload artifact: {os.fspath(member.file_path)} is not a file")
    return members


def _archive(members: Iterable[TarMember]) -> Iterator[bytes]:
    for member in members:
        yield from _member(member)
    yield bytes(2 * _BLOCK)


def _member(member: TarMember) -> Iterator[bytes]:
    if member.data is not None:
        yield _header(member, len(member.data), time.time(), 0o644)
        yield member.data
        yield bytes(-len(member.data) % _BLOCK)
        return
    path = os.fspath(member.file_path or "")
    try:
        with open(path, "rb") as file:
            told = os.fstat(file.fileno())
            yield _header(member, told.st_size, told.st_mtime, told.st_mode & 0o777)
            left = told.st_size
            while left and (piece := file.read(min(left, PIECE))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise InvalidInput(f"could not upload artifact: {path} cannot be read ({error.strerror})") from None
    if left:
        raise InvalidInput(f"could not upload artifact: {path} became shorter while it was being sent")
    yield bytes(-told.st_size % _BLOCK)


def _header(member: TarMember, size: int, mtime: float, mode: int) -> bytes:
    info = tarfile.TarInfo(member.arcname)
    info.size = size
    info.mtime = int(mtime if member.mtime is None else member.mtime)
    info.mode = mode if member.mode is None else member.mode
    return info.tobuf(tarfile.PAX_FORMAT)


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()


def unpack(
    archive: Path,
    target: Path,
    *,
    most_bytes: int = MOST_BYTES,
    most_members: int = MOST_MEMBERS,
    progress: Progress | None = None,
    total: int | None = None,
) -> Path:
    """Unpack files and directories; everything is looked at before the first is written.

    Args:
        archive: A tar file, gzip, bzip2 or xz.
        target: Directory to unpack to; it is made.
        most_bytes: Unpacked bytes that are allowed.
        most_members: Members that are allowed.
        progress: Told the bytes written, and `total`.
        total: Passed on to `progress`.

    Returns:
        The directory.

    Raises:
        InvalidInput: It is no tar archive.
        ProtocolError: It holds a link or a device, leads out of the directory, or is too large. Nothing was written.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            found = _looked_at(tar, target, most_bytes, most_members)
            target.mkdir(parents=True, exist_ok=True)
            root, done = target.resolve(), 0
            for member, place in found:
                if not place.resolve().is_relative_to(root):  # a link that lay there before
                    raise ProtocolError(f"could not unpack: {member.name!r} would leave {target}")
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                for size in _written(tar, member, place):
                    done += size
                    if progress is not None:
                        progress(done, total)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        told = str(error).splitlines()[0].rstrip(":")
        raise InvalidInput(f"could not unpack: this is not a whole tar archive ({told})") from None
    return target


def _looked_at(
    tar: tarfile.TarFile, target: Path, most_bytes: int, most_members: int
) -> list[tuple[tarfile.TarInfo, Path]]:
    found, size = [], 0
    for member in tar:
        found.append((member, _place(member, target)))
        size += member.size
        if size > most_bytes:
            raise ProtocolError(f"could not unpack: it holds more than the {most_bytes} bytes allowed (max_bytes)")
        if len(found) > most_members:
            raise ProtocolError(f"could not unpack: it holds more than the {most_members} members allowed")
    return found


def _place(member: tarfile.TarInfo, target: Path) -> Path:
    name = member.name.replace("\\", "/") if os.name == "nt" else member.name
    path = PurePosixPath(name.lstrip("/"))
    if ".." in path.parts or "\0" in name or (os.name == "nt" and ":" in name):
        raise ProtocolError(f"could not unpack: {member.name!r} would land outside {target}")
    if not (member.isfile() or member.isdir()):
        raise ProtocolError(
            f"could not unpack: {member.name!r} is a link or a device; only files and directories are unpacked. "
            "Use as_local_file() to get the archive itself"
        )
    return target.joinpath(*path.parts)


def _written(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> Iterator[int]:
    source = tar.extractfile(member)
    assert source is not None
    place.unlink(missing_ok=True)  # what lay there is replaced, not written into: it may be known elsewhere too
    with source, open(place, "xb") as file:
        while piece := source.read(PIECE):
            file.write(piece)
            yield len(piece)
    os.chmod(place, (member.mode & 0o755) | 0o600)
    os.utime(place, (member.mtime, member.mtime))
