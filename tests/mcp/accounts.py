"""A deployment that tells accounts apart: one local platform for each, behind a proxy that checks whose token it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from tests.mcp.proxied import Proxy, _reply, platform

USERS = ("anna", "bert")


@contextmanager
def platforms(folder: Path) -> Iterator[dict[str, str]]:
    """URL of each user's platform."""
    with ExitStack() as stack:
        found = {}
        for user in USERS:
            (folder / user).mkdir()
            found[user] = stack.enter_context(platform(folder / user / "store"))
        yield found


class Accounts(Proxy):
    """Passes each request on to the platform of the account that its token is for, and to no other.

    Args:
        urls: The platform of each account.
        account: Whose token this is; `None`: nobody's.
    """

    def __init__(self, urls: Mapping[str, str], account: Callable[[str], str | None]) -> None:
        super().__init__("http://127.0.0.1:1")
        self._urls, self._account = dict(urls), account
        self.authinfo = ""  # URL of who says who signs people in
        self.tokens: list[str] = []
        self.heads: list[str] = []
        self._refusing = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Accounts]:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await _reply(writer, 401, b"")
            writer.close()

        refusing = await asyncio.start_server(refuse, "127.0.0.1", 0)
        self._refusing = f"http://127.0.0.1:{refusing.sockets[0].getsockname()[1]}"
        try:
            async with super().listening():
                yield self
        finally:
            refusing.close()

    async def _upstream(
        self, first: str, lines: list[str], body: bytes
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.heads.append("\n".join([first, *lines]))
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        token = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
        token = token.removeprefix("Bearer ")
        self.tokens.append(token)
        host, port = self._target(first, token).removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        # The host stays as it was asked for: what the platform names for uploads is to lead here.
        kept = [line for line in lines if line and not line.lower().startswith("connection:")]
        writer.write("\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1") + body)
        await writer.drain()
        return reader, writer

    def _target(self, first: str, token: str) -> str:
        if "/1/authinfo.yaml" in first and self.authinfo:
            return self.authinfo
        return self._urls.get(self._account(token) or "", self._refusing)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """For a server process: no credential of its own, and a state directory in the test's folder."""
    return {**os.environ, "IVCAP_STATE_DIR": str(folder / "state"), **more}
