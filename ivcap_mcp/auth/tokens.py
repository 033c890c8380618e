"""Static tokens with names, kept as hashes: who reads the file cannot call with what is in it.

```text
# name  hash  [until=when it ends]
anna  sha256:9f86d081…
build-bot  sha256:60303ae2…  until=2026-12-01T00:00:00+00:00
```

Tokens are made here, of 256 random bits, so that a fast hash tells nothing about them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ivcap_client.exception import ConfigError
from ivcap_mcp.drafts import in_place_of, on_disk

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
HASH = re.compile(r"sha256:([0-9a-f]{64})")
MARK = "ivcap-mcp_"
"""What tokens begin with, so that scanners for leaked secrets can know them."""
MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A token as it is kept.

    Attributes:
        name: Whose it is; a name may have several while one replaces another.
        digest: SHA-256 of the token.
        until: When it ends, in seconds since 1970; 0: never.
    """

    name: str
    digest: bytes
    until: float = 0.0

    def line(self) -> str:
        """The entry as it is written."""
        ends = f"  until={datetime.fromtimestamp(self.until, UTC).isoformat()}" if self.until else ""
        return f"{self.name}  sha256:{self.digest.hex()}{ends}"


class TokenFile:
    """Reads and writes the file; a server that has it open sees changes at the next request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._entries: tuple[Entry, ...] = ()
        self._reading = threading.Lock()

    def entries(self) -> tuple[Entry, ...]:
        """All tokens, also those that have ended. Blocking, and read again only when the file has changed.

        Raises:
            ConfigError: The file cannot be read, or has a line that cannot be understood: then nobody is let in.
        """
        with self._reading:
            try:
                about = self.path.stat()
            except FileNotFoundError:
                self._seen, self._entries = None, ()
                return ()
            except OSError as error:
                raise ConfigError(f"the tokens in {self.path} cannot be read: {error.strerror}") from None
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
            if seen != self._seen:
                self._entries, self._seen = self._read(), seen
            return self._entries

    def named(self, token: str) -> str | None:
        """Whose token this is. Takes the same time for each that is kept, whatever was sent."""
        digest, now, found = _digest(token), time.time(), None
        for entry in self.entries():
            if hmac.compare_digest(digest, entry.digest) and (not entry.until or now < entry.until):
                found = entry.name
        return found

    def add(self, name: str) -> str:
        """Make a token for a new name; it is returned here and never shown again.

        Raises:
            ConfigError: The name is taken or is none, or the file cannot be written.
        """
        if not NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a token: letters, digits and . _ @ -, at most 64 of them")
        with self._alone() as entries:
            if any(entry.name == name for entry in entries):
                raise ConfigError(f"{name} has a token already: replace it with `tokens rotate {name}`")
            return self._with_new(name, entries)

    def rotate(self, name: str, grace: float = 0.0) -> str:
        """Make a new token for a name; the old one ends now, or after `grace` seconds.

        Raises:
            ConfigError: There is no such name, or the file cannot be written.
        """
        ends = time.time() + grace
        with self._alone() as entries:
            if not any(entry.name == name for entry in entries):
                raise ConfigError(f"{name} has no token: make one with `tokens add {name}`")
            kept = [
                Entry(name, e.digest, min(e.until or ends, ends)) if e.name == name else e
                for e in entries
                if e.name != name or grace > 0
            ]
            return self._with_new(name, kept)

    def remove(self, name: str) -> bool:
        """End all tokens of a name at once; `False`: it has none.

        Raises:
            ConfigError: The file cannot be written.
        """
        with self._alone() as entries:
            kept = [entry for entry in entries if entry.name != name]
            if len(kept) < len(entries):
                self._write(kept)
            return len(kept) < len(entries)

    def _with_new(self, name: str, entries: list[Entry]) -> str:
        token = MARK + secrets.token_urlsafe(32)
        now = time.time()
        live = [entry for entry in entries if not entry.until or entry.until > now]
        self._write([*live, Entry(name, _digest(token))])
        return token

    @contextmanager
    def _alone(self) -> Iterator[list[Entry]]:
        """Two commands at once must not lose each other's change."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"the tokens in {self.path} cannot be changed: {error.strerror}") from None
        try:
            _locked(handle)
            self._seen = None
            yield list(self.entries())
        finally:
            os.close(handle)

    def _write(self, entries: list[Entry]) -> None:
        text = "# name  hash of the token  [until=when it ends]\n" + "".join(f"{e.line()}\n" for e in entries)
        try:
            with in_place_of(self.path) as out:
                out.write(text.encode())
                on_disk(out)
        except OSError as error:
            raise ConfigError(f"the tokens in {self.path} cannot be changed: {error.strerror}") from None

    def _read(self) -> tuple[Entry, ...]:
        try:
            with self.path.open("rb") as file:
                text = file.read(MOST_BYTES + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the tokens in {self.path} cannot be read: {type(error).__name__}") from None
        if len(text) > MOST_BYTES:
            raise ConfigError(f"{self.path} holds more than {MOST_BYTES} bytes: that is no file of tokens")
        lines = [(number, line.split("#")[0].split()) for number, line in enumerate(text.splitlines(), 1)]
        return tuple(self._entry(number, parts) for number, parts in lines if parts)

    def _entry(self, number: int, parts: list[str]) -> Entry:
        hashed = HASH.fullmatch(parts[1]) if len(parts) in (2, 3) else None
        try:
            if hashed is None or not NAME.fullmatch(parts[0]):
                raise ValueError
            until = 0.0
            if len(parts) == 3:
                when = datetime.fromisoformat(parts[2].removeprefix("until="))
                if when.tzinfo is None or not parts[2].startswith("until="):
                    raise ValueError
                until = when.timestamp()
        except ValueError:
            # The line is not repeated: it may hold a token that somebody put there by mistake.
            raise ConfigError(
                f"{self.path}, line {number}: `name sha256:<64 hex digits> [until=time]` is wanted"
            ) from None
        return Entry(parts[0], bytes.fromhex(hashed[1]), until)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _locked(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: the last of two commands at the same moment wins there
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
