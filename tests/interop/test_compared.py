"""The same script, run by the public client and by ours: equal results, and equal requests but for what is listed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from tests.congruence.legs import served
from tests.described.recorder import Exchange, recording
from tests.docs.pages import DOCS
from tests.interop.test_public_client import PUBLIC
from tests.interop.venvs import SCRIPTS, facts, python_with

PAGE = DOCS / "reference" / "requests.md"
STEPS = re.findall(r"@step\ndef (\w+)", (SCRIPTS / "both.py").read_text(encoding="utf-8"))
HEADERS = ("content-type", "timeout", "tus-resumable", "upload-offset", "x-name", "x-content-type", "x-content-length")
"""Headers that mean something to the platform; the others tell of the HTTP library."""


@dataclass(frozen=True)
class Seen:
    """What a client made of the script: its results, and for each step its requests."""

    results: dict[str, Any]
    requests: dict[str, list[str]]


def plain(exchange: Exchange) -> str:
    """A request, without what differs from run to run."""
    target = urlsplit(exchange.target)
    query = sorted(parse_qsl(target.query, keep_blank_values=True))
    headers = {name: exchange.asked[name] for name in HEADERS if name in exchange.asked}
    body: Any = exchange.sent.decode("utf-8", "replace")
    if "json" in headers.get("content-type", ""):
        body = json.loads(body)
    said = json.dumps([exchange.method, unquote(target.path), query, headers, body], sort_keys=True)
    said = re.sub(r"urn:ivcap:(\w+):[0-9a-f-]{36}", r"urn:ivcap:\1:*", said)
    said = re.sub(r"/artifacts/[0-9a-f-]{36}", "/artifacts/*", said)
    return re.sub(r"urn:both:(collection:)?(public|ours)", r"urn:both:\1*", said)


def run(python: Path, who: str, upstream: str, home: Path) -> Seen:
    home.mkdir()
    with recording(upstream) as recorder:
        results = facts(python, "both.py", home, url=recorder.url, who=who)
    requests: dict[str, list[str]] = {}
    name = ""
    for exchange in recorder.exchanges:
        if exchange.target.startswith("/both/"):
            name = exchange.target.removeprefix("/both/")
            requests[name] = []
        else:
            requests[name].append(plain(exchange))
    return Seen(results, requests)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seen, Seen]]:
    home = tmp_path_factory.mktemp("compared")
    with served(home / "there") as url:
        public = run(python_with(PUBLIC), "public", url, home / "public")
        yield public, run(Path(sys.executable), "ours", url, home / "ours")


def listed() -> dict[str, str]:
    """The differences on the page: step and reason."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))


@pytest.mark.parametrize("step", STEPS)
def test_both_clients_come_to_the_same(step: str, both: tuple[Seen, Seen]) -> None:
    public, ours = both
    assert ours.results[step] == public.results[step]


@pytest.mark.parametrize("step", STEPS)
def test_both_clients_send_the_same_but_for_what_is_listed(step: str, both: tuple[Seen, Seen]) -> None:
    public, ours = both
    same = ours.requests[step] == public.requests[step]
    told = "\n".join(["public:", *public.requests[step], "ours:", *ours.requests[step]])
    assert same != (step in listed()), told


def test_the_page_lists_steps_that_exist() -> None:
    assert set(listed()) <= set(STEPS)
