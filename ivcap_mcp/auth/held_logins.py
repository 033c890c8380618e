"""Who has signed in to the platform through a server for a group: for whoever runs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ivcap_client.login import Login
from ivcap_mcp.auth.caller import mark_of
from ivcap_mcp.auth.logins import SealedLogin
from ivcap_mcp.auth.sealing import Seal

SHORTEST = 8
"""Characters of a mark that name it."""


@dataclass(frozen=True, slots=True)
class Held:
    """One caller's login.

    Attributes:
        mark: The hash of whose it is.
        name: Name of their token, where they have one that is known.
        keeper: Where it is.
        login: It; `None` if it cannot be opened with this secret.
    """

    mark: str
    name: str
    keeper: SealedLogin
    login: Login | None

    def is_of(self, who: str) -> bool:
        """Whether somebody is meant by a token's name, an e-mail address or the beginning of a mark."""
        email = "" if self.login is None else self.login.email
        if not who:
            return False
        named = who == self.name or self.mark == mark_of(f"token:{who}")
        return named or who.casefold() == email.casefold() or (len(who) >= SHORTEST and self.mark.startswith(who))

    def end(self) -> bool:
        """Forget it; a running server asks them to sign in anew. `False`: it was gone already."""
        with self.keeper.lock():  # who is renewing it would write it again
            return self.keeper.remove()


def held_logins(users: Path, url: str, secret: str, names: Iterable[str]) -> list[Held]:
    """The logins at a platform that are kept for callers.

    Args:
        users: Directory with a folder for each caller.
        url: Address of the platform.
        secret: The server's.
        names: Of tokens: what their callers are called.

    Raises:
        ConfigError: One cannot be read.
    """
    seal, known = Seal(secret, "logins"), {mark_of(f"token:{name}"): name for name in names}
    keepers = [SealedLogin(folder, url, seal, folder.name) for folder in users.glob("*") if folder.is_dir()]
    found = [
        Held(keeper.path.parent.name, known.get(keeper.path.parent.name, ""), keeper, keeper.load())
        for keeper in keepers
        if keeper.path.is_file()
    ]
    return sorted(found, key=lambda one: (one.name, one.login.email if one.login else "", one.mark))
