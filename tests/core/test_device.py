"""The device flow against a script: what is asked, how long is waited, and what each answer means."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from ivcap_client._core import device
from ivcap_client._core.device import Code, Provider
from ivcap_client._core.messages import Request, Response
from ivcap_client._core.port import run
from ivcap_client.exception import IvcapError, NotSignedIn, ProtocolError, ServerError
from tests.core.scripted import Scripted

IDP = "https://idp.example"
AT = Provider("main", f"{IDP}/code", f"{IDP}/token", "client", "https://api.example/")
CODE = Code("ABCD-EFGH", f"{IDP}/activate", "", "device-hush", 100.0, 5.0)
TOKENS = {"access_token": "a.b.c", "refresh_token": "r", "id_token": "i", "token_type": "Bearer", "expires_in": 86400}


def said(status: int, value: object) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(value).encode())


def yaml(**changes: Any) -> Response:
    provider = {
        "login-url": f"{IDP}/",
        "token-url": AT.token_url,
        "code-url": AT.code_url,
        "jwks-url": f"{IDP}/jwks",
        "client-id": AT.client_id,
        "audience": AT.audience,
    } | changes.pop("provider", {})
    document = {"version": 1, "auth": {"default-provider-id": "main", "providers": {"main": provider}}} | changes
    return Response(200, {"content-type": "application/yaml"}, json.dumps(document).encode())


def form(request: Request) -> dict[str, str]:
    assert isinstance(request.body, bytes)
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def test_the_platform_says_who_signs_people_in() -> None:
    port = Scripted([yaml()])
    assert run(device.provider(port)) == AT
    assert (port.sent[0].method, port.sent[0].target) == ("GET", "/1/authinfo.yaml")
    text = b"version: 1 # first\nauth:\n  default-provider-id: ''\n  providers:\n    x:\n      token-url: https://i/t\n"
    text += b"      code-url: https://i/c\n      client-id: c\n      audience: a\n      extra: [1]\n"
    assert run(device.provider(Scripted([Response(200, {}, text)]))).id == "x"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response(404), "IVCAP_JWT"),
        (Response(200, {}, b"\xff: ["), "YAML"),
        (Response(200, {}, b"!!python/object/apply:os.system ['true']"), "YAML"),
        (Response(200, {}, b"just text"), "not a JSON object"),
        (yaml(version=2), "version 2"),
        (yaml(auth={"default-provider-id": "other", "providers": {"main": {}}}), "default-provider-id"),
        (yaml(auth={"providers": {}}), "default-provider-id"),
        (yaml(provider={"token-url": "/token"}), "token-url"),
        (yaml(provider={"token-url": "http://idp.example/token"}), "token-url"),
        (yaml(provider={"token-url": "http://127.0.0.1/token"}), "token-url"),
        (yaml(provider={"code-url": "https://me:hush@idp.example/code"}), "code-url"),
        (yaml(provider={"code-url": "file:///etc/passwd"}), "code-url"),
        (yaml(provider={"client-id": None}), "client-id"),
        (yaml(provider={"audience": ""}), "audience"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_by_name(answer: Response, words: str) -> None:
    with pytest.raises((NotSignedIn, ProtocolError)) as caught:
        run(device.provider(Scripted([answer])))
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_provider_on_this_machine_is_taken_from_a_platform_on_this_machine_only() -> None:
    near = yaml(provider={"token-url": "http://127.0.0.1:9/t", "code-url": "http://localhost:9/c"})
    found = run(device.provider(Scripted([near], url="http://127.0.0.1:8080")))
    assert found.token_url == "http://127.0.0.1:9/t"
    with pytest.raises(ProtocolError):
        run(device.provider(Scripted([near])))


def test_a_code_is_asked_for_as_the_platforms_client() -> None:
    answer = {
        "device_code": "d",
        "user_code": "AB\x1b[2J-CD",
        "verification_uri": f"{IDP}/go",
        "verification_uri_complete": f"{IDP}/go?c=AB",
        "expires_in": 900,
        "interval": 7,
    }
    port = Scripted([said(200, answer)], url=IDP)
    code = run(device.begin(port, AT))
    assert (code.user_code, code.address, code.interval, code.expires_in) == ("AB[2J-CD", f"{IDP}/go", 7.0, 900.0)
    assert form(port.sent[0]) == {
        "client_id": "client",
        "scope": "openid profile email offline_access",
        "audience": "https://api.example/",
    }
    assert "d'" not in repr(code)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://me@idp.example/", "https://a/\x1b[2J", "x", None])
def test_an_address_that_nobody_should_open_is_refused(address: str | None) -> None:
    answer = {"device_code": "d", "user_code": "u", "verification_uri": address, "expires_in": 9, "interval": 0}
    with pytest.raises(ProtocolError, match="verification_uri"):
        run(device.begin(Scripted([said(200, answer)], url=IDP), AT))


@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_pending_sign_in_is_waited_for_whatever_status_says_so(status: int) -> None:
    pending = said(status, {"error": "authorization_pending"})
    port = Scripted([pending, pending, said(200, TOKENS)], url=IDP)
    left: list[float] = []
    grant = run(device.granted(port, AT, CODE, on_wait=left.append))
    assert (grant.access_token, grant.refresh_token, grant.expires_in) == ("a.b.c", "r", 86400)
    assert port.slept == [5.0, 5.0, 5.0]
    assert left == [100.0, 95.0, 90.0]
    assert form(port.sent[0])["device_code"] == "device-hush"
    assert "a.b.c" not in repr(grant)


def test_slow_down_and_a_bad_line_make_the_pauses_longer() -> None:
    port = Scripted(
        [said(400, {"error": "slow_down"}), said(403, {"error": "slow_down"}), Response(500), said(200, TOKENS)],
        url=IDP,
    )
    run(device.granted(port, AT, CODE))
    assert port.slept == [5.0, 10.0, 20.0, 40.0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "expired_token"}, "nobody confirmed"),
        ({"error": "access_denied"}, "declined"),
        (
            {"error": "invalid_grant", "error_description": "no device-hush\nhere"},
            r"invalid_grant: no \(credential\) here",
        ),
        ({"error": "x\x1b[31m"}, "refused"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_what_ends_a_sign_in_says_so(answer: dict[str, str], words: str, status: int) -> None:
    with pytest.raises(NotSignedIn, match=words) as caught:
        run(device.granted(Scripted([said(status, answer)], url=IDP), AT, CODE))
    assert "hush" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_code_that_nobody_confirms_ends_with_its_time() -> None:
    port = Scripted([lambda _: said(403, {"error": "authorization_pending"})], url=IDP)
    with pytest.raises(NotSignedIn, match="within 100 s"):
        run(device.granted(port, AT, CODE))
    assert sum(port.slept) == 100.0


@pytest.mark.parametrize(
    "tokens",
    [{}, {**TOKENS, "token_type": "mac"}, {**TOKENS, "access_token": "a\r\nb"}, {**TOKENS, "access_token": ""}],
)
def test_tokens_that_cannot_be_used_are_refused(tokens: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        run(device.granted(Scripted([said(200, tokens)], url=IDP), AT, CODE))


def test_a_renewal_asks_with_the_refresh_token_and_never_repeats_it() -> None:
    port = Scripted([said(200, {"access_token": "new"})], url=IDP)
    grant = run(device.refreshed(port, AT.token_url, "client", "r-hush"))
    assert (grant.access_token, grant.refresh_token, grant.expires_in) == ("new", None, None)
    assert form(port.sent[0]) == {"grant_type": "refresh_token", "client_id": "client", "refresh_token": "r-hush"}
    for answer, kind in (
        (said(403, {"error": "invalid_grant", "error_description": "r-hush is used"}), NotSignedIn),
        (said(500, {"message": "you sent r-hush"}), ServerError),
        (said(400, ["r-hush"]), IvcapError),
        (Response(200, {}, b"r-hush"), ProtocolError),
    ):
        with pytest.raises(kind) as caught:
            run(device.refreshed(Scripted([answer], url=IDP), AT.token_url, "client", "r-hush"))
        assert "r-hush" not in str(caught.value) + repr(caught.value)
