"""`urn:file://<absolute path>`: names of files in `artifacts/`, also of those that were put there by hand."""

from __future__ import annotations

import mimetypes
import uuid
from pathlib import Path
from urllib.parse import unquote

from .._io.files import sha256
from .artifact_record import LocalArtifact
from .identity import POLICY_ARTIFACT

_BEGINNING = "urn:file://"


def is_one(text: str) -> bool:
    """Whether a text is such a name, quoted or not."""
    return text.startswith(_BEGINNING) or unquote(text).startswith(_BEGINNING)


def meant(text: str, files: Path) -> tuple[str, Path] | None:
    """The file below `files` that a name means: its path as records have it, and where it is.

    A path with %20 in it may be meant literally, or quoted as in a URL. What leads out of the directory is none.
    """
    for spelled in dict.fromkeys((text, unquote(text))):
        if not spelled.startswith(_BEGINNING):
            continue
        for raw in dict.fromkeys((spelled[len(_BEGINNING) :], unquote(spelled[len(_BEGINNING) :]))):
            inside = _inside(raw, files)
            if inside is not None:
                return f"artifacts/{inside.as_posix()}", files.resolve() / inside
    return None


def artifact_of(path: Path, relative: str) -> LocalArtifact:
    """The artifact that a file becomes which somebody put there."""
    found = path.stat()
    at = found.st_mtime_ns // 1000
    return LocalArtifact(
        # Computed from the place, so that a directory we may not write still gives one file one URN.
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, path.as_uri())),
        name=path.name,
        status="ready",
        size=found.st_size,
        mime_type=mimetypes.guess_type(path.name)[0],
        sha256=sha256(path),
        path=relative,
        stamp=found.st_mtime_ns,
        policy=POLICY_ARTIFACT,
        collection=None,
        job=None,
        created_at=at,
        modified_at=at,
        length=found.st_size,
        deferred=False,
        open_ended=False,
    )


def _inside(text: str, files: Path) -> Path | None:
    if "\0" in text:
        return None
    path = Path(text)
    try:
        inside = path.resolve(strict=True).relative_to(files.resolve(strict=True))
    except (OSError, ValueError, RuntimeError):
        return None
    return inside if path.is_absolute() and path.is_file() else None
