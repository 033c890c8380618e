"""Who asks, and what stands at the door: a `Gate` turns a request's credential into a `Caller`, or refuses it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

BEARER = "bearer "
LONGEST = 16_384
"""Characters of a credential that are looked at."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in.

    Attributes:
        id: Who it is, the same with each credential of theirs; never shown, since it may name a person.
        name: How they are called in messages to themselves.
        token: The credential that came with the request; in no `repr`, log or message.
        scopes: What the credential permits.
        expires: When it ends, in seconds since 1970; 0: never.
        claims: What the issuer says about them.
    """

    id: str
    name: str
    token: str = field(default="", repr=False)
    scopes: frozenset[str] = frozenset()
    expires: float = 0.0
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def mark(self) -> str:
        """The identity, hashed: names directories, log lines and measurements."""
        return mark_of(self.id)


def mark_of(identity: str) -> str:
    """The hash under which an identity is known where it must not be read."""
    return hashlib.sha256(f"ivcap-mcp caller\n{identity}".encode()).hexdigest()[:32]


class Refused(Exception):
    """A request that is not let in.

    Attributes:
        status: 401: no usable credential; 403: one that does not permit this; 503: nobody can tell now.
        message: What is wrong, for people.
        error: RFC 6750's word for it; empty where no credential was sent.
        retry_after: Seconds after which it may be tried again.
    """

    def __init__(self, status: int, message: str, error: str = "", retry_after: float | None = None) -> None:
        super().__init__(status, message, error)
        self.status, self.message, self.error, self.retry_after = status, message, error, retry_after


class Gate(Protocol):
    """What stands at the door.

    Attributes:
        withdraws: Whether a credential can be taken back while a request with it is open.
    """

    withdraws: bool

    async def caller(self, token: str) -> Caller:
        """Whose token this is; empty: none was sent.

        Raises:
            Refused: Nobody's.
        """
        ...

    def withdrawn(self, caller: Caller) -> bool:
        """Whether the credential that somebody was let in with was taken back meanwhile; asked again and again."""
        ...

    def challenge(self, refused: Refused) -> str:
        """The `WWW-Authenticate` header that goes with a refusal."""
        ...

    def document(self, path: str) -> Mapping[str, Any] | None:
        """What is published under a path below `/.well-known/`, if anything is."""
        ...


def bearer(headers: Mapping[bytes, bytes]) -> str:
    """The token of an `Authorization` header; empty if there is none that counts."""
    given = headers.get(b"authorization", b"").decode("latin-1")
    return given[len(BEARER) :].strip() if given[: len(BEARER)].lower() == BEARER else ""


class Anybody:
    """Lets everybody in, as one and the same caller (`--auth none`)."""

    withdraws = False

    async def caller(self, token: str) -> Caller:
        return Caller("anybody", "anybody")

    def withdrawn(self, caller: Caller) -> bool:
        return False

    def challenge(self, refused: Refused) -> str:
        return ""

    def document(self, path: str) -> Mapping[str, Any] | None:
        return None
