"""Who the embedded platform is, and the URNs it hands out."""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote, unquote

ACCOUNT = "urn:ivcap:account:00000000-0000-5000-8000-000000000001"
"""The one account of every embedded platform. Constant, so that a service has the same URN on every machine."""

POLICY_ASPECT = "urn:ivcap:policy:ivcap.open.metadata"
POLICY_ARTIFACT = "urn:ivcap:policy:ivcap.base.artifact"
POLICY_SERVICE = "urn:ivcap:policy:ivcap.base.service"

SCHEMA_JOB = "urn:ivcap:schema:job.2"
SCHEMA_JOB_INPUT = "urn:ivcap:schema:job.input.1"
SCHEMA_JOB_STATUS = "urn:ivcap:schema:job.status.1"
SCHEMA_JOB_RESULT = "urn:ivcap:schema.job-result.1"
SCHEMA_ARTIFACT = "urn:ivcap:schema.artifact.1"
SCHEMA_PRODUCED = "urn:ivcap:schema:order-produced-artifact.1"
SCHEMA_USED = "urn:ivcap:schema:artifact-usedBy-order.1"
SCHEMA_SERVICE = "urn:ivcap:schema.service.2"
SCHEMA_TOOL = "urn:sd-core:schema.ai-tool.1"

_ANY = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[!-~]+")
_SIGNS = "!$%&'()*+,-./:;=?@_~#"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def urn(kind: str, id: str) -> str:
    """Build `urn:ivcap:<kind>:<id>`."""
    return f"urn:ivcap:{kind}:{id}"


def as_urn(kind: str, text: str) -> str:
    """Write whatever somebody asked for as a URN: as it is if it is or begins like one, else `urn:ivcap:<kind>:…`."""
    plain = unquote(text).strip()
    # One with a letter that no URN has keeps its beginning, or it would begin twice.
    spelled = quote(plain, safe=_SIGNS)
    return spelled if _ANY.fullmatch(spelled) else urn(kind, quote(plain, safe=""))


def new_uuid() -> str:
    """Return a new random UUID as text."""
    return str(uuid.uuid4())


def derived_uuid(urn: str, name: str) -> str:
    """Return the UUID that a fact called `name` about `urn` always has: computed twice, it is the same aspect."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{urn}#{name}"))


def uuid_of(text: str, kind: str) -> str | None:
    """Read the UUID from an identifier as it stands in a path.

    Args:
        text: URN raw (`urn:ivcap:job:…`), the URN still quoted (`urn%3Aivcap…`), or the bare UUID.
        kind: What it must be the URN of: `job`, `artifact`, `aspect`, `service`.

    Returns:
        The UUID in lower case, or `None` if this is not one, or of another kind.
    """
    plain = unquote(text).strip()
    prefix = f"urn:ivcap:{kind}:"
    if plain[: len(prefix)].lower() == prefix:
        plain = plain[len(prefix) :]
    plain = plain.lower()
    return plain if _UUID.match(plain) else None
