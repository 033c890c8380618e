"""Where requests go and as whom: each row of the table, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.auth import BasicAuth, BearerAuth, NoAuth
from ivcap_client.exception import ConfigError
from ivcap_client.settings import Connection, connection

URL = "https://platform.example"


def sent(found: Connection) -> dict[str, str]:
    headers: dict[str, str] = {}
    found.auth.apply(headers)
    return headers


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("arguments", "environment", "url", "headers"),
    [
        ((URL, "a"), {}, URL, bearer("a")),
        ((URL + "/", " a\n"), {}, URL, bearer("a")),
        ((URL, "a"), {"IVCAP_URL": "https://other.example", "IVCAP_JWT": "b"}, URL, bearer("a")),
        ((None, None), {"IVCAP_URL": URL, "IVCAP_JWT": "b"}, URL, bearer("b")),
        ((None, "a"), {"IVCAP_URL": URL, "IVCAP_JWT": "b"}, URL, bearer("a")),
        ((URL + "/api", None), {"IVCAP_URL": URL, "IVCAP_JWT": "b"}, URL + "/api", bearer("b")),
        (("HTTPS://Platform.Example:443", None), {"IVCAP_URL": URL, "IVCAP_JWT": "b"}, None, bearer("b")),
        ((URL, None), {"IVCAP_JWT": "b"}, URL, bearer("b")),
        (("http://127.0.0.1:8080", "a"), {}, "http://127.0.0.1:8080", bearer("a")),
        (("http://[::1]:8080", "a"), {}, "http://[::1]:8080", bearer("a")),
        (("http://localhost", "a"), {}, "http://localhost", bearer("a")),
        ((None, None), {"IVCAP_BASE_URL": "http://sidecar:7701/s/secret/"}, "http://sidecar:7701/s/secret", {}),
        ((None, "a"), {"IVCAP_BASE_URL": "http://sidecar:7701"}, "http://sidecar:7701", bearer("a")),
        ((None, None), {"IVCAP_BASE_URL": "http://sidecar", "IVCAP_JWT": "b"}, "http://sidecar", {}),
        ((None, None), {"IVCAP_URL": URL, "IVCAP_BASE_URL": "http://x", "IVCAP_JWT": "b"}, URL, bearer("b")),
        ((None, None), {}, None, {}),
        ((None, None), {"IVCAP_JWT": "b"}, None, {}),
        (("", ""), {"IVCAP_URL": " ", "IVCAP_BASE_URL": ""}, None, {}),
    ],
)
def test_each_row_of_the_table_holds(
    arguments: tuple[str | None, str | None], environment: dict[str, str], url: str | None, headers: dict[str, str]
) -> None:
    found = connection(*arguments, environment=environment)
    assert sent(found) == headers
    assert url is None or found.url == url


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ((URL, None), {}),
        ((None, None), {"IVCAP_URL": URL}),
        ((None, "a"), {}),
        ((URL, None), {"IVCAP_URL": "https://other.example", "IVCAP_JWT": "b"}),
        ((URL, None), {"IVCAP_URL": "https://platform.example:444", "IVCAP_JWT": "b"}),
        (("http://platform.example", "a"), {}),
        (("http://127.0.0.1.evil.example", "a"), {}),
        (("http://10.0.0.1", "a"), {}),
        (("https://user:hush@platform.example", "a"), {}),
        (("ftp://user:hush@platform.example", "a"), {}),
        (("platform.example", "a"), {}),
        (("https://", "a"), {}),
        (("https://[x", "a"), {}),
        (("https://platform.example:port", "a"), {}),
        (("https://plat form.example", "a"), {}),
        (("https://platform.example?x=1", "a"), {}),
        (("file:///etc/passwd", "a"), {}),
        ((None, None), {"IVCAP_BASE_URL": "sidecar:7701"}),
        ((None, None), {"IVCAP_URL": URL, "IVCAP_JWT_FILE": "/does/not/exist"}),
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_a_secret(
    arguments: tuple[str | None, str | None], environment: dict[str, str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        connection(*arguments, environment=environment)
    assert "hush" not in str(caught.value)


def test_a_token_can_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "jwt").write_text("from file\n")
    found = connection(environment={"IVCAP_URL": URL, "IVCAP_JWT_FILE": str(tmp_path / "jwt")})
    assert sent(found) == bearer("from file")
    (tmp_path / "jwt").write_bytes(b"\xff")
    with pytest.raises(ConfigError):
        connection(environment={"IVCAP_URL": URL, "IVCAP_JWT_FILE": str(tmp_path / "jwt")})


def test_a_credential_of_another_kind_is_taken_as_it_is() -> None:
    assert sent(connection(URL, auth=BasicAuth("me", "pass")))["authorization"].startswith("Basic ")
    assert sent(connection("http://platform.example", auth=NoAuth())) == {}
    with pytest.raises(ConfigError):
        connection(URL, "a", BearerAuth("b"))


def test_the_client_is_local_where_nothing_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVCAP_LOCAL_DIR", str(tmp_path / "here"))
    for made in (IVCAP(), IVCAP(url=None), IVCAP(None, None, "account"), IVCAP(account_id="account"), IVCAP(timeout=3)):
        assert type(made) is LocalIVCAP
        assert made.base_dir == tmp_path / "here"
    assert not (tmp_path / "here").exists()
    monkeypatch.setenv("IVCAP_URL", URL)
    monkeypatch.setenv("IVCAP_JWT", "b")
    assert type(IVCAP()) is IVCAP
    assert type(IVCAP.local(tmp_path)) is LocalIVCAP
    assert IVCAP().url == URL


def test_a_client_that_is_a_subclass_is_never_local_by_accident() -> None:
    class Mine(IVCAP):
        pass

    with pytest.raises(ConfigError):
        Mine()


def test_a_word_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        LocalIVCAP(tmp_path, timeot=3)
    with pytest.raises(TypeError):
        IVCAP(URL, "a", timeot=3)  # type: ignore[call-arg]
