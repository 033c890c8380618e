"""Addresses outside the platform's origin: which may be asked, and that the one looked at is the one asked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._core.messages import Request
from ivcap_client._core.port import Target
from ivcap_client._io import foreign
from ivcap_client._io.http import HttpTransport
from ivcap_client.auth import BearerAuth
from ivcap_client.exception import NotConnected, ProtocolError
from tests.client.server import Server, serving

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "192.0.2.1", "198.18.0.1", "not an address",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_inward_address_is_not_public(address: str) -> None:
    assert not foreign.is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert foreign.is_public(address)


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/x", "https://[::1]:8443/x", "https://localhost/", "https://2130706433/", "https://0x7f.1/"],
)
def test_a_url_that_leads_inward_is_refused_however_it_is_written(url: str) -> None:
    transport = HttpTransport(Target("https://platform.example", BearerAuth("secret")))
    request = Request("GET", url, what="download artifact", foreign=True)
    with pytest.raises((ProtocolError, NotConnected)):
        transport.open(request)
    with pytest.raises((ProtocolError, NotConnected)):
        asyncio.run(transport.open_async(request))


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server that answers each question differently."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if not str(host).endswith(".example"):
            return real(host, port, *rest, **more)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_with_one_inward_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(ProtocolError, match="not a public address"):
        foreign.public_address("https://data.example/x", "download artifact")


def test_a_name_nobody_knows_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotConnected, match="not known"):
        foreign.public_address("https://nowhere.example/x", "download artifact")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for data.example and its key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "data.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("data.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def store(certificate: tuple[Path, Path]) -> Iterator[Server]:
    """Another origin, over TLS on loopback."""
    with serving() as found:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        found._server.socket = context.wrap_socket(found._server.socket, server_side=True)
        yield found


@pytest.mark.parametrize("asynchronous", [False, True])
def test_foreign_data_comes_from_the_address_that_was_looked_at(
    store: Server, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, asynchronous: bool
) -> None:
    # Loopback plays the internet here; a second look at the name would lead elsewhere.
    monkeypatch.setattr(foreign, "is_public", lambda address: address == "127.0.0.1")
    asked = names(monkeypatch, ["127.0.0.1"], ["10.255.255.1"])
    target = Target("https://platform.example", BearerAuth("secret"), timeout=10)
    transport = HttpTransport(target, verify=str(certificate[0]))
    port = store.url.rpartition(":")[2]
    request = Request("GET", f"https://data.example:{port}/x?sig=1", what="download artifact", foreign=True)

    async def fetch() -> bytes:
        body = await transport.open_async(request)
        data = await body.read()
        await body.close()
        await transport.close_async()
        return data

    if asynchronous:
        assert asyncio.run(fetch()) == b"{}"
    else:
        body = transport.open(request)
        assert body.read() == b"{}"
        body.close()
        transport.close()
    (came,) = store.asked
    assert (came.path, came.headers["host"]) == ("/x?sig=1", f"data.example:{port}")
    assert {"authorization", "cookie"}.isdisjoint(came.headers)
    assert asked == ["data.example"]


def test_a_foreign_place_must_show_a_certificate_of_its_name_even_if_the_platform_need_not(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "is_public", lambda address: True)
    names(monkeypatch, ["127.0.0.1"])
    transport = HttpTransport(Target("https://platform.example", BearerAuth("secret"), timeout=10), verify=False)
    port = store.url.rpartition(":")[2]
    with pytest.raises(NotConnected, match="certificate"):
        transport.open(Request("GET", f"https://data.example:{port}/x", what="download artifact", foreign=True))
    transport.close()
    assert store.asked == []
