"""The pages on which a person connects their login: who is asking, the provider's code, and how it ended.

They hold no script, no foreign content and no credential. The address that leads here is sealed and ends soon; which
replica answers makes no difference, except that the one that began a sign-in also waits for its end.
"""

from __future__ import annotations

import html
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import anyio

from ivcap_client.exception import IvcapError
from ivcap_client.login import Login, SignIn, sign_in_async
from ivcap_mcp.auth.desk import PATH
from ivcap_mcp.auth.logins import SealedLogin
from ivcap_mcp.auth.tickets import Ticket, Tickets

log = logging.getLogger("ivcap_mcp.auth")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Spawn = Callable[..., None]

MOST_WAITING = 200
"""Sign-ins that wait for a person at the same time."""
LOOK = 3
"""Seconds after which a page that waits looks again."""
HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}<title>Connect IVCAP</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }}
button, a.go {{ font: inherit; padding: .5rem 1rem; border: 1px solid; border-radius: .4rem; background: none;
color: inherit; text-decoration: none }} .code {{ font: 1.6rem monospace; letter-spacing: .1em }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee }} }}
</style></head><body><h1>{title}</h1>{body}</body></html>"""


class Connect:
    """The app below `/connect/`.

    Args:
        url: Address of the platform.
        keeper: Where a caller's login is kept, by their mark.
        tickets: Reads the addresses.
        spawn: Starts what waits for a person.
        other_accounts: Whether a login may have another e-mail address than its caller.
    """

    def __init__(
        self,
        url: str,
        keeper: Callable[[str], SealedLogin],
        tickets: Tickets,
        spawn: Spawn,
        *,
        other_accounts: bool = False,
    ) -> None:
        self._url, self._keeper, self._tickets, self._spawn = url, keeper, tickets, spawn
        self._other_accounts = other_accounts
        self._waiting: OrderedDict[str, anyio.CancelScope] = OrderedDict()
        self._failed: OrderedDict[tuple[str, float], str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ticket = self._tickets.read(scope["path"].rpartition(PATH)[2])
        if ticket is None:
            said = "Call a tool again, and open the address that its answer gives."
            await _page(send, 404, "This address is not good any more", f"<p>{said}</p>")
        elif scope["method"] == "POST" and not ticket.began:
            await self._begin(ticket, send)
        elif scope["method"] in ("GET", "HEAD"):
            await (self._wait(ticket, send) if ticket.began else self._ask(ticket, send))
        else:
            await _page(send, 405, "This cannot be done here", "<p>Open the address in a browser.</p>")

    async def _ask(self, ticket: Ticket, send: Send) -> None:
        """Say who is asking: somebody who was sent an address of another person must notice."""
        whose = f"<b>{html.escape(ticket.name)}</b>"
        body = (
            f"<p>{whose} uses an AI assistant with IVCAP. If you go on, and sign in to "
            f"<b>{html.escape(_host(self._url))}</b>, that assistant works there as you.</p>"
            f"<p>Go on only if you are {whose} and have just been asked to sign in.</p>"
            '<form method="post"><button>Sign in</button></form>'
        )
        await _page(send, 200, "Connect IVCAP", body)

    async def _begin(self, ticket: Ticket, send: Send) -> None:
        if len(self._waiting) >= MOST_WAITING:
            await _page(send, 503, "Too many people are signing in", "<p>Try again in a few minutes.</p>")
            return
        try:
            begun = await sign_in_async(self._url)
        except IvcapError as error:
            log.warning("nobody can sign in: %s", error)
            await _page(send, 502, "Signing in does not work now", f"<p>{html.escape(str(error))}</p>")
            return
        going = ticket.begun(begun.user_code, begun.whole_address or begun.address, begun.expires_in)
        if (earlier := self._waiting.pop(ticket.mark, None)) is not None:
            earlier.cancel()
        scope = self._waiting[ticket.mark] = anyio.CancelScope()
        self._spawn(self._finish, begun, going, scope)
        where = PATH + self._tickets.written(going)
        await send({"type": "http.response.start", "status": 303, "headers": [(b"location", where.encode()), *HEADERS]})
        await send({"type": "http.response.body", "body": b""})

    async def _finish(self, begun: SignIn, ticket: Ticket, scope: anyio.CancelScope) -> None:
        why = ""
        with scope:
            try:
                login = await begun.wait_async()
                why = self._refusal(login, ticket)
                if why:  # for the page only: it names people
                    log.warning("caller %s was not signed in: the login is of another e-mail address", ticket.mark)
                else:
                    await anyio.to_thread.run_sync(_kept, self._keeper(ticket.mark), login)
                    log.info("caller %s is signed in", ticket.mark)
            except IvcapError as error:
                why = str(error)
                log.warning("caller %s was not signed in: %s", ticket.mark, why)
            except Exception:
                # It runs beside the servers of all callers, and must not end them.
                why = "this server could not finish it; its operator finds the reason in its log"
                log.exception("caller %s was not signed in", ticket.mark)
        if why:
            self._failed[ticket.mark, ticket.began] = why
            while len(self._failed) > MOST_WAITING:
                self._failed.popitem(last=False)
        if self._waiting.get(ticket.mark) is scope:
            del self._waiting[ticket.mark]

    def _refusal(self, login: Login, ticket: Ticket) -> str:
        """Why this login is not taken: its person and the caller must be one, where both say who they are."""
        same = login.email.casefold() == ticket.email.casefold()
        if self._other_accounts or same or not (login.email and ticket.email):
            return ""
        return f"you signed in as {login.email}, but this is for {ticket.email}"

    async def _wait(self, ticket: Ticket, send: Send) -> None:
        why = self._failed.get((ticket.mark, ticket.began))
        if why is not None:
            await _page(
                send, 200, "Not connected", f"<p>{html.escape(why)}</p><p>Call the tool again for a new try.</p>"
            )
            return
        login = await anyio.to_thread.run_sync(self._keeper(ticket.mark).load)
        if login is not None and login.signed_in_at >= ticket.began - 1:
            who = html.escape(login.email or login.name or "you")
            await _page(send, 200, "Connected", f"<p>As {who}. You can close this page, and go on where you were.</p>")
            return
        whose = f"<b>{html.escape(ticket.name)}</b>"
        body = (
            f"<p>This connects the AI assistant of {whose}. Go on only if you are {whose} and began this yourself.</p>"
            f'<p>Compare this code with what the next page shows:</p><p class="code">{html.escape(ticket.code)}</p>'
            f'<p><a class="go" rel="noreferrer" target="_blank" href="{html.escape(ticket.where)}">Go on at '
            f"{html.escape(_host(ticket.where))}</a></p><p>This page tells when it is done.</p>"
        )
        await _page(send, 200, "Sign in", body, refresh=LOOK)


def _kept(keeper: SealedLogin, login: Login) -> None:
    with keeper.lock():  # who is renewing the one before would write that again
        keeper.save(login)


async def _page(send: Send, status: int, title: str, body: str, refresh: int = 0) -> None:
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    text = FRAME.format(title=html.escape(title), body=body, refresh=again).encode()
    length = (b"content-length", str(len(text)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": text})


def _host(url: str) -> str:
    return urlsplit(url).netloc
