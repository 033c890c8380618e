"""`ivcap-mcp serve` for several people: who is let in, as whom the platform is asked, and what fits together."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ivcap_client import IVCAP
from ivcap_client.exception import ConfigError
from ivcap_mcp.secret import kept_secret

if TYPE_CHECKING:
    from ivcap_mcp.allowance import Allowance
    from ivcap_mcp.auth.caller import Gate
    from ivcap_mcp.auth.seat import Seats
    from ivcap_mcp.door import Door
    from ivcap_mcp.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
RATE, AT_ONCE = 600.0, 100
"""What each caller of a group may do unless the options say otherwise: requests a minute, and open at once."""
AS_CALLERS = ("login", "same-audience", "exchange")


def wanted(given: argparse.Namespace, env: dict[str, str]) -> bool:
    """Whether callers are told apart: by an authorization server, or by named tokens."""
    if given.auth == "token":
        from ivcap_mcp.cli.tokens import default_file

        return given.tokens_file is not None or default_file(env).is_file()
    return bool(given.auth == "oauth")


def acts_as(given: argparse.Namespace) -> str:
    """As whom the platform is asked."""
    return str(given.act_as or ("login" if given.auth == "oauth" else "server"))


def told(given: argparse.Namespace) -> str:
    """Who is let in and as whom the platform is asked, for the line at start."""
    who = f"to who is signed in at {given.issuer}" if given.auth == "oauth" else "to who has one of the named tokens"
    how = {
        "server": "all act with the server's own credential",
        "login": "each acts with a login of their own",
        "same-audience": "each one's token is passed on to the platform (--act-as same-audience)",
        "exchange": "each one's token is exchanged for one of the platform",
    }
    return f"{who}; {how[acts_as(given)]}"


def public(given: argparse.Namespace) -> dict[str, str]:
    """What clients are told of the address, where the operator says it is another than the one that is bound."""
    return {"url": given.public_url} if given.public_url else {}


def hosts(given: argparse.Namespace) -> list[str]:
    """Names under which the server may be addressed."""
    public = [_public_host(given.public_url)] if given.public_url else []
    return list(dict.fromkeys((*LOOPBACK, given.host, *given.allow_host, *public)))


def app(
    given: argparse.Namespace, connect: Callable[..., IVCAP], settings: Settings, env: dict[str, str]
) -> tuple[Door, dict[str, Any]]:
    """The app for a group, and what its clients' configuration needs.

    Args:
        given: The options.
        connect: A new client of the platform; with a credential, as whom that stands for.
        settings: Of each caller's server.
        env: The `IVCAP_*` variables.

    Raises:
        ConfigError: The options do not fit together.
    """
    from ivcap_mcp.http import group_app

    gate, entry = _gate(given, env)
    secret = _secret(env)
    door = group_app(
        _seats(given, connect, settings, secret, env),
        gate,
        settings,
        secret=secret,
        hosts=hosts(given),
        stateless=given.stateless,
        limits=limits(given, RATE, AT_ONCE),
        other_accounts=given.allow_other_accounts,
    )
    return door, entry | public(given)


def limits(given: argparse.Namespace, rate: float, at_once: int) -> Allowance:
    """What each caller may do; with what is usual where the options do not say.

    Raises:
        ConfigError: Less than nothing.
    """
    from ivcap_mcp.allowance import Allowance

    found = Allowance(
        rate=rate if given.rate is None else given.rate,
        burst=given.burst,
        at_once=at_once if given.at_once is None else given.at_once,
    )
    if found.rate < 0 or found.burst < 1 or found.at_once < 0:
        raise ConfigError("--rate and --at-once are numbers from 0 (any number of requests), --burst from 1")
    return found


def _secret(env: dict[str, str]) -> str:
    from ivcap_mcp.cli.tokens import secret_file

    return kept_secret(secret_file(env))


def _gate(given: argparse.Namespace, env: dict[str, str]) -> tuple[Gate, dict[str, Any]]:
    if given.auth == "token":
        from ivcap_mcp.auth.static import NamedTokenGate
        from ivcap_mcp.auth.tokens import TokenFile
        from ivcap_mcp.cli.tokens import default_file

        file = TokenFile(given.tokens_file or default_file(env))
        if not file.entries():
            made = ["ivcap-mcp", "tokens", "add", *(["--tokens-file", str(file.path)] if given.tokens_file else [])]
            raise ConfigError(f"{file.path} names nobody: make a token with `{shlex.join(made)} NAME`")
        return NamedTokenGate(file), {"headers": {"Authorization": "Bearer <the token of `ivcap-mcp tokens add`>"}}
    from ivcap_mcp.auth.oauth import OAuthGate, Rules

    if not given.issuer or not given.public_url:
        raise ConfigError(
            "--auth oauth needs --issuer (the authorization server) and --public-url (this server's address as clients "
            "know it, such as https://mcp.example.org/mcp, for which tokens are issued)"
        )
    rules = Rules(given.issuer, given.public_url, tuple(given.audience), tuple(given.scope), given.jwks_url)
    return OAuthGate(rules), {}


def _seats(
    given: argparse.Namespace, connect: Callable[..., IVCAP], settings: Settings, secret: str, env: dict[str, str]
) -> Seats:
    from ivcap_mcp.auth.seat import PassThroughSeats, ServerSeats

    how = acts_as(given)
    if how in AS_CALLERS and settings.local:
        raise ConfigError(
            "the embedded platform knows no users, so everybody would see everything: name a deployment with --url, or "
            "say --act-as server if that is what you want"
        )
    if how in ("same-audience", "exchange") and given.auth != "oauth":
        raise ConfigError(f"--act-as {how} needs --auth oauth: a token made here means nothing to others")
    if how == "same-audience":
        return PassThroughSeats(connect)
    if how == "exchange":
        from ivcap_mcp.auth.exchange import ExchangeSeats

        return ExchangeSeats(connect, _exchange(given, env))
    if how == "login":
        from ivcap_mcp.auth.logins import LoginSeats

        return LoginSeats(connect, lambda mark: settings.state_dir / "users" / mark, secret)
    return ServerSeats(connect)


def _exchange(given: argparse.Namespace, env: dict[str, str]) -> Any:
    from ivcap_mcp.auth.exchange import Exchange

    file = env.get("IVCAP_MCP_CLIENT_SECRET_FILE")
    if not given.exchange_client or not file:
        raise ConfigError(
            "--act-as exchange needs --exchange-client, and IVCAP_MCP_CLIENT_SECRET_FILE: its secret's file"
        )
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"IVCAP_MCP_CLIENT_SECRET_FILE names {file}, which cannot be read: {type(error).__name__}"
        ) from None
    return Exchange(
        given.issuer, given.exchange_client, secret, given.exchange_audience, given.exchange_scope, given.exchange_url
    )


def _public_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what finds a bad one
    except ValueError:
        parts = urlsplit("")
    whole = parts.path.endswith("/mcp") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not whole:
        raise ConfigError(f"--public-url {url!r}: an address that ends in /mcp is wanted, https://mcp.example.org/mcp")
    return parts.hostname
