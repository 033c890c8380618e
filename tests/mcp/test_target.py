"""Which platform, as whom: the order of what names it, and which token goes where."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ivcap_client import LocalIVCAP
from ivcap_client.exception import ConfigError
from ivcap_mcp import target
from ivcap_mcp.target import Options

A, B, INSIDE = "https://a.example", "https://b.example", "http://sidecar:7701/s/x"


@pytest.fixture(autouse=True)
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `ivcap` tool has two contexts, and its file is where this system has it."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    file = tmp_path / "xdg" / "ivcap-cli" / "config.yaml"
    file.parent.mkdir(parents=True)
    write_contexts(file, dev=A, other=B)
    return file


def write_contexts(file: Path, ends: str = "2099-01-01T00:00:00.123456789+11:00", **urls: str) -> None:
    contexts = [
        {
            "api-version": 1,
            "name": name,
            "url": url,
            "account-id": f"urn:ivcap:account:{name}",
            "access-token": f"token-of-{name}",
            "access-token-expiry": ends,
            "refresh-token": f"refresh-of-{name}",
        }
        for name, url in urls.items()
    ]
    file.write_text(yaml.safe_dump({"version": "v1", "active-context": "dev", "contexts": contexts}))


def asked(options: Options, env: dict[str, str]) -> tuple[str, str]:
    """The address, and the token that goes there."""
    connected = target.connect(options, env)
    headers: dict[str, str] = {}
    connected.ivcap._target.auth.apply(headers)
    return connected.ivcap.url, headers.get("authorization", "").removeprefix("Bearer ")


@pytest.mark.parametrize(
    ("options", "env", "url", "token"),
    [
        # The order
        (Options(url=A, context="other"), {"IVCAP_URL": B, "IVCAP_BASE_URL": INSIDE}, A, "token-of-dev"),
        (Options(context="other"), {"IVCAP_URL": A, "IVCAP_JWT": "jwt", "IVCAP_BASE_URL": INSIDE}, B, "token-of-other"),
        (Options(), {"IVCAP_URL": A, "IVCAP_JWT": "jwt", "IVCAP_BASE_URL": INSIDE}, A, "jwt"),
        (Options(), {"IVCAP_BASE_URL": INSIDE, "IVCAP_JWT": "jwt"}, INSIDE, ""),
        # A token and the URL it came with
        (Options(url=B), {"IVCAP_URL": A, "IVCAP_JWT": "jwt"}, B, "token-of-other"),
        (Options(url=A), {"IVCAP_URL": A, "IVCAP_JWT": "jwt"}, A, "jwt"),
        (Options(url=A), {"IVCAP_JWT": "jwt"}, A, "jwt"),
        (Options(url="https://a.example:444"), {"IVCAP_URL": A, "IVCAP_JWT": "jwt"}, "https://a.example:444", ""),
        (Options(url="https://a.example:444"), {}, "https://a.example:444", ""),
        # A context, its own and of this URL only
        (Options(url=A), {}, A, "token-of-dev"),
        (Options(), {"IVCAP_URL": A + "/"}, A, "token-of-dev"),
        (Options(url=A + "/below"), {}, A + "/below", ""),
        (Options(context="dev"), {"IVCAP_JWT": "jwt"}, A, "token-of-dev"),
        (Options(context="dev"), {"IVCAP_URL": A, "IVCAP_JWT": "jwt"}, A, "token-of-dev"),
    ],
)
def test_the_first_that_fits_is_the_target_and_only_its_own_token_goes_there(
    options: Options, env: dict[str, str], url: str, token: str
) -> None:
    assert asked(options, env) == (url, token)


def test_without_any_of_them_it_is_the_embedded_platform(tmp_path: Path) -> None:
    for env in ({}, {"IVCAP_JWT": "jwt"}, {"IVCAP_URL": " "}):
        connected = target.connect(Options(), {**env, "IVCAP_LOCAL_DIR": str(tmp_path / "data")})
        assert isinstance(connected.ivcap, LocalIVCAP)


@pytest.mark.parametrize(
    ("options", "env", "words"),
    [
        (Options(context="nope"), {}, "it has: dev, other"),
        (Options(url="http://a.example"), {"IVCAP_JWT": "hush"}, "not https"),
        (Options(url="http://a.example"), {}, "not https"),
        (Options(url="http://10.1.2.3"), {}, "not https"),
        (Options(), {"IVCAP_URL": "http://a.example", "IVCAP_JWT": "hush"}, "not https"),
        (Options(url="https://me:hush@a.example"), {}, "user or password"),
        (Options(url=A, local_dir=Path("x")), {}, "--local-dir is for the embedded platform, but --url names"),
        (Options(services=("x.py",)), {"IVCAP_URL": A}, "--service is for the embedded platform, but IVCAP_URL names"),
        (Options(offline=True), {"IVCAP_URL": A}, "--offline is for the embedded platform, but IVCAP_URL names"),
        (Options(url=A), {"IVCAP_JWT_FILE": "/no/such/file"}, "/no/such/file cannot be read"),
    ],
)
def test_what_cannot_work_is_refused_and_shows_no_secret(options: Options, env: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target.connect(options, env)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_token_may_travel_to_this_machine_unprotected() -> None:
    assert asked(Options(url="http://127.0.0.1:8080"), {"IVCAP_JWT": "jwt"}) == ("http://127.0.0.1:8080", "jwt")


def test_the_start_line_names_target_and_credential_and_shows_neither_token() -> None:
    assert target.connect(Options(context="dev"), {}).told == f"{A} (--context dev; context dev of the `ivcap` tool)"
    assert target.connect(Options(), {"IVCAP_URL": A, "IVCAP_JWT": "hush"}).told == f"{A} (IVCAP_URL; IVCAP_JWT)"
    assert target.connect(Options(url=A + "/x"), {}).told == f"{A}/x (--url; own login)"
    told = target.connect(Options(url=A + "/x"), {"IVCAP_URL": B, "IVCAP_JWT": "hush"}).told
    assert told == f"{A}/x (--url; own login, since IVCAP_JWT is for {B} only)"


def test_of_several_contexts_for_one_url_none_is_chosen_silently(cli: Path) -> None:
    write_contexts(cli, dev=A, admin=A)
    with pytest.raises(ConfigError, match="give --context dev or --context admin"):
        target.connect(Options(url=A), {})
    assert asked(Options(url=A, context="admin"), {}) == (A, "token-of-admin")


def test_a_context_that_has_ended_gives_way_to_own_login_unless_it_was_named(
    cli: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    write_contexts(cli, ends="2020-01-01T00:00:00Z", dev=A)
    assert target.connect(Options(url=A), {}).told.endswith("own login)")
    assert target.connect(Options(context="dev"), {}).told.endswith("context dev of the `ivcap` tool)")


@pytest.mark.parametrize("text", ["", "[]", "contexts: 3", "contexts: [1, {}, {name: x, url: nonsense}]", "{", "\x00"])
def test_a_file_of_the_tool_that_cannot_be_read_troubles_only_who_asked_for_it(cli: Path, text: str) -> None:
    cli.write_text(text)
    assert asked(Options(url=A), {}) == (A, "")
    with pytest.raises(ConfigError):
        target.connect(Options(context="dev"), {})


# The user's own file


def settings_file(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / ".env").write_text(text)
    return {"IVCAP_CONFIG_DIR": str(tmp_path / "config")}


def test_the_file_gives_ivcap_settings_only_and_the_environment_wins(tmp_path: Path) -> None:
    own = settings_file(
        tmp_path, f"IVCAP_URL={A}\nPATH=/evil\nIVCAP_LOCAL_DIR='${{HOME}}'\nexport IVCAP_JWT=jwt # mine\n"
    )
    env = target.environment(None, {**own, "IVCAP_LOCAL_DIR": "/mine", "PATH": "/bin"})
    assert env == {**own, "IVCAP_URL": A, "IVCAP_JWT": "jwt", "IVCAP_LOCAL_DIR": "/mine"}
    named = tmp_path / "named.env"
    named.write_text(f"IVCAP_URL={B}\n")
    assert target.environment(named, own)["IVCAP_URL"] == B


@pytest.mark.parametrize(
    ("text", "given", "token"),
    [
        (f"IVCAP_URL={A}\nIVCAP_JWT=kept", {"IVCAP_URL": B}, None),
        (f"IVCAP_URL={A}\nIVCAP_JWT_FILE=/kept", {"IVCAP_URL": B}, None),
        (f"IVCAP_URL={A}\nIVCAP_JWT=kept", {"IVCAP_URL": f"{A}/api"}, "kept"),
        ("IVCAP_JWT=kept", {"IVCAP_URL": B}, "kept"),
        (f"IVCAP_URL={A}\nIVCAP_JWT=kept", {"IVCAP_JWT_FILE": "/given"}, None),
        (f"IVCAP_URL={A}\nIVCAP_JWT=kept", {"IVCAP_JWT": "given"}, "given"),
    ],
)
def test_a_token_in_the_file_stays_with_the_url_in_the_file(
    tmp_path: Path, text: str, given: dict[str, str], token: str | None
) -> None:
    env = target.environment(None, {**settings_file(tmp_path, text), **given})
    assert env.get("IVCAP_JWT") == token
    assert env.get("IVCAP_JWT_FILE") == given.get("IVCAP_JWT_FILE")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        target.environment(tmp_path / "nope", {})
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        target.environment(tmp_path / "bad", {})


def test_a_line_of_the_file_that_cannot_be_read_is_named_with_its_file_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = tmp_path / "named.env"
    named.write_text(f"IVCAP_URL={A}\nIVCAP_JWT hush = hush\nIVCAP_ACCOUNT=mine\n")
    env = target.environment(named, {})
    assert env == {"IVCAP_URL": A, "IVCAP_ACCOUNT": "mine"}
    assert caplog.messages == [f"{named}, line 2: this is no KEY=VALUE and was passed over"]


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    connected = target.connect(Options(), {"IVCAP_URL": A, "IVCAP_JWT_FILE": str(file)})
    auth = connected.ivcap._target.auth
    headers: dict[str, str] = {}
    file.write_text("second, longer\n")
    assert auth.due()  # type: ignore[attr-defined]
    auth.keep_fresh()  # type: ignore[attr-defined]
    auth.apply(headers)
    assert headers == {"authorization": "Bearer second, longer"}
