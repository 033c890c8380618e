"""Whom `--auth oauth` lets in: tokens of a real issuer over a loopback port, right ones and all kinds of wrong ones."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from typing import Any

import anyio
import anyio.abc
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ivcap_client.exception import ConfigError
from ivcap_mcp.auth.caller import Refused
from ivcap_mcp.auth.discovery import Unavailable, document
from ivcap_mcp.auth.keys import Keys
from ivcap_mcp.auth.oauth import OAuthGate, Rules
from tests.mcp.issuing import KINDS, Issuer

pytestmark = pytest.mark.anyio

ME = "https://mcp.example.org/mcp"


def gate_of(issuer: Issuer, **rules: Any) -> OAuthGate:
    """A gate that does not wait between two looks at the keys."""

    async def fetch() -> Any:
        return await document(f"{issuer.url}/jwks")

    return OAuthGate(Rules(issuer.url, ME, **rules), keys=Keys(fetch, gap=0.0))


async def refused(gate: OAuthGate, token: str) -> Refused:
    with pytest.raises(Refused) as found:
        await gate.caller(token)
    return found.value


@pytest.mark.parametrize("alg", list(KINDS))
async def test_a_token_of_the_issuer_for_this_server_names_its_caller(issuer: Issuer, alg: str) -> None:
    gate = OAuthGate(Rules(issuer.url, ME, scopes=("jobs",)))
    caller = await gate.caller(issuer.token("anna", ME, alg=alg, email="anna@example.org", scope="jobs data"))
    assert caller.name == "anna@example.org"
    assert caller.scopes == {"jobs", "data"}
    again = await gate.caller(issuer.token("anna", ME, alg=alg, jti="another"))
    other = await gate.caller(issuer.token("bert", ME, alg=alg))
    account = await gate.caller(issuer.token("anna", ME, alg=alg, acc="other"))
    assert caller.mark == again.mark
    assert len({caller.mark, other.mark, account.mark}) == 3
    assert issuer.count("/jwks") == 1, "keys are kept"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": time.time() - 3600}, "expired"),
        ({"exp": None}, "lacks the claim exp"),
        ({"nbf": time.time() + 3600}, "wrong"),
        ({"iss": "https://other.example.org"}, "not of the issuer"),
        ({"iss": None}, "lacks the claim iss"),
        ({"aud": "https://other.example.org/mcp"}, "not issued for this server"),
        ({"aud": None}, "lacks the claim aud"),
        ({"sub": ""}, "subject is empty"),
        ({"sub": None}, "lacks the claim sub"),
        ({"head_kid": "unknown"}, "does not publish"),
        ({"head_kid": "ec0"}, "does not publish"),
        ({"head_typ": "dpop+jwt"}, "of a kind"),
        ({"signed_by": rsa.generate_private_key(65537, 2048)}, "signature"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_token_that_is_wrong_in_one_way_is_refused_with_that(
    issuer: Issuer, claims: dict[str, Any], why: str
) -> None:
    gate = gate_of(issuer)
    token = issuer.token("anna", ME, **claims)
    found = await refused(gate, token)
    assert (found.status, found.error) == (401, "invalid_token")
    assert why in found.message
    challenge = gate.challenge(found)
    assert 'error="invalid_token"' in challenge
    assert 'resource_metadata="https://mcp.example.org/.well-known/oauth-protected-resource/mcp"' in challenge
    assert token not in challenge + repr(found)


async def test_tricks_with_algorithms_are_refused(issuer: Issuer) -> None:
    """`none`, and the public key taken for a shared secret."""
    gate = gate_of(issuer)
    good = issuer.token("anna", ME)
    _, body, signature = good.split(".")
    public = jwt.PyJWK.from_dict((await document(f"{issuer.url}/jwks"))["keys"][0]).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def head(**told: str) -> str:
        return base64.urlsafe_b64encode(json.dumps({"kid": "rsa0", **told}).encode()).rstrip(b"=").decode()

    import hashlib
    import hmac

    start = f"{head(alg='HS256')}.{body}"
    forged = base64.urlsafe_b64encode(hmac.digest(public, start.encode(), hashlib.sha256)).rstrip(b"=").decode()
    for token in (
        f"{head(alg='none')}.{body}.",
        f"{start}.{forged}",
        f"{head(alg='RS256')}.{body}.{signature}"[:-8] + "AAAAAAAA",
        f"{head(alg='PS256')}.{body}.{signature}",
        f"{head(alg='RS256', crit='x')}.{body}.{signature}",
        good + "x" * 20_000,
        "no token",
        "..",
        "\xff",
    ):
        assert (await refused(gate, token)).status == 401, token[:80]
    assert (await gate.caller(good)).name == "anna"


@pytest.mark.parametrize(
    "header",
    [
        '{"alg": ["RS256"]}',
        '{"alg": {}}',
        '{"alg": "RS256", "typ": ["JWT"]}',
        '{"alg": "RS256", "typ": {}}',
        '{"alg": "RS256", "kid": ["rsa0"]}',
        "[" * 11_000,
        '{"alg": ' * 1_500,
        "[]",
        "1" * 5_000,
    ],
    ids=lambda text: text[:30],
)
async def test_a_header_of_another_shape_is_a_refusal_and_no_failure(issuer: Issuer, header: str) -> None:
    """Anybody can send one: it needs no key."""
    first = base64.urlsafe_b64encode(header.encode()).rstrip(b"=").decode()
    found = await refused(gate_of(issuer), f"{first}.e30.AAAA")
    assert (found.status, found.error) == (401, "invalid_token")


async def test_an_issuer_that_drips_is_given_up_after_the_time_in_all() -> None:
    """Each byte comes in time, the document never: callers wait for it behind a lock."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:

        async def drip(stream: Any) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
                with contextlib.suppress(anyio.BrokenResourceError):
                    while True:
                        await stream.send(b" ")
                        await anyio.sleep(0.05)

        tasks.start_soon(listener.serve, drip)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        with anyio.fail_after(10), pytest.raises(Unavailable, match="within"):
            await document(f"http://127.0.0.1:{port}/jwks", timeout=0.3)
        tasks.cancel_scope.cancel()


async def test_an_answer_that_holds_no_keys_at_all_does_not_replace_those_that_are_known(issuer: Issuer) -> None:
    """Such as a note about maintenance, with status 200: callers are not told to sign in anew for it."""
    answers = [await document(f"{issuer.url}/jwks"), {"status": "maintenance"}]

    async def fetch() -> Any:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    gate = OAuthGate(Rules(issuer.url, ME), keys=Keys(fetch, fresh=0.0, gap=0.0))
    for _ in range(3):
        assert (await gate.caller(issuer.token("anna", ME))).name == "anna"


async def test_no_wording_of_subject_and_account_makes_one_caller_another(issuer: Issuer) -> None:
    gate = gate_of(issuer)
    one = await gate.caller(issuer.token("anna", ME, acc="x\ny"))
    other = await gate.caller(issuer.token("anna\nx", ME, acc="y"))
    assert one.mark != other.mark


async def test_keys_that_were_rotated_are_found_and_the_old_ones_count_no_more(issuer: Issuer) -> None:
    gate = gate_of(issuer)
    old = issuer.token("anna", ME)
    await gate.caller(old)
    issuer.rotate()
    assert (await gate.caller(issuer.token("anna", ME))).name == "anna"
    assert "does not publish" in (await refused(gate, old)).message


async def test_unknown_keys_do_not_become_a_flood_of_requests_to_the_issuer(issuer: Issuer) -> None:
    gate = OAuthGate(Rules(issuer.url, ME))
    await gate.caller(issuer.token("anna", ME))
    for number in range(20):
        await refused(gate, issuer.token("anna", ME, head_kid=f"made up {number}"))
    assert issuer.count("/jwks") == 1


async def test_an_issuer_that_is_away_matters_only_until_its_keys_are_known(issuer: Issuer) -> None:
    gate = gate_of(issuer)
    issuer.down = True
    first = await refused(gate, issuer.token("anna", ME))
    assert first.status == 503, "a new login would not help"
    assert first.retry_after
    issuer.down = False
    await gate.caller(issuer.token("anna", ME))
    issuer.down = True
    assert (await gate.caller(issuer.token("anna", ME))).name == "anna"


async def test_a_token_without_a_needed_scope_is_told_which_one(issuer: Issuer) -> None:
    gate = gate_of(issuer, scopes=("jobs", "data"))
    found = await refused(gate, issuer.token("anna", ME, scope="jobs"))
    assert (found.status, found.error) == (403, "insufficient_scope")
    assert 'scope="jobs data"' in gate.challenge(found)
    assert (await gate.caller(issuer.token("anna", ME, scope=None, scp=["data", "jobs"]))).scopes == {"data", "jobs"}


async def test_an_audience_may_be_a_name(issuer: Issuer) -> None:
    gate = gate_of(issuer, audiences=("ivcap-mcp",))
    assert (await gate.caller(issuer.token("anna", "ivcap-mcp"))).name == "anna"


async def test_without_a_token_the_metadata_are_named_and_no_error(issuer: Issuer) -> None:
    gate = gate_of(issuer, scopes=("jobs",))
    found = await refused(gate, "")
    assert "error" not in gate.challenge(found)
    document = gate.document("/.well-known/oauth-protected-resource/mcp")
    assert document is not None
    assert document["resource"] == ME
    assert document["authorization_servers"] == [issuer.url]
    assert document["scopes_supported"] == ["jobs"]
    assert gate.document("/.well-known/oauth-protected-resource") == document
    assert gate.document("/.well-known/other") is None


@pytest.mark.parametrize(
    "rules",
    [
        {"issuer": "http://idp.example.org", "resource": ME},
        {"issuer": "https://idp.example.org", "resource": "http://mcp.example.org/mcp"},
        {"issuer": "https://idp.example.org", "resource": ME, "jwks_url": "file:///etc/passwd"},
        {"issuer": "https://idp.example.org", "resource": ME, "scopes": ('a"b',)},
    ],
    ids=lambda rules: next(reversed(rules)),
)
def test_addresses_that_others_can_read_along_are_refused_at_start(rules: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--"):
        Rules(**rules)
