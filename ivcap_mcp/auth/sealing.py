"""What leaves this process and comes back must be ours, unread and unchanged: sealed with a key of the server's secret.

AES-256-GCM with a random nonce; each purpose has a key of its own, and what is sealed is bound to the place it is for.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12


class Seal:
    """Seals and opens for one purpose.

    Args:
        secret: The server's, which replicas share.
        purpose: What for; what was sealed for another one cannot be opened.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        self._box = AESGCM(hashlib.sha256(f"ivcap-mcp {purpose}\n{secret}".encode()).digest())

    def seal(self, data: bytes, place: str = "") -> bytes:
        """Data that only `open` with the same place gives back."""
        nonce = os.urandom(NONCE)
        return nonce + self._box.encrypt(nonce, data, place.encode())

    def open(self, sealed: bytes, place: str = "") -> bytes | None:
        """What was sealed; `None` if it was not, or not here, or was changed."""
        try:
            return self._box.decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
        except (InvalidTag, ValueError):
            return None

    def text(self, data: bytes) -> str:
        """Sealed, for an address."""
        return base64.urlsafe_b64encode(self.seal(zlib.compress(data))).rstrip(b"=").decode("ascii")

    def of_text(self, text: str) -> bytes | None:
        """What `text` sealed."""
        try:
            opened = self.open(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        except (ValueError, UnicodeEncodeError):
            return None
        return None if opened is None else zlib.decompress(opened)  # we made it: it cannot be a bomb
