"""What a call wants to order, and when two of them are the same."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMESPACE = uuid.UUID("5b0e1f0c-6a0c-5f5e-9a53-0d6f1f6d2c11")
"""Under this, a caller's own key becomes an order's URN."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An intent to run a service once.

    Attributes:
        id: Names the submission; `get_job` takes it where the job's URN never came back.
        order: URN sent along, under which platforms that keep it find the job again.
        origin: The platform.
        identity: Whose job it is, hashed.
        service: URN of the service.
        input_hash: SHA-256 of the canonical request.
        t0: When, in seconds since 1970 by our clock.
        owner: The server that submits; empty where that does not matter.
        until: When its call is over at the latest.
    """

    id: str
    order: str
    origin: str
    identity: str
    service: str
    input_hash: str
    t0: float
    owner: str = ""
    until: float = 0.0

    @property
    def call(self) -> tuple[str, str, str, str]:
        """What makes two calls identical."""
        return self.identity, self.origin, self.service, self.input_hash


def submission(
    origin: str, identity: str, service: str, body: Any, key: str | None = None, *, lasts: float = 0.0
) -> Submission:
    """A new intent; with a caller's `key` its order is the same whenever the key is.

    Args:
        origin: The platform.
        identity: Whose job it is.
        service: URN of the service.
        body: The request.
        key: The caller's idempotency key.
        lasts: Seconds after which the call is over at the latest.
    """
    order = uuid.uuid5(NAMESPACE, f"{identity}\n{origin}\n{service}\n{key}") if key else uuid.uuid4()
    now = time.time()
    return Submission(
        id=str(uuid.uuid4()),
        order=f"urn:ivcap:order:{order}",
        origin=origin,
        identity=identity,
        service=service,
        input_hash=canonical_hash(body),
        t0=now,
        until=now + lasts,
    )


def canonical_hash(body: Any) -> str:
    """The same for requests that mean the same, also after a platform wrote them anew: 1.0 is 1."""
    canonical = json.dumps(_plain(body), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True, slots=True)
class Ordering:
    """The intent is on disk: order its job."""

    intent: Submission


@dataclass(frozen=True, slots=True)
class Attached:
    """There is a job already, and it is this call's now."""

    job: str
    by: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An earlier order may have made the job; `busy` while a server is still finding out."""

    intent: Submission
    busy: bool


@dataclass(frozen=True, slots=True)
class Differs:
    """The key stands for another input."""

    job: str | None


Begun = Ordering | Attached | Unsettled | Differs
