"""Credentials: small objects that put themselves on a request and never show what they hold."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable

from ivcap_client.exception import ConfigError, NotSignedIn

__all__ = ["BasicAuth", "BearerAuth", "FileAuth", "NoAuth", "RefreshingAuth"]

MOST_TOKEN = 65536
"""Characters of a token that is read from a file."""


class NoAuth:
    """No credential: inside a job container, and for the embedded platform.

    Examples:
        >>> from ivcap_client import IVCAP, NoAuth
        >>> IVCAP("http://127.0.0.1:8080", auth=NoAuth()).url
        'http://127.0.0.1:8080'
    """

    def apply(self, headers: dict[str, str]) -> None:
        """Leave the headers as they are."""

    def __repr__(self) -> str:
        return "NoAuth()"


class BearerAuth:
    """A fixed token.

    Examples:
        >>> from ivcap_client import IVCAP, BearerAuth
        >>> IVCAP("https://platform.example.org", auth=BearerAuth("t0ken")).url
        'https://platform.example.org'
    """

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header."""
        headers["authorization"] = f"Bearer {self._token}"

    def __repr__(self) -> str:
        return "BearerAuth(…)"


class BasicAuth:
    """User and password, as some gateways in front of a platform want them.

    Examples:
        >>> from ivcap_client import IVCAP, BasicAuth
        >>> IVCAP("https://platform.example.org", auth=BasicAuth("me", "s3cret")).url
        'https://platform.example.org'
    """

    def __init__(self, user: str, password: str) -> None:
        self._pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header."""
        headers["authorization"] = f"Basic {self._pair}"

    def __repr__(self) -> str:
        return "BasicAuth(…)"


class FileAuth:
    """A token in a file that somebody else keeps fresh, such as a cluster or a script.

    Args:
        path: The file; it holds the token and nothing else.

    Raises:
        ConfigError: It cannot be read, or is empty.

    Examples:
        >>> from ivcap_client import IVCAP, FileAuth
        >>> _ = Path("token").write_text("t0ken")
        >>> IVCAP("https://platform.example.org", auth=FileAuth(Path("token"))).url
        'https://platform.example.org'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(os.path.abspath(path))
        self._mark = self._seen()
        self._token = self._read()

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header."""
        headers["authorization"] = f"Bearer {self._token}"

    def due(self) -> bool:
        """Whether the file changed since it was read."""
        return self._seen() != self._mark

    def keep_fresh(self) -> None:
        """Read the file again if it changed."""
        if self.due():
            self._mark = self._seen()
            self._token = self._read()

    def renew(self) -> None:
        """Read the file again, since its token was refused.

        Raises:
            NotSignedIn: It still holds that token.
        """
        used = self._token
        self._mark = self._seen()
        self._token = self._read()
        if self._token == used:
            raise NotSignedIn(
                "use the token",
                detail=f"the platform does not accept the token in {self._path} (any more)",
                hint="Put a new one into that file; it is read again by itself",
            )

    def _read(self) -> str:
        try:
            with open(self._path, encoding="utf-8") as file:
                token = file.read(MOST_TOKEN).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the token file {self._path} cannot be read: {type(error).__name__}") from None
        if not token:
            raise ConfigError(f"the token file {self._path} is empty")
        return token

    def _seen(self) -> object:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def __repr__(self) -> str:
        return f"FileAuth({self._path!r})"


class RefreshingAuth:
    """A token that can be had anew.

    Args:
        fetch: Blocking; returns a token that is valid now. Called at first use and by `renew`.

    Examples:
        >>> from ivcap_client import IVCAP, RefreshingAuth
        >>> auth = RefreshingAuth(lambda: "a token from wherever you keep it")
        >>> IVCAP("https://platform.example.org", auth=auth).url
        'https://platform.example.org'
    """

    def __init__(self, fetch: Callable[[], str], token: str | None = None) -> None:
        self._fetch, self._token = fetch, token
        self._lock = threading.Lock()

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header; the platform's 401 leads to `renew` where there is no token yet."""
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"

    def renew(self) -> None:
        """Fetch a new token."""
        with self._lock:
            self._token = self._fetch()

    def __getstate__(self) -> dict[str, object]:
        # A lock cannot be pickled, a token should not be.
        return {"_fetch": self._fetch}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(state["_fetch"])  # type: ignore[misc]

    def __repr__(self) -> str:
        return "RefreshingAuth(…)"


def identity_of(auth: object) -> str:
    """Who a credential stands for, hashed: the same after it was renewed where it says who that is.

    A credential that knows says so itself (`identity`), a JSON web token by issuer, subject and account; of any other
    its own hash is the answer.
    """
    if known := getattr(auth, "identity", ""):
        return hashlib.sha256(str(known).encode()).hexdigest()
    headers: dict[str, str] = {}
    getattr(auth, "apply", headers.update)(headers)
    told = headers.get("authorization", "") or repr(sorted(headers.items()))
    parts = told.removeprefix("Bearer ").split(".")
    if len(parts) == 3:
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            claims = None
        if isinstance(claims, dict) and claims.get("sub"):
            kept = {key: claims[key] for key in claims if key in ("iss", "sub") or "account" in key.lower()}
            told = json.dumps(kept, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
