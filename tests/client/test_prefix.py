"""A platform below a path, as a tool in a container sees it."""

from __future__ import annotations

import json

import pytest

from ivcap_client import IVCAP
from ivcap_client.exception import ProtocolError
from tests.client.server import Asked, Reply, Server

ID = "urn:ivcap:artifact:11111111-1111-4111-8111-111111111111"
PREFIX = "/s/secret"


@pytest.fixture
def inside(server: Server, monkeypatch: pytest.MonkeyPatch) -> IVCAP:
    monkeypatch.setenv("IVCAP_BASE_URL", server.url + PREFIX)
    return IVCAP()


def answers(server: Server, href: str, redirect: str | None = None) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/blob"):
            return Reply(body=b"data")
        if redirect is not None and not asked.path.endswith("?moved"):
            return Reply(302, {"Location": redirect})
        return Reply(body=json.dumps({"id": ID, "status": "ready", "size": 4, "data-href": href}).encode())

    server.answer = answer


@pytest.mark.parametrize("href", ["{url}/s/secret/1/blob", "/1/blob", "/s/secret/1/blob", "1/blob"])
def test_the_bytes_are_found_below_the_prefix_however_the_platform_says_where(
    server: Server, inside: IVCAP, href: str
) -> None:
    answers(server, href.format(url=server.url))
    with inside:
        assert inside.get_artifact(ID).as_bytes() == b"data"
    assert [asked.path.rpartition("/1/")[0] for asked in server.asked] == [PREFIX, PREFIX]
    assert not [asked for asked in server.asked if "authorization" in asked.headers]


@pytest.mark.parametrize("location", ["{url}/s/secret/1/artifacts/x?moved", "/s/secret/1/artifacts/x?moved", "x?moved"])
def test_redirects_stay_within_the_origin(server: Server, inside: IVCAP, location: str) -> None:
    answers(server, "/1/blob", location.format(url=server.url))
    with inside:
        assert inside.get_artifact(ID).size == 4
    assert server.asked[1].path == "/s/secret/1/artifacts/x?moved"


def test_bytes_at_another_port_of_this_machine_are_not_asked_for(server: Server, inside: IVCAP) -> None:
    answers(server, "http://127.0.0.1:1/blob")
    with inside, pytest.raises(ProtocolError, match="not over https"):
        inside.get_artifact(ID).as_bytes()
    answers(server, "https://127.0.0.1:1/blob")
    with pytest.raises(ProtocolError, match="not a public address"):
        inside.get_artifact(ID).as_bytes()
    inside.close()
