"""Addresses that stand for a caller who is to sign in: sealed, short-lived, the same on each replica."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace

from ivcap_mcp.auth.caller import Caller
from ivcap_mcp.auth.sealing import Seal

LIFETIME = 900.0
"""Seconds for which an address is good."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an address says.

    Attributes:
        mark: Whose login it will be.
        name: What they are called here.
        email: Their address at the issuer, if it says; the login must then be theirs.
        until: When the address ends, in seconds since 1970.
        began: When a sign-in was begun with it; 0: not yet.
        code: What that sign-in's person compares.
        where: What that person opens.
    """

    mark: str
    name: str
    email: str
    until: float
    began: float = 0.0
    code: str = ""
    where: str = ""

    @classmethod
    def of(cls, mark: str, caller: Caller) -> Ticket:
        """A ticket for a caller."""
        email = caller.claims.get("email")
        if not isinstance(email, str) or caller.claims.get("email_verified") is False:
            email = ""
        return cls(mark, caller.name, email, time.time() + LIFETIME)

    def begun(self, code: str, where: str, lasts: float) -> Ticket:
        """The ticket of a sign-in that was begun."""
        now = time.time()
        return replace(self, began=now, code=code, where=where, until=now + lasts)


class Tickets:
    """Writes and reads them."""

    def __init__(self, secret: str) -> None:
        self._seal = Seal(secret, "tickets")

    def written(self, ticket: Ticket) -> str:
        """The ticket as part of an address."""
        return self._seal.text(json.dumps(asdict(ticket)).encode())

    def read(self, text: str) -> Ticket | None:
        """The ticket; `None` if it is not ours, or has ended."""
        opened = self._seal.of_text(text[:8_000])
        if opened is None:
            return None
        ticket = Ticket(**json.loads(opened))
        return ticket if ticket.until > time.time() else None
