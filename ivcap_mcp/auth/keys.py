"""The public keys of an issuer: fetched when needed, kept for a while, fetched again when a new one is in use."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import jwt

from ivcap_mcp.auth.discovery import Unavailable

log = logging.getLogger("ivcap_mcp.auth")

MOST_KEYS = 100
KINDS = ("RSA", "EC", "OKP")
RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS = RSA | {"ES256", "ES384", "ES512", "EdDSA"}
"""Signatures that count: those that need a private key. With a shared secret, whoever checks could also sign."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: its id, the algorithms it may sign with, and the key itself."""

    kid: str | None
    signs: frozenset[str]
    public: Any


class Keys:
    """A key set with a memory.

    Args:
        fetch: Gets the key set (RFC 7517) from its issuer.
        fresh: Seconds for which it is taken as it is.
        stale: Seconds for which it still counts while the issuer cannot be asked.
        gap: Seconds between two fetches for keys that are not known: strangers' tokens must not become a flood.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Mapping[str, Any]]],
        *,
        fresh: float = 300.0,
        stale: float = 86_400.0,
        gap: float = 10.0,
    ) -> None:
        self._fetch, self._fresh, self._stale, self._gap = fetch, fresh, stale, gap
        self._keys: list[Key] = []
        self._fetched = self._tried = -1e9
        self._lock = anyio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that signs like this; `None` if the issuer has none.

        Raises:
            Unavailable: The issuer was never reached, or not for too long.
        """
        if self._age() > self._fresh:
            await self._refresh(lambda: self._age() > self._fresh and time.monotonic() - self._tried > self._gap)
        if not self._keys and self._age() > self._stale:
            raise Unavailable("the keys of the issuer cannot be had")
        found = self._known(kid, algorithm)
        if found is None:  # rotated since
            before = self._tried
            await self._refresh(lambda: self._tried == before and time.monotonic() - before > self._gap)
            found = self._known(kid, algorithm)
        return found

    def _age(self) -> float:
        return time.monotonic() - self._fetched

    def _known(self, kid: str | None, algorithm: str) -> Key | None:
        fits = [key for key in self._keys if algorithm in key.signs]
        if kid is not None:
            return next((key for key in fits if key.kid == kid), None)
        return fits[0] if len(fits) == 1 else None

    async def _refresh(self, wanted: Callable[[], bool]) -> None:
        async with self._lock:  # one asks, the others find its answer
            if not wanted():
                return
            self._tried = time.monotonic()
            try:
                told = (await self._fetch()).get("keys")
                if not isinstance(told, list):
                    raise Unavailable("its answer is no set of keys")
            except Unavailable as error:
                if self._age() > self._stale:
                    self._keys = []
                log.warning("the issuer's keys could not be fetched: %s", error)
                return
            self._keys = [key for one in told[:MOST_KEYS] if (key := _key(one))]
            self._fetched = time.monotonic()


def _key(told: Any) -> Key | None:
    """A public key for signatures; others are passed over, and so is a shared secret."""
    if not isinstance(told, dict) or told.get("kty") not in KINDS or told.get("use", "sig") != "sig":
        return None
    try:
        read = jwt.PyJWK.from_dict(told)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    # An RSA key that names no algorithm signs in any of these ways; other kinds have one way only.
    anyhow = told["kty"] == "RSA" and told.get("alg") is None
    return Key(read.key_id, RSA if anyhow else ALGORITHMS & {read.algorithm_name}, read.key)
