"""Contexts of the `ivcap` command-line tool: read where it keeps them, never written.

The tool itself renews a token, since it alone may use the refresh token that is in its file.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ivcap_client.commands import on_path
from ivcap_client.exception import ConfigError, NotSignedIn
from ivcap_client.settings import address
from ivcap_mcp.text import clip, stripped

log = logging.getLogger("ivcap_mcp")

TOOL = "ivcap"
PATIENCE = 30.0
"""Seconds the tool may take to renew a token."""
EARLY = 60.0
"""Seconds before its end at which a token is renewed."""
MOST_CONFIG = 4_000_000
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")


@dataclass(frozen=True, slots=True)
class Context:
    """One context as the file has it. `expires_at`: seconds since 1970; 0 where the file names none, which is over."""

    name: str
    url: str
    token: str = field(repr=False)
    expires_at: float
    account: str = ""
    person: str = ""
    email: str = ""
    host: str = ""
    active: bool = False


def config_file(env: Mapping[str, str] | None = None) -> Path:
    """Where the tool keeps its contexts on this system (the user configuration directory of Go programs)."""
    env = os.environ if env is None else env
    if sys.platform == "win32":
        base = Path(env.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        named = env.get("XDG_CONFIG_HOME", "")
        # The specification wants a relative one ignored; here it would also be one that an opened directory chooses.
        base = Path(named) if os.path.isabs(named) else Path.home() / ".config"
    return base / "ivcap-cli" / "config.yaml"


def contexts(file: Path | None = None) -> list[Context]:
    """The contexts that are there; none where the tool is not used.

    Raises:
        ConfigError: The file cannot be read.
    """
    file = file or config_file()
    try:
        if file.stat().st_size > MOST_CONFIG:
            raise ConfigError(f"{file} is too large to hold contexts of the `{TOOL}` tool")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}, which holds the contexts of the `{TOOL}` tool, cannot be read: {error}") from None
    import yaml

    try:
        told = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"{file}, which holds the contexts of the `{TOOL}` tool, is not readable as YAML") from None
    if not isinstance(told, dict) or not isinstance(told.get("contexts"), list):
        return []
    found = [_context(one, told.get("active-context")) for one in told["contexts"] if isinstance(one, dict)]
    return [one for one in found if one is not None]


def _context(told: Mapping[str, Any], active: object) -> Context | None:
    def text(key: str) -> str:
        value = told.get(key)
        return value.strip() if isinstance(value, str) else ""

    try:
        url = address(text("url"))
    except ConfigError:
        return None
    return Context(
        name=text("name"),
        url=url,
        token=text("access-token"),
        expires_at=_moment(told.get("access-token-expiry")),
        account=text("account-id"),
        person=text("account-name") or text("account-nickname"),
        email=text("email"),
        host=text("host"),
        active=text("name") == active,
    )


def _moment(value: object) -> float:
    """An RFC 3339 time, which YAML may have read already."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.strip()))
        except ValueError:
            return 0.0
    if not isinstance(value, datetime):
        return 0.0
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return max((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(), 0.0)


def named(name: str, file: Path | None = None) -> Context:
    """The context with this name.

    Raises:
        ConfigError: There is none.
    """
    there = contexts(file)
    for one in there:
        if one.name == name:
            return one
    known = ", ".join(sorted(one.name for one in there)) or "none"
    raise ConfigError(
        f"--context {name}: the `{TOOL}` tool has no such context in {file or config_file()} (it has: {known}). "
        f"`{TOOL} context create NAME --url URL` makes one"
    )


class ContextAuth:
    """The credential of a context: its token as the file has it, renewed by the tool.

    Args:
        context: The context; should its URL change later, its token is not used any more.
        lock: Held while the tool renews it, by one of all processes.
        file: Where the contexts are.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        context: Context,
        lock: Callable[[], AbstractContextManager[None]],
        *,
        file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.context, self._file, self._clock, self._lock_others = context, file or config_file(), clock, lock
        self._lock = threading.RLock()
        self._mark = self._seen()
        self._token, self._expires_at = context.token, context.expires_at
        self._quiet_until = 0.0

    @property
    def url(self) -> str:
        """The only platform the token is for."""
        return self.context.url

    @property
    def identity(self) -> str:
        """Whose context it is, where the file says so; else the token's own words count."""
        return f"{self.context.url}\n{self.context.account}" if self.context.account else ""

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header."""
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"

    def due(self) -> bool:
        """Whether the file changed or the token is about to end."""
        if self._seen() != self._mark:
            return True
        now = self._clock()
        return now >= self._expires_at - EARLY and now >= self._quiet_until

    def keep_fresh(self) -> None:
        """Read the file if it changed, have the token renewed if it is about to end.

        Raises:
            NotSignedIn: It has ended, and the tool does not renew it.
        """
        with self._lock:
            if not self.due():
                return
            self._read()
            if self._clock() < self._expires_at - EARLY:
                return
            try:
                self.renew()
            except NotSignedIn:
                if self._clock() >= self._expires_at:
                    raise
                self._quiet_until = self._clock() + 10.0

    def renew(self) -> None:
        """Have the tool renew the token, unless the file has a newer one already.

        Raises:
            NotSignedIn: The tool is not there, or does not give one.
        """
        with self._lock, self._lock_others():
            used = self._token
            self._read()
            if self._token != used and self._clock() < self._expires_at - EARLY:
                return
            token = self._from_tool()
            self._read()
            if self._token != token:
                # Renewed without a note in the file, or the file was not to be read: the platform will say how long.
                self._token, self._expires_at = token, self._clock() + 2 * EARLY

    def _read(self) -> None:
        self._mark = self._seen()
        try:
            now = named(self.context.name, self._file)
        except ConfigError as error:
            raise self._refused(str(error)) from None
        if now.url != self.context.url or now.account != self.context.account:
            raise NotSignedIn(
                "use the context",
                detail=f"context {self.context.name} is another platform or account since this program started",
                hint="Restart it to go on with that",
            )
        self._token, self._expires_at = now.token, now.expires_at

    def _from_tool(self) -> str:
        tool = on_path(TOOL)
        words = ["context", "get", "access-token", "--refresh-token", "--context", self.context.name]
        command = shlex.join([TOOL, *words])
        if tool is None:
            raise NotSignedIn(
                "use the context",
                detail=f"the token of context {self.context.name} has ended, and `{TOOL}`, which renews it, is not on "
                "the PATH of this program",
                hint=f"Run `{command}` where it is, then try again",
            )
        own = {name: value for name, value in os.environ.items() if not name.startswith("IVCAP_")}
        try:
            done = subprocess.run(
                [tool, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                cwd=Path.home(),  # what it finds in an opened directory is nothing it should go by
                env=own,  # its own variable for a token would win over the context
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._refused(f"`{command}` did not answer within {PATIENCE:.0f} s") from None
        except OSError as error:
            raise self._refused(f"`{command}` could not be run: {error.strerror}") from None
        # The last line: a note about a newer version may stand before it.
        token = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2].strip()
        if done.returncode != 0 or not _TOKEN.fullmatch(token):
            log.info("`%s` ended with code %d", command, done.returncode)
            said = stripped(" ".join(done.stderr.decode("utf-8", "replace").split()))
            said = clip(re.sub(r"[\w.~+/-]{32,}", "(…)", said), 200)  # should it show a token
            raise self._refused(f"`{command}` gave no token (code {done.returncode}{': ' + said if said else ''})")
        return token

    def _refused(self, detail: str) -> NotSignedIn:
        words = shlex.join([TOOL, "context", "login", "--context", self.context.name])
        return NotSignedIn("use the context", detail=detail, hint=f"Run `{words}`")

    def _seen(self) -> object:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def __repr__(self) -> str:
        return f"ContextAuth({self.context.name!r})"
