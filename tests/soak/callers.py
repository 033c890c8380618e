"""Callers who sign in, and the MCP servers that take their calls, as a group runs them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.benchmarks.raw_mcp import META
from tests.mcp.outside import reply
from tests.soak.deployment import ROOT
from tests.soak.soak import Soak, until
from tests.soak.speaking import Post, message

AUDIENCE = "https://mcp.example.org/mcp"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class Access:
    """An address and what lets a caller in; what `Post` needs to know of a server."""

    url: str
    token: str


class Issuer:
    """An authorization server, of which only the keys are asked for."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Issuer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "use": "sig", "x": _base64(public)}
        said = json.dumps({"keys": [key]}).encode()
        await reply(writer, 200, said, {"connection": "close"})
        writer.close()

    def token(self, who: str) -> str:
        """What lets somebody in, for two hours."""
        now = int(time.time())
        head = {"alg": "EdDSA", "kid": "k", "typ": "at+jwt"}
        claims = {"iss": self.url, "sub": who, "aud": AUDIENCE, "iat": now, "nbf": now - 5, "exp": now + 7200}
        claims["client_id"] = "soak"
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        return f"{signed}.{_base64(self._key.sign(signed.encode()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Server:
    """An MCP server process over a deployment."""

    folder: Path
    command: list[str]
    env: dict[str, str]
    url: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        """As the machine would: without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def rss(self) -> float:
        """Memory in MB."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


async def server(soak: Soak, platform: str, *options: str, token: str = "") -> Server:
    """Start one, with directories of its own, as on a machine of its own."""
    folder = soak.fresh("server")
    (folder / "state").mkdir()
    port = free_port()
    if token:
        (folder / "state" / "http-token").write_text(token)
        (folder / "state" / "http-token").chmod(0o600)
    command = [sys.executable, "-m", "ivcap_mcp", "serve", "--transport", "http", "--port", str(port)]
    command += ["--url", platform, "--stateless", *options]
    env = soak.env(IVCAP_URL=platform, IVCAP_JWT="the-server", IVCAP_STATE_DIR=str(folder / "state"))
    found = Server(folder, command, env | {"PYTHONPATH": str(ROOT)}, f"http://127.0.0.1:{port}/mcp")
    found.start()
    await up(found)
    return found


async def up(found: Server) -> None:
    """Wait until it listens."""

    async def there() -> bool:
        assert found.process is not None
        assert found.process.poll() is None, found.log[-3000:]
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", int(found.url.split(":")[2].split("/")[0]))
        except OSError:
            return False
        writer.close()
        return True

    await until(there, "the server listening")


class Failed(Exception):
    """A tool error: its code first."""


async def call(access: Access, number: int, tool: str, **given: Any) -> dict[str, Any]:
    """Call a tool over a connection of its own; its structured content.

    Raises:
        Failed: A tool error.
        OSError: No answer.
    """
    meta = {**META, "progressToken": f"p{number}"}
    said = message(number, "tools/call", name=tool, arguments=given, _meta=meta)
    try:
        async with asyncio.timeout(90), Post(access) as post:  # type: ignore[arg-type]
            await post.send(said)
            answer = await post.whole()
    except (EOFError, TimeoutError, asyncio.LimitOverrunError) as problem:
        raise ConnectionError(repr(problem)) from None
    for line in re.split(rb"\r?\n", answer):
        start = line.find(b'{"jsonrpc"') if line.startswith((b"data:", b"{")) else -1
        if start >= 0 and b'"id":' in line:
            told = json.loads(line[start:])
            if "error" in told:
                raise Failed(f"protocol: {told['error']}")
            result = told.get("result")
            if result is None:
                continue
            if result.get("isError"):
                raise Failed(result["content"][0]["text"])
            found: dict[str, Any] = result["structuredContent"]
            return found
    raise ConnectionError(f"no answer: {answer[:300]!r}")


def token() -> str:
    return secrets.token_urlsafe(32)
