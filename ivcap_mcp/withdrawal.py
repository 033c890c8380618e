"""A request that is open for long ends when its credential is taken back: nobody reads on with a removed token."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

log = logging.getLogger("ivcap_mcp.http")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Held:
    """Stands between an app and its client. When the credential is gone, to the app it is the client who is.

    So calls are given up as if their client had left: their jobs go on.

    Args:
        receive: The client's messages.
        send: Sends to the client.
        withdrawn: Whether the credential of this request counts no more; cheap.
        look: Seconds between two looks.
    """

    def __init__(self, receive: Receive, send: Send, withdrawn: Callable[[], bool], look: float) -> None:
        self._receive, self._send, self._withdrawn, self._look = receive, send, withdrawn, look
        self._next = anyio.current_time() + look
        self.gone = self.begun = self._ended = False

    async def receive(self) -> Message:
        """The client's next message, or that it is not there any more."""
        while not self._over():
            with anyio.move_on_after(self._look):
                return await self._receive()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send on what the client may still have."""
        if self._over():
            return
        self.begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def close(self) -> None:
        """End an answer that was cut off."""
        if self.gone and self.begun and not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _over(self) -> bool:
        now = anyio.current_time()
        if not self.gone and now >= self._next:
            self._next = now + self._look
            self.gone = self._withdrawn()
            if self.gone:
                log.info("a request ends, since its token was taken back")
        return self.gone
