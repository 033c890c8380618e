"""Options of `serve` for HTTP: who may call, as whom the platform is asked, how much."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivcap_client.exception import ConfigError

OF_OAUTH = ("issuer", "audience", "scope", "jwks_url")
OF_EXCHANGE = ("exchange_client", "exchange_audience", "exchange_scope", "exchange_url")


def add(serve: argparse.ArgumentParser) -> None:
    """Put them on the command line."""
    before = [action for action in serve._actions if action.dest not in ("host", "port")]
    http = serve.add_argument_group("HTTP")
    http.add_argument(
        "--auth",
        choices=("token", "none", "oauth"),
        default="token",
        help="who may call: who knows a token, anybody on this machine, or whom an authorization server signed in",
    )
    http.add_argument(
        "--tokens-file", type=Path, metavar="FILE", help="named tokens, hashed, as `ivcap-mcp tokens` writes them"
    )
    http.add_argument(
        "--act-as",
        choices=("server", "login", "same-audience", "exchange"),
        help="as whom the platform is asked: with the server's credential, each caller's own login, the caller's token "
        "itself (if platform and server are one audience), or one exchanged for it (default: server; oauth: login)",
    )
    http.add_argument(
        "--allow-other-accounts",
        action="store_true",
        help="with --act-as login: a login may have another e-mail address than its caller",
    )
    http.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name under which clients reach this server; repeatable",
    )
    http.add_argument("--public-url", metavar="URL", help="address of this server as clients know it, ending in /mcp")
    http.add_argument("--stateless", action="store_true", help="keep no HTTP sessions")
    http.add_argument("--rate", type=number, metavar="N", help="requests a minute that each caller may send")
    http.add_argument("--burst", type=int, default=100, metavar="N", help="requests that may come together (100)")
    http.add_argument("--at-once", type=int, metavar="N", help="requests of each caller that may be open")
    http.add_argument(
        "--linger",
        type=number,
        default=0.0,
        metavar="S",
        help="seconds for which requests are still taken after SIGTERM, while /readyz answers 503",
    )
    oauth = serve.add_argument_group("HTTP with --auth oauth")
    oauth.add_argument("--issuer", metavar="URL", help="the authorization server, as it names itself in tokens")
    oauth.add_argument(
        "--audience", action="append", default=[], metavar="NAME", help="this server's name there, if not --public-url"
    )
    oauth.add_argument("--scope", action="append", default=[], metavar="NAME", help="what each token must permit")
    oauth.add_argument("--jwks-url", metavar="URL", help="its keys, if its metadata do not say where")
    oauth.add_argument("--exchange-client", metavar="ID", help="this server as a client that may exchange tokens")
    oauth.add_argument("--exchange-audience", default="", metavar="NAME", help="the platform's name there")
    oauth.add_argument("--exchange-scope", default="", metavar="SCOPES", help="what is asked for the platform")
    oauth.add_argument("--exchange-url", metavar="URL", help="its token endpoint, if its metadata do not say")
    serve.set_defaults(of_http=[action for action in serve._actions if action not in before])


def fitting(given: argparse.Namespace, acts_as: str) -> None:
    """Refuse what would be ignored: who writes `--issuer` believes that somebody is asked for a token of it.

    Args:
        given: The options.
        acts_as: As whom the platform is asked.

    Raises:
        ConfigError: An option means nothing beside the others.
    """
    needs: dict[str, str] = {}
    if given.transport != "http":
        needs = {action.dest: "--transport http" for action in given.of_http}
    else:
        if acts_as != "exchange":
            needs |= dict.fromkeys(OF_EXCHANGE, "--act-as exchange")
        if acts_as != "login":
            needs["allow_other_accounts"] = "--act-as login"
        if given.auth != "oauth":
            needs |= dict.fromkeys((*OF_OAUTH, *OF_EXCHANGE), "--auth oauth")
        if given.auth != "token":
            needs["tokens_file"] = "--auth token"
        if given.allow_root:
            raise ConfigError(
                "--allow-root means nothing over HTTP, where no files of this machine are uploaded: leave it out; "
                "upload_artifact takes text, or says how to send a file"
            )
    for action in given.of_http:
        if action.dest in needs and getattr(given, action.dest) != action.default:
            option = action.option_strings[0]
            raise ConfigError(f"{option} means nothing without {needs[action.dest]}: add that, or leave {option} out")


def number(text: str) -> float:
    """A number from 0 on that a clock can count; no NaN, with which no comparison is true."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 0 is wanted")
    return found
