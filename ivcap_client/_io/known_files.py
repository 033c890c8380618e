"""Which artifact a file is already: a note beside it, in the form that other IVCAP clients write and read.

`.ivcap-<name>.txt` holds lines `<md5>|<artifact URN>`. Others read its first line only; we keep one for each artifact
that was the file, since a file may have been sent to several deployments. A note is a hint: whoever uses it looks
whether the platform has that artifact.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from ivcap_client._core.messages import MIB

log = logging.getLogger(__name__)

MOST_MARKED = 256 * MIB
"""Files larger than this are not marked by an upload: it would take as long as the upload to hash them."""
_MOST_NOTE = 64 * 1024
_MOST_LINES = 8
_LINE = re.compile(r"([0-9a-f]{32})\|(urn:[^\s|]+)")


def side_file(path: Path) -> Path:
    return path.with_name(f".ivcap-{path.name}.txt")


def known(path: Path) -> list[str]:
    """URNs of artifacts that this file is, by its note; none where there is no note, or not one of ours."""
    lines = _lines(side_file(path))
    if not lines:
        return []
    digest = md5(path)
    return [urn for told, urn in lines if told == digest]


def mark(path: Path, urn: str) -> None:
    """Note that a file is an artifact. Where nothing can be written beside it, it is not noted."""
    from ivcap_client._io.files import write_whole

    place, digest = side_file(path), md5(path)
    others = [(told, other) for told, other in _lines(place) if told == digest and other != urn]
    text = "".join(f"{told}|{other}\n" for told, other in [(digest, urn), *others[: _MOST_LINES - 1]])
    try:
        write_whole(place, text.encode())
    except OSError as error:
        log.debug("%s was not marked as %s: %s", path, urn, error)


def md5(path: Path, blocksize: int = MIB) -> str:
    """MD5 of a file: what the notes go by. It protects nothing."""
    import hashlib

    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(blocksize):
            digest.update(block)
    return digest.hexdigest()


def _lines(place: Path) -> list[tuple[str, str]]:
    try:
        with place.open("rb") as file:
            text = file.read(_MOST_NOTE).decode("ascii", "replace")
    except OSError:
        return []
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [(line[1], line[2]) for line in found if line]
