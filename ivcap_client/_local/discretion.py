"""Secrets that a tool was told, taken out of what it lets slip: results, events, messages; its log by its guard."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from .._core.messages import Source
from .guard import hide

LEAST = 8
"""Characters of a user's secret that is looked for; a shorter one would be found where it is none."""

PIECE = 1024 * 1024


class Discretion:
    """What one process was told in confidence.

    Args:
        credential: Last part of the address it reports to.
    """

    def __init__(self, credential: str) -> None:
        self._words = [credential.encode()]

    def add(self, secret: str) -> list[bytes]:
        """Also keep a secret back; return the new words to look for: itself, and as JSON and URLs spell it."""
        if len(secret) < LEAST:
            return []
        as_json, as_text = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
        spelled = (one.encode("utf-8", "replace") for one in (secret, as_json, as_text, quote(secret, safe="")))
        fresh = [word for word in dict.fromkeys(spelled) if word not in self._words]
        self._words.extend(fresh)
        return fresh

    def data(self, data: bytes) -> bytes:
        """The data without what is kept back."""
        return hide(data, self._words, last=True)[0]

    def text(self, text: str) -> str:
        """The text without what is kept back."""
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def value(self, value: Any) -> Any:
        """A JSON value whose texts are without what is kept back."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(one) for key, one in value.items()}
        return value

    def kept(self, body: bytes | Source | None) -> bytes | Source | None:
        """A result without what is kept back, wherever the pieces of a source are cut."""
        if body is None or isinstance(body, bytes):
            return None if body is None else self.data(body)
        return _Discreet(body, self._words)


class _Discreet:
    def __init__(self, source: Source, words: list[bytes]) -> None:
        self._source, self._words = source, words
        self._shown, self._held, self._ended = b"", b"", False

    def read(self, size: int, /) -> bytes:
        while not self._shown and not self._ended:
            piece = self._source.read(size if size > 0 else PIECE)
            self._ended = not piece
            self._shown, self._held = hide(self._held + piece, self._words, last=self._ended)
        if size <= 0 or len(self._shown) <= size:
            given, self._shown = self._shown, b""
        else:
            given, self._shown = self._shown[:size], self._shown[size:]
        return given
