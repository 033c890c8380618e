"""Every example runs, and says what its page shows."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from doctest import ELLIPSIS, OutputChecker
from functools import partial
from pathlib import Path
from typing import TextIO

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.client.identity_provider import providing
from tests.docs.conftest import Place
from tests.docs.pages import EXAMPLES, ROOT

SHOWN = sorted(EXAMPLES.glob("*.out"))

pytestmark = [pytest.mark.usefixtures("prepared"), pytest.mark.timeout(900)]


def same(said: str, shown: str) -> None:
    """`...` in what is shown stands for anything."""
    assert OutputChecker().check_output(shown, said, ELLIPSIS), f"said:\n{said}\nshown:\n{shown}"


@pytest.mark.parametrize("shown", SHOWN, ids=lambda path: path.stem)
def test_an_example_says_what_the_page_shows(place: Place, shown: Path) -> None:
    same(place.python(str(shown.with_suffix(".py"))), shown.read_text())


def test_the_first_tool_finds_the_longest_dry_run(place: Place) -> None:
    (place.directory / "rain.csv").write_text("date,rain_mm\n2024-01-01,0\n2024-01-02,0.4\n2024-01-03,7\n")
    common = ["--local-dir", "study", "--service", str(EXAMPLES / "first_tool.py"), "--json"]
    told = place.command("call", *common, "--allow-root", ".", "upload_artifact", "--arg", "path=rain.csv")
    told = place.command("call", *common, "dry_run", "--arg", f"series={json.loads(told)['artifact']}")
    assert json.loads(told) == {"days": 3, "longest_dry_run": 2}


def test_an_embedded_server_serves_its_services_over_stdio(place: Place) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=[str(EXAMPLES / "embed_server_stdio.py")],
        env=place.variables,
        cwd=place.directory,
    )
    with open(place.directory / "log", "w") as log:
        names = anyio.run(partial(names_once_prepared, command, log))
    assert {"rehearsal", "run_service", "get_job"} <= names


async def names_once_prepared(command: StdioServerParameters, log: TextIO) -> set[str]:
    with anyio.fail_after(60):
        async with Client(stdio_client(command, errlog=log)) as client:
            assert "the platform of this study" in (client.instructions or "")
            while True:
                names = {tool.name for tool in (await client.list_tools()).tools}
                if "rehearsal" in names:
                    return names
                await anyio.sleep(0.1)


def test_the_http_app_asks_for_its_token_and_lists_tools(place: Place) -> None:
    async def listed(url: str) -> list[str]:
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        http = create_mcp_http_client(headers={"Authorization": "Bearer a-long-random-token"})
        async with http, Client(streamable_http_client(url, http_client=http)) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    with served(place) as address:
        assert httpx.post(f"{address}/mcp", json={}).status_code == 401
        assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
        assert "get_job" in anyio.run(partial(listed, f"{address}/mcp"))


def test_the_sign_in_example_waits_for_a_person_once(place: Place) -> None:
    # sdk_login.py
    with providing() as idp:
        idp.confirm_at_once = True
        known = Place(place.directory, place.variables | {"IVCAP_URL": idp.url})
        first = known.python(str(EXAMPLES / "sdk_login.py"))
        assert first == f"open {idp.url}/activate and confirm ABCD-0001\n0 services\n"
        assert known.python(str(EXAMPLES / "sdk_login.py")) == "0 services\n"


@contextmanager
def served(place: Place) -> Iterator[str]:
    """The address of the HTTP example while it runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(EXAMPLES / "embed_http_app.py"), str(port)]
    with subprocess.Popen(words, cwd=place.directory, env=place.variables) as process:
        try:
            until = time.monotonic() + 30
            while True:
                assert process.poll() is None
                try:
                    httpx.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def test_every_example_is_run_by_a_test() -> None:
    # Examples with frameworks need environments of their own, which only `make interop` builds.
    source = Path(__file__).read_text() + (ROOT / "tests" / "interop" / "test_frameworks.py").read_text()
    for example in EXAMPLES.glob("*.py"):
        assert example.with_suffix(".out").exists() or example.name in source, f"nothing runs {example.name}"


def test_every_example_is_short_and_reads_as_one_piece() -> None:
    for example in EXAMPLES.glob("*.py"):
        assert 10 <= len(example.read_text().splitlines()) <= 40, example.relative_to(ROOT)
