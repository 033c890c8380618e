"""The file that keeps one person's login at one platform, for this user alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ivcap_client._core import logins
from ivcap_client._core.addresses import origin
from ivcap_client._core.logins import Login
from ivcap_client._io.files import locked, write_whole
from ivcap_client.exception import ConfigError, IvcapTimeout

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700
PATIENCE = 40.0
"""Seconds for which another process may renew a login before that is an error; longer than its requests may take."""


class LoginFile:
    """Keeps the login at one origin.

    Args:
        directory: Where logins are kept; made when one is saved, readable by this user only.
        url: Address of the platform.
    """

    def __init__(self, directory: Path, url: str) -> None:
        scheme, host, port = origin(url)
        name = f"{scheme}://{host}:{port}"
        # The name is for people, the mark tells origins apart whatever a file system thinks of the name.
        readable = "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in host)[:80]
        self.path = directory / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"
        self._origin = (scheme, host, port)

    def load(self) -> Login | None:
        """The login, if there is one that can be used.

        Raises:
            ConfigError: The file cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"the login in {self.path} cannot be read: {error.strerror}") from None
        found = logins.read(self.decoded(data))
        # A file that was copied to another name must not take a token to another origin.
        return found if found is not None and origin(found.url) == self._origin else None

    def save(self, login: Login) -> None:
        """Keep a login instead of the one before.

        Raises:
            ConfigError: It cannot be written.
        """
        try:
            self._make_directory()
            write_whole(self.path, self.encoded(logins.written(login)), mode=PRIVATE_FILE)
        except OSError as error:
            raise ConfigError(f"the login cannot be kept in {self.path}: {error.strerror}") from None

    def encoded(self, data: bytes) -> bytes:
        """What is written; a subclass may encrypt it."""
        return data

    def decoded(self, data: bytes) -> bytes:
        """What `encoded` was given; empty where that cannot be had back."""
        return data

    def remove(self) -> bool:
        """Forget the login. `False`: there was none."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"the login in {self.path} cannot be removed: {error.strerror}") from None
        return True

    def mark(self) -> object:
        """Something that is another after each change; costs no more than a look at the directory."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    @contextlib.contextmanager
    def lock(self, patience: float = PATIENCE) -> Iterator[None]:
        """Be the only one, of all processes of this user, who renews it.

        Raises:
            IvcapTimeout: Another one did not finish in time.
            ConfigError: The directory cannot be written.
        """
        # Beside the login, which is replaced by each save: a lock on a replaced file holds nobody back.
        beside = self.path.with_suffix(".lock")
        try:
            self._make_directory()
            handle = os.open(beside, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise ConfigError(f"the login in {self.path} cannot be locked: {error.strerror}") from None
        try:
            with locked(handle, patience):
                yield
        except BlockingIOError:
            raise IvcapTimeout(
                f"another process has been renewing {self.path} for more than {patience:.0f} s"
            ) from None
        finally:
            os.close(handle)

    def _make_directory(self) -> None:
        self.path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)


def kept_logins(directory: Path) -> list[Login]:
    """The logins that are kept in a directory, by address."""
    found = []
    for path in directory.glob("*.json") if directory.is_dir() else ():
        try:
            login = logins.read(path.read_bytes())
            if login is not None and LoginFile(directory, login.url).path == path:
                found.append(login)
        except (OSError, ConfigError):
            continue  # another process signed out just now, or it is no file, or names no platform
    return sorted(found, key=lambda login: login.url)
