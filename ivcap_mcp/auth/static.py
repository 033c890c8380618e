"""`--auth token`: whoever knows a token is let in, as the name it was made for."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ivcap_client.exception import ConfigError
from ivcap_mcp.auth.caller import LONGEST, Caller, Refused
from ivcap_mcp.auth.tokens import TokenFile

log = logging.getLogger("ivcap_mcp.auth")

NEEDED = "a bearer token is needed: the server printed it when it started"


class TokenGate:
    """Knows one caller: who has one of these tokens. They are compared by hash, in constant time."""

    withdraws = False

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]

    async def caller(self, token: str) -> Caller:
        digest = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise Refused(401, NEEDED)
        return Caller("token", "who knows the token", token)

    def withdrawn(self, caller: Caller) -> bool:
        return False

    def challenge(self, refused: Refused) -> str:
        return 'Bearer realm="ivcap-mcp"'

    def document(self, path: str) -> Mapping[str, Any] | None:
        return None


class NamedTokenGate:
    """Knows the callers of a file of named tokens; a changed file counts from the next request on."""

    withdraws = True

    def __init__(self, file: TokenFile) -> None:
        self._file = file

    async def caller(self, token: str) -> Caller:
        try:
            name = self._file.named(token) if 0 < len(token) <= LONGEST else None
        except ConfigError as error:
            log.error("nobody can be let in: %s", error)  # a broken file must not let old tokens live on
            raise Refused(503, "the server cannot read its tokens; its operator finds the reason in its log") from None
        if name is None:
            sent = "this bearer token is not known here, or has ended" if token else "a bearer token is needed"
            raise Refused(
                401, f"{sent}: ask the operator of this server for one", error="invalid_token" if token else ""
            )
        return Caller(f"token:{name}", name, token)

    def withdrawn(self, caller: Caller) -> bool:
        try:
            return self._file.named(caller.token) != caller.name
        except ConfigError:
            return False  # nobody new is let in meanwhile; who was, is not cut off by a slip of the operator's

    def challenge(self, refused: Refused) -> str:
        return 'Bearer realm="ivcap-mcp"' + (f', error="{refused.error}"' if refused.error else "")

    def document(self, path: str) -> Mapping[str, Any] | None:
        return None
