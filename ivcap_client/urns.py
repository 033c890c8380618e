"""What a URN is: parse, build, refuse."""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote

from ivcap_client.exception import InvalidInput

__all__ = ["TOOL_SCHEMA", "UNSET", "URN", "Unset", "identifier", "is_urn", "kind_of", "quoted", "urn_of"]

URN = str
"""A URN is plain text; the alias says what is meant."""


TOOL_SCHEMA = "urn:sd-core:schema.ai-tool.1"
"""Schema of the aspects that describe services as tools."""


class Unset:
    """What the public SDK gives for an argument that was left out; here it is the same as `None`."""

    def __bool__(self) -> bool:
        return False


UNSET = Unset()

# No lone halves of characters: no address and no database can hold them.
_URN = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[^\s\x00-\x1f\x7f\ud800-\udfff]+")
_MOST = 2048


def is_urn(text: str) -> bool:
    """Whether the text has the form of a URN (RFC 8141, loosely: schemas carry dots and `#`)."""
    return len(text) <= _MOST and _URN.fullmatch(text) is not None


def identifier(text: str, what: str) -> str:
    """The text, if it can name something on the platform.

    Raises:
        InvalidInput: It is empty, too long, or neither a URN nor a UUID.
    """
    if not isinstance(text, str) or not text:
        raise InvalidInput(f"{what}: a URN is wanted, {text!r} was given")
    if is_urn(text):
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidInput(f"{what}: {text[:100]!r} is neither a URN nor a UUID") from None


def quoted(text: str) -> str:
    """The identifier as one path segment: nothing in it can end the segment or climb out of it."""
    return quote(text, safe="")


def kind_of(urn: str) -> str | None:
    """`artifact` of `urn:ivcap:artifact:…`; `None` for other URNs."""
    parts = urn.split(":", 3)
    return parts[2] if len(parts) == 4 and parts[0] == "urn" and parts[1] == "ivcap" else None


def urn_of(kind: str, text: str) -> str:
    """The full URN for an id given as URN or bare UUID."""
    return text if text.startswith("urn:") else f"urn:ivcap:{kind}:{text}"
